//! JSON, a level at a time: what is inside a value stays the text that it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A value whose parts were not looked at yet. A number is the text that it is written as, with all its digits.
pub(super) enum Json<'a> {
    Null,
    Boolean(&'a str),
    Number(&'a str),
    Text(Cow<'a, str>),
    List(Vec<&'a RawValue>),
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
}

/// Checks that a text is one JSON value, to its innermost part.
pub(super) fn check(text: &str) -> serde_json::Result<&RawValue> {
    serde_json::from_str(text)
}

/// Looks at a value that was checked. A text with half a surrogate pair is an error all the same.
pub(super) fn parse(value: &RawValue) -> serde_json::Result<Json<'_>> {
    let text = value.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Json::Null,
        Some(b't' | b'f') => Json::Boolean(text),
        Some(b'"') => Json::Text(Text.deserialize(&mut serde_json::Deserializer::from_str(text))?),
        Some(b'[') => Json::List(serde_json::from_str(text)?),
        Some(b'{') => Json::Object(Object.deserialize(&mut serde_json::Deserializer::from_str(text))?),
        _ => Json::Number(text),
    })
}

/// A text, borrowed unless something in it is escaped.
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

/// The keys and values of an object, in their order and with those that stand twice.
struct Object;

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

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
