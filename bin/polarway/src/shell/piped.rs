//! The shell without a terminal: runs the statements of a script until one fails.

use std::io;

use super::script::Script;
use super::session::{Next, Session};
use crate::failure::{Failure, Result};

/// Runs the script from standard input.
pub(super) async fn run(mut session: Session) -> Result<()> {
    let mut script = Script::new(io::stdin().lock());
    loop {
        let step = tokio::task::block_in_place(|| script.next());
        let step = step.map_err(|error| Failure::new(format!("the script can't be read: {error}")))?;
        let Some(step) = step else { return Ok(()) };
        match session.run(&step.text).await {
            Ok(Next::GoOn) => {}
            Ok(Next::Leave) => return Ok(()),
            Err(failure) => return Err(failure.at_line(step.line)),
        }
    }
}
