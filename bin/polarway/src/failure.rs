//! The failure of a command: one line that says what is wrong and what to do.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::process::ExitCode;

use arrow_schema::ArrowError;
use polarway_server::NewTokenError;
use polarway_server::settings::SettingsError;
use tokio::task::JoinError;

use crate::color;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// The exit code for wrong usage.
const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    exit_code: u8,
    /// The reader of our output has closed it. That is not a failure.
    is_closed_pipe: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1, is_closed_pipe: false }
    }

    /// That whoever read the output has read enough.
    pub(crate) fn closed_pipe(message: impl Into<String>) -> Self {
        Self { is_closed_pipe: true, ..Self::new(message) }
    }

    /// Arguments that don't go together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: USAGE, ..Self::new(message) }
    }

    /// A failure of the statement that begins at this line of a script.
    pub(crate) fn at_line(self, line: usize) -> Self {
        Self { message: format!("line {line}: {}", self.message), ..self }
    }

    /// Prints it, and returns the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        self.tell();
        if self.is_closed_pipe { ExitCode::SUCCESS } else { ExitCode::from(self.exit_code) }
    }

    /// Prints it, and does not end the program.
    pub(crate) fn tell(&self) {
        if self.is_closed_pipe {
            return;
        }
        let label = if color::is_wanted() { "\x1b[1;31merror:\x1b[0m" } else { "error:" };
        eprintln!("{label} {}", self.message.trim_end());
    }
}

/// Prints a warning.
pub(crate) fn warn(message: &str) {
    let label = if color::is_wanted() { "\x1b[1;33mwarning:\x1b[0m" } else { "warning:" };
    eprintln!("{label} {message}");
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<polarway::Error> for Failure {
    fn from(error: polarway::Error) -> Self {
        // Its messages are complete; the errors that it wraps say the same in the words of libraries.
        match (error.reason(), error.request_id()) {
            // The server's log tells more about a bug.
            (Some(polarway::Reason::Internal), Some(id)) => Self::new(format!("{error} (request {id})")),
            _ => Self::new(error.to_string()),
        }
    }
}

/// Errors of libraries, each with all its causes.
macro_rules! from_errors {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(with_causes(&error))
            }
        })*
    };
}

from_errors!(io::Error, ArrowError, JoinError, NewTokenError, SettingsError);

/// An error with all its causes, each once, on one line.
pub(crate) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let mut message = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        // Arrow wraps errors of others, and adds nothing to them.
        if let Some(ArrowError::ExternalError(_)) = error.downcast_ref() {
            continue;
        }
        let words = on_one_line(&error.to_string());
        if message.is_empty() {
            message = words;
        } else if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
    }
    message
}

fn on_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}

/// The message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
