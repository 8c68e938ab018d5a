//! How large a value can be.

use serde_json::Value;

use crate::gate::constants::{number, text};

/// The most bytes of a number, a date or any other value of fixed width.
const FIXED_BYTES: f64 = 16.0;

/// Upper bounds of a value, and of the work to compute it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// The bytes of its content.
    pub(super) bytes: f64,
    /// The number of elements of a list, or of characters of a text.
    pub(super) items: f64,
    /// The largest absolute value of a number; `None` if it is not known.
    pub(super) most: Option<f64>,
    /// The number of elements that lambdas process for it.
    pub(super) steps: f64,
    /// How deep it nests calls that compare all pairs of characters.
    pub(super) pairing: u32,
}

impl Extent {
    /// A value that does not come from constants: the smallest possible.
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
        // The values of numbers in a list are not known; those of a range are at most its bytes.
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
