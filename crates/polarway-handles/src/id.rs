//! The ids of handles.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

use crate::random::{RandomSource, SystemRandom};

const PREFIX: &str = "h_";

/// Characters behind the prefix: 128 bits, five in each.
const CODE_LENGTH: usize = 26;

/// Base32 of RFC 4648 in lower case, without padding. The two bits that the last character has too many are zero.
static CODE: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    #[expect(clippy::expect_used, reason = "the specification is a constant")]
    specification.encoding().expect("thirty-two different symbols are an encoding")
});

/// What a handle is called: `h_` and 26 characters of base32, 128 random bits. Whoever knows it may use the handle.
///
/// ```
/// use polarway_handles::HandleId;
///
/// let id = HandleId::from_bits([7; 16]);
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("h_short".parse::<HandleId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandleId([u8; 16]);

/// Why a text is no handle's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no handle's id: that is `h_` and 26 of the characters a-z and 2-7")]
pub struct InvalidHandleId(String);

impl HandleId {
    /// An id that nobody can guess.
    ///
    /// # Errors
    /// The machine has no random bits to give.
    pub fn fresh() -> std::io::Result<Self> {
        Self::drawn_from(&SystemRandom)
    }

    /// An id of the bits that this source gives.
    ///
    /// # Errors
    /// It has none to give.
    pub fn drawn_from(random: &dyn RandomSource) -> std::io::Result<Self> {
        let mut bits = [0; 16];
        random.fill(&mut bits)?;
        Ok(Self(bits))
    }

    /// The id with these bits, which were drawn by someone who wants to find the handle again.
    pub fn from_bits(bits: [u8; 16]) -> Self {
        Self(bits)
    }

    /// The id that a table's name in SQL stands for, if it is one: SQL's names don't mind their case.
    pub fn from_name(name: &str) -> Option<Self> {
        (name.len() == PREFIX.len() + CODE_LENGTH).then(|| name.to_ascii_lowercase().parse().ok())?
    }

    /// The characters behind the prefix.
    pub(crate) fn code(self) -> String {
        CODE.encode(&self.0)
    }

    pub(crate) fn from_code(code: &str) -> Option<Self> {
        if code.len() != CODE_LENGTH {
            return None;
        }
        CODE.decode(code.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl fmt::Display for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.code())
    }
}

impl fmt::Debug for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HandleId {
    type Err = InvalidHandleId;

    fn from_str(text: &str) -> Result<Self, InvalidHandleId> {
        text.strip_prefix(PREFIX)
            .and_then(Self::from_code)
            .ok_or_else(|| InvalidHandleId(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_text() {
        for bits in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let id = HandleId::from_bits(bits);
            assert_eq!(id.to_string().len(), 28);
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(HandleId::from_name(&id.to_string().to_uppercase()), Some(id));
        }
    }

    #[test]
    fn ids_differ() {
        assert_ne!(HandleId::fresh().unwrap(), HandleId::fresh().unwrap());
    }

    #[test]
    fn other_texts_are_no_ids() {
        let too_many_bits = format!("h_{}b", "a".repeat(25));
        let upper = format!("H_{}", "A".repeat(26));
        let long = format!("h_{}", "a".repeat(27));
        let letters = format!("h_{}", "é".repeat(13));
        for text in ["", "h_", "h_short", &too_many_bits, &upper, &long, &letters, &"a".repeat(28)] {
            assert_eq!(text.parse::<HandleId>(), Err(InvalidHandleId(text.to_owned())), "{text}");
        }
    }
}
