//! JSON, one level at a time: the inside of a value stays unparsed text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value with unparsed parts. A number is kept as its text, with all its digits.
pub(super) enum Json<'a> {
    Null,
    Boolean(&'a str),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<&'a RawValue>),
    Object(Entries<'a>),
}

/// The keys and values of an object, in order and with duplicates.
pub(super) type Entries<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Parses any text, and checks that it is one valid JSON value at all levels.
pub(super) fn parse_line(text: &str) -> serde_json::Result<Json<'_>> {
    if text.trim_start().starts_with('{') {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let entries = Object.deserialize(&mut deserializer)?;
        deserializer.end()?;
        return Ok(Json::Object(entries));
    }
    parse(serde_json::from_str(text)?)
}

/// Parses a value that was checked. A text with half of a surrogate pair is still an error.
pub(super) fn parse(value: &RawValue) -> serde_json::Result<Json<'_>> {
    let text = value.get();
    Ok(match text.as_bytes() {
        [b'n', ..] => Json::Null,
        [b't' | b'f', ..] => Json::Boolean(text),
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            Json::Text(Cow::Borrowed(&text[1..text.len() - 1]))
        }
        [b'"', ..] => Json::Text(Text.deserialize(&mut serde_json::Deserializer::from_str(text))?),
        [b'[', ..] => Json::List(serde_json::from_str(text)?),
        [b'{', ..] => Json::Object(Object.deserialize(&mut serde_json::Deserializer::from_str(text))?),
        _ => Json::Number(text),
    })
}

/// A text, borrowed unless it contains an escape.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

struct Object;

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Entries<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Entries<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(Text)? {
            entries.push((key, map.next_value()?));
        }
        Ok(entries)
    }
}
