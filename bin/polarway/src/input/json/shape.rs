//! What the values of a key look like, as far as they were looked at.

use serde_json::value::RawValue;

use super::misfit::{Misfit, Result};
use super::parse::{Entries, Json, parse};
use crate::input::value_type::Candidates;

/// How deep values may be nested.
const MOST_LEVELS: usize = 64;

/// What was seen of a key.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// Nothing but null.
    Unknown,
    Boolean,
    Number(Candidates),
    Text,
    List(Box<Shape>),
    Object(Keys),
}

/// The keys of an object, in the order in which they came first, and what stands under each.
pub(super) type Keys = Vec<(String, Shape)>;

/// Widens the shapes of an object's keys by its values. What is a number here and a text there, or an object, is refused: stored as
/// one of them, the others would become something else.
pub(super) fn see_row(keys: &mut Keys, entries: Entries<'_>) -> Result<()> {
    see_keys(keys, entries, MOST_LEVELS)
}

fn see_keys(keys: &mut Keys, entries: Entries<'_>, levels: usize) -> Result<()> {
    for (index, (key, value)) in entries.into_iter().enumerate() {
        // Keys mostly come in the order in which they came before.
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
