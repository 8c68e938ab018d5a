//! The ids of handles.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

/// What the text of an id begins with.
const PREFIX: &str = "h_";

/// Characters behind the prefix: 128 bits, five in each.
const CODE_LENGTH: usize = 26;

const LENGTH: usize = PREFIX.len() + CODE_LENGTH;

/// The id of a handle: `h_` and 128 random bits as 26 characters of base32 (RFC 4648, in lower case, without padding).
/// Whoever knows it may use the handle.
///
/// ```
/// use polarway_model::HandleId;
///
/// let id = HandleId::from_bits([7; 16]);
/// assert_eq!(id.to_string().parse(), Ok(id));
/// assert!("h_short".parse::<HandleId>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HandleId([u8; LENGTH]);

/// Why a text is no handle's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no handle's id: that is `h_` and 26 of the characters a-z and 2-7")]
pub struct InvalidHandleId(String);

impl HandleId {
    /// The id with these bits, which nobody must be able to guess.
    pub fn from_bits(bits: [u8; 16]) -> Self {
        let mut text = [0; LENGTH];
        text[..PREFIX.len()].copy_from_slice(PREFIX.as_bytes());
        BASE32_NOPAD.encode_mut(&bits, &mut text[PREFIX.len()..]);
        text.make_ascii_lowercase();
        Self(text)
    }

    /// The id that a table's name in SQL stands for, if it is one: case does not matter in SQL's names.
    pub fn from_name(name: &str) -> Option<Self> {
        (name.len() == LENGTH).then(|| name.to_ascii_lowercase().parse().ok())?
    }

    /// The id with these characters behind its prefix.
    pub fn from_code(code: &str) -> Option<Self> {
        let is_lower_case = !code.bytes().any(|byte| byte.is_ascii_uppercase());
        if code.len() != CODE_LENGTH || !is_lower_case {
            return None;
        }
        let bits = BASE32_NOPAD.decode(code.to_ascii_uppercase().as_bytes()).ok()?;
        bits.try_into().ok().map(Self::from_bits)
    }

    /// The characters behind the prefix.
    pub fn code(&self) -> &str {
        &self[PREFIX.len()..]
    }

    /// Whether a text has the form of an id, even if no bits give it. No dataset has such a name.
    pub fn is_form_of(text: &str) -> bool {
        let is_of_code = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
        text.len() == LENGTH && text.strip_prefix(PREFIX).is_some_and(|code| code.bytes().all(is_of_code))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // it is ASCII
    }
}

/// An id can be given wherever a text is asked for.
impl Deref for HandleId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for HandleId {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == text
    }
}

impl PartialEq<&str> for HandleId {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == *text
    }
}

impl fmt::Display for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HandleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
