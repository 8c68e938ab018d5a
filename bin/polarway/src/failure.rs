//! How a command fails: one line that says what is wrong and what to do.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::process::ExitCode;

use crate::output::OutputError;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// What the command line means by wrong usage.
const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
    /// Whoever read our output has read enough: that is no failure.
    is_closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1, is_closed_pipe: false }
    }

    /// Arguments that don't go together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: USAGE, ..Self::new(message) }
    }

    /// Tells it, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if self.is_closed_pipe {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {}", self.message.trim_end());
        ExitCode::from(self.exit_code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Every error becomes a failure with all that caused it, told once.
impl<E: StdError + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !message.contains(&words) {
                message = format!("{message}: {words}");
            }
            cause = error.source();
        }
        let output = (&error as &dyn Any).downcast_ref::<OutputError>();
        Self { is_closed_pipe: output.is_some_and(OutputError::is_closed_pipe), ..Self::new(message) }
    }
}
