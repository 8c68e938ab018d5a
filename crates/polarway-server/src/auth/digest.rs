//! Tokens as their digests: what is stored of them, and what is compared.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a token. Comparing digests takes the same time whatever their bytes are, and what it could tell would be
/// about the digest and not about the token.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenDigest([u64; 4]);

impl TokenDigest {
    /// The digest of a token.
    pub(crate) fn of(token: &[u8]) -> Self {
        Self::from_bytes(&Sha256::digest(token).into())
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
