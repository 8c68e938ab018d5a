//! Where random bits come from.

use std::fmt::Debug;
use std::io;

use polarway_model::HandleId;

/// Gives random bits that nobody can guess: whoever knows a handle's id may use the handle.
pub trait RandomSource: Send + Sync + Debug {
    /// Fills these bytes.
    ///
    /// # Errors
    /// No random bits are available.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The machine's random source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl RandomSource for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}

/// An id that nobody can guess, made of bits from this source.
///
/// # Errors
/// The source has no random bits.
pub fn fresh_id(random: &dyn RandomSource) -> io::Result<HandleId> {
    let mut bits = [0; 16];
    random.fill(&mut bits)?;
    Ok(HandleId::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        assert_ne!(fresh_id(&SystemRandom).unwrap(), fresh_id(&SystemRandom).unwrap());
    }
}
