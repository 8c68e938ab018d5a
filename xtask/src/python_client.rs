//! The Python client, `clients/python`: an environment with what it needs, and its tests.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::folders::workspace_root;
use crate::python::Python;

/// Installs what the client needs, and what tests and checks it, into `cache` if it isn't there.
///
/// # Errors
/// When there is no Python with `venv`, or a package can't be installed.
pub(crate) fn prepare(cache: &Path) -> Result<Python> {
    Python::prepare(cache, "python-client-venv", "python-client-requirements.txt")
}

/// A call of a program in the client's folder.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace_root().join("clients").join("python")).stdin(Stdio::null());
    command
}

/// A call of all tests.
pub(crate) fn tests(python: &Python) -> Command {
    let mut command = command(&python.interpreter);
    command.args(["-m", "pytest", "--quiet"]);
    command
}
