//! Digests of tokens. They are stored and compared instead of the tokens.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a token. Digests are compared in constant time. Even if that leaked, it would be the digest and not the token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenDigest([u64; 4]);

impl TokenDigest {
    /// The digest of a token.
    pub(crate) fn of(token: &[u8]) -> Self {
        Self::from_bytes(&Sha256::digest(token).into())
    }

    /// The digest of these 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let bytes: [[u8; 2]; 32] = pairs.try_into().ok()?;
        let mut digest = [0; 32];
        for (byte, [high, low]) in digest.iter_mut().zip(bytes) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
        }
        Some(Self::from_bytes(&digest))
    }

    /// The digits that [`from_hex`](Self::from_hex) reads.
    pub(crate) fn to_hex(self) -> String {
        self.0.iter().map(|word| format!("{word:016x}")).collect()
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self(words)
    }
}

impl ConstantTimeEq for TokenDigest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.iter().zip(&other.0).fold(Choice::from(1), |equal, (a, b)| equal & a.ct_eq(b))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[a token's digest]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_equal_if_and_only_if_the_tokens_are() {
        let digest = TokenDigest::of(b"secret");
        assert!(bool::from(digest.ct_eq(&TokenDigest::of(b"secret"))));
        for other in [&b""[..], b"secre", b"secret ", b"Secret", b"secrets"] {
            assert!(!bool::from(digest.ct_eq(&TokenDigest::of(other))), "{other:?}");
        }
    }

    #[test]
    fn a_digest_is_written_as_64_hexadecimal_digits() {
        let digits = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let digest = TokenDigest::of(b"secret");
        assert_eq!(digest.to_hex(), digits);
        assert_eq!(TokenDigest::from_hex(digits), Some(digest));
        assert_eq!(TokenDigest::from_hex(&digits.to_uppercase()), Some(digest));
        for wrong in
            ["", "2b", &digits[1..], &format!("{digits}00"), &digits.replace('2', "g"), &"é".repeat(32)]
        {
            assert_eq!(TokenDigest::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn each_bit_of_a_digest_counts() {
        let digest = TokenDigest::of(b"secret");
        for word in 0..4 {
            for bit in 0..64 {
                let mut other = digest;
                other.0[word] ^= 1 << bit;
                assert!(!bool::from(digest.ct_eq(&other)), "{word} {bit}");
            }
        }
    }
}
