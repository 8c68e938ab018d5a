//! The Python client: ruff's rules and form, and types that mypy finds right with all of its checks.

use anyhow::{Context as _, Result};

use super::{Verdict, from_output};
use crate::folders::cache_folder;
use crate::python_client;

pub(super) fn check() -> Result<Verdict> {
    let cache = cache_folder()?;
    let python = python_client::prepare(&cache)
        .context("installing ruff and mypy, for which Python 3.11 with venv and a network are needed once")?;
    // What mypy finds out of the packages is kept beside them: the second run takes a second.
    let mypy_cache = cache.join("python-client-mypy");
    let checks: [(&str, &[&str]); 3] =
        [("ruff", &["check", "--no-cache"]), ("ruff", &["format", "--check", "--no-cache"]), ("mypy", &[])];
    for (program, arguments) in checks {
        let mut command = python_client::command(&python.program(program));
        let verdict = from_output(command.args(arguments).env("MYPY_CACHE_DIR", &mypy_cache))?;
        if !verdict.passed {
            return Ok(verdict);
        }
    }
    Ok(Verdict { passed: true, findings: String::new(), warnings: Vec::new() })
}
