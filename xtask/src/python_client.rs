//! The Python client, `clients/python`: an environment with what it needs, and its tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::cargo;
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
    command.current_dir(folder()).stdin(Stdio::null());
    command
}

/// The folder that has the client's package.
pub(crate) fn source() -> PathBuf {
    folder().join("src")
}

fn folder() -> PathBuf {
    workspace_root().join("clients").join("python")
}

/// The variable by which the tests know the server's program.
const SERVER_VARIABLE: &str = "POLARWAY_TEST_SERVER";

/// A call of all tests, against the server that `cargo test` has built for Rust's.
///
/// # Errors
/// When cargo does not say where it builds.
pub(crate) fn tests(python: &Python) -> Result<Command> {
    let server = cargo::target_folder()?.join("debug").join("polarway-server");
    let mut command = command(&python.interpreter);
    command.args(["-m", "pytest", "--quiet"]).env(SERVER_VARIABLE, server);
    Ok(command)
}
