//! Where random bits come from.

use std::fmt::Debug;
use std::io;

/// Gives random bits that nobody can guess: to know the id of a handle is to be allowed to use it.
pub trait RandomSource: Send + Sync + Debug {
    /// Fills these bytes.
    ///
    /// # Errors
    /// There are no random bits to give.
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
