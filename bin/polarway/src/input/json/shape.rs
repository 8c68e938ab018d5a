//! The shape of a key's values, from the rows that were inspected.

use serde_json::value::RawValue;

use super::misfit::{Misfit, Result};
use super::parse::{Entries, Json, parse};
use crate::input::value_type::Candidates;

/// How deeply values may be nested.
const MOST_LEVELS: usize = 64;

/// The shape of a key's values so far.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Only null.
    Unknown,
    Boolean,
    Number(Candidates),
    Text,
    List(Box<Shape>),
    Object(Keys),
}

/// The keys of an object, in the order of their first appearance, and the shape of each key's values.
pub(super) type Keys = Vec<(String, Shape)>;

/// Extends the shapes of an object's keys with its values. A key with different kinds of values, such as a number and a
/// text, is refused: stored as one kind, the other values would change.
pub(super) fn see_row(keys: &mut Keys, entries: Entries<'_>) -> Result<()> {
    see_keys(keys, entries, MOST_LEVELS)
}

fn see_keys(keys: &mut Keys, entries: Entries<'_>, levels: usize) -> Result<()> {
    for (index, (key, value)) in entries.into_iter().enumerate() {
        // Keys are mostly in the same order as before.
        let place = match keys.get(index) {
            Some((known, _)) if *known == key => Some(index),
            _ => keys.iter().position(|(known, _)| *known == key),
        };
        let place = place.unwrap_or_else(|| {
            keys.push((key.to_string(), Shape::Unknown));
            keys.len() - 1
        });
        keys[place].1.see(value, levels).map_err(|misfit| misfit.under(&key))?;
    }
    Ok(())
}

impl Shape {
    fn see(&mut self, value: &RawValue, levels: usize) -> Result<()> {
        let Some(levels) = levels.checked_sub(1) else {
            return Err(Misfit::new(value.get(), format!("nested at most {MOST_LEVELS} levels deep")));
        };
        let json = parse(value)?;
        if let Self::Unknown = self {
            *self = Self::of(&json);
        }
        match (&mut *self, json) {
            (_, Json::Null) | (Self::Boolean, Json::Boolean(_)) | (Self::Text, Json::Text(_)) => Ok(()),
            (Self::Number(candidates), Json::Number(text)) => {
                candidates.see(text);
                Ok(())
            }
            (Self::List(shape), Json::List(items)) => {
                items.iter().try_for_each(|item| shape.see(item, levels)).map_err(Misfit::in_list)
            }
            (Self::Object(keys), Json::Object(entries)) => see_keys(keys, entries, levels),
            (shape, _) => Err(Misfit::new(value.get(), shape.name())),
        }
    }

    fn of(json: &Json<'_>) -> Self {
        match json {
            Json::Null => Self::Unknown,
            Json::Boolean(_) => Self::Boolean,
            Json::Number(_) => Self::Number(Candidates::numbers()),
            Json::Text(_) => Self::Text,
            Json::List(_) => Self::List(Box::new(Self::Unknown)),
            Json::Object(_) => Self::Object(Vec::new()),
        }
    }

    fn name(&self) -> String {
        let name = match self {
            Self::Unknown => "null",
            Self::Boolean => "a boolean",
            Self::Number(_) => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        };
        name.to_owned()
    }
}
