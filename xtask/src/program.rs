//! Other programs, run to their end.

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a program without input, and gives what it printed.
///
/// # Errors
/// It can't be started, or fails; the message has the last line that it printed as an error.
pub(crate) fn output_of(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("{program} can't be started"))?;
    if !output.status.success() {
        let printed = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed: {}", printed.trim().lines().last().unwrap_or("it printed nothing"));
    }
    Ok(output)
}
