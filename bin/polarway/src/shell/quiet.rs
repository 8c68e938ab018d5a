//! A terminal that does not show keys while a statement runs: they would stand in the middle of what is printed.

use std::io::stdin;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Shows keys again when it is dropped. What was typed meanwhile is not lost: the editor reads it.
pub(super) struct Quiet {
    before: Option<Termios>,
}

impl Quiet {
    /// Ctrl-C goes on to be a signal.
    pub(super) fn start() -> Self {
        let before = tcgetattr(stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            // Where it does not work, keys are shown: no more than that.
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
