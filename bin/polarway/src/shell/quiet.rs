//! Turns off the terminal's echo while a statement runs: typed keys would appear inside the output.

use std::io::stdin;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Turns the echo on again when dropped. Typed keys are not lost: the editor reads them.
pub(super) struct Quiet {
    before: Option<Termios>,
}

impl Quiet {
    /// Ctrl-C still sends a signal.
    pub(super) fn start() -> Self {
        let before = tcgetattr(stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            // If it fails, keys are shown, which does no harm.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &quiet);
        }
        Self { before }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
