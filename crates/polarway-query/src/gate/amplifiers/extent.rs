//! How large a value can be.

use serde_json::Value;

use crate::gate::constants::{number, text};

/// What a number, a date or anything else of a fixed width takes at the most.
const FIXED_BYTES: f64 = 16.0;

/// Upper bounds of a value, and of the work that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// The bytes of its contents.
    pub(super) bytes: f64,
    /// The elements of a list, or the characters of a text.
    pub(super) items: f64,
    /// The size of a number, without its sign; `None` where it is not known.
    pub(super) most: Option<f64>,
    /// Elements that lambdas go through for it.
    pub(super) steps: f64,
    /// How deep calls nest in it that compare all pairs of characters.
    pub(super) pairing: u32,
}

impl Extent {
    /// Something that is not made of constants: as little as it can be.
    pub(super) const UNKNOWN: Self = Self { bytes: 1.0, items: 1.0, most: None, steps: 0.0, pairing: 0 };

    pub(super) fn sized(bytes: f64, items: f64) -> Self {
        Self { bytes, items, ..Self::UNKNOWN }
    }

    pub(super) fn number(most: f64) -> Self {
        Self { bytes: FIXED_BYTES, most: Some(most), ..Self::UNKNOWN }
    }

    pub(super) fn constant(expression: &Value) -> Self {
        match (text(expression), number(expression)) {
            (Some(text), number) => {
                let bytes = text.len() as f64;
                Self { most: number.map(f64::abs), ..Self::sized(bytes, bytes) }
            }
            (None, Some(number)) => Self::number(number.abs()),
            (None, None) => Self::sized(FIXED_BYTES, 1.0),
        }
    }

    /// One element of a list.
    pub(super) fn element(self) -> Self {
        let bytes = self.bytes / self.items.max(1.0);
        // What the numbers in a list come to is known of none; those of a range are at most its bytes.
        Self { bytes, items: bytes, most: self.most, steps: 0.0, ..self }
    }

    /// One or the other.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            items: self.items.max(other.items),
            most: match (self.most, other.most) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            },
            steps: self.steps + other.steps,
            pairing: self.pairing.max(other.pairing),
        }
    }
}
