//! The Go client, `clients/go`: the program that builds it, its tests, and the checks of its sources.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::cargo;
use crate::folders::workspace_root;

/// Where Go's own archive is unpacked, which is often in nobody's path.
const USUAL_PLACE: &str = "/usr/local/go/bin";

/// The checker of Go's sources, built from the module proxy once.
const STATICCHECK: &str = "honnef.co/go/tools/cmd/staticcheck@v0.8.2";

/// Go, in a version that builds the client.
pub(crate) struct Go {
    program: PathBuf,
}

impl Go {
    /// Finds it, in the path or where it is usually installed.
    ///
    /// # Errors
    /// When there is none, or one that is too old; the message says which is needed.
    pub(crate) fn find() -> Result<Self> {
        let needed = needed_version()?;
        let usual = Path::new(USUAL_PLACE).join("go");
        for program in [PathBuf::from("go"), usual] {
            let mut command = Command::new(&program);
            // Another version would be downloaded instead of an old one's being told.
            command.args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").current_dir(std::env::temp_dir());
            let Ok(output) = command.stdin(Stdio::null()).stderr(Stdio::null()).output() else { continue };
            let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match version(&found) {
                Some(version) if version >= needed => return Ok(Self { program }),
                _ => bail!(
                    "{} is {found}, and Go {}.{} or newer is needed",
                    program.display(),
                    needed.0,
                    needed.1
                ),
            }
        }
        bail!("there is no Go; Go {}.{} or newer is needed", needed.0, needed.1)
    }

    /// A call of Go in the client's folder.
    pub(crate) fn command<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(folder()).stdin(Stdio::null()).env("GOTOOLCHAIN", "local");
        command
    }

    /// The formatter that comes with it.
    pub(crate) fn gofmt(&self) -> Command {
        let mut command = Command::new(self.program.with_file_name("gofmt"));
        command.current_dir(folder()).stdin(Stdio::null());
        command
    }

    /// A call of the checker.
    pub(crate) fn staticcheck(&self) -> Command {
        self.command(["run", STATICCHECK, "./..."])
    }

    /// Builds the client's side of `cargo xtask bench --clients` as this program, and returns a call of it without its arguments.
    ///
    /// # Errors
    /// When it can't be built.
    pub(crate) fn bench(&self, program: &Path) -> Result<Command> {
        let mut build = self.command(["build", "-o"]);
        build.arg(program).arg(".").current_dir(workspace_root().join("xtask").join("bench").join("go"));
        cargo::run(&mut build).context("building xtask/bench/go")?;
        Ok(Command::new(program))
    }

    /// A call of all tests, against the server that `cargo test` has built for Rust's.
    ///
    /// # Errors
    /// When cargo does not say where it builds.
    pub(crate) fn tests(&self) -> Result<Command> {
        let programs = cargo::target_folder()?.join("debug");
        let mut command = self.command(["test", "-count=1", "-json"]);
        if has_c_compiler() {
            command.arg("-race");
        }
        command.arg("./...");
        command.env("POLARWAY_TEST_SERVER", programs.join("polarway-server"));
        Ok(command)
    }
}

/// The folder of the client's module.
pub(crate) fn folder() -> PathBuf {
    workspace_root().join("clients").join("go")
}

/// The race detector is linked by a C compiler.
fn has_c_compiler() -> bool {
    let mut command = Command::new("cc");
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The oldest version that builds the client, as its `go.mod` says.
fn needed_version() -> Result<(u32, u32)> {
    let module = folder().join("go.mod");
    let text = std::fs::read_to_string(&module).with_context(|| format!("reading {}", module.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("go "));
    line.and_then(numbers).with_context(|| format!("{} names no version of Go", module.display()))
}

/// The version in `go1.26.8`.
fn version(text: &str) -> Option<(u32, u32)> {
    numbers(text.strip_prefix("go")?)
}

fn numbers(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(version("go1.26.8"), Some((1, 26)));
        assert_eq!(version("go1.9"), Some((1, 9)));
        assert!(version("go1.9") < version("go1.26.0"));
        for text in ["", "devel", "go", "go1", "1.26"] {
            assert_eq!(version(text), None, "{text}");
        }
    }

    #[test]
    fn the_clients_module_says_which_version_it_needs() {
        assert!(needed_version().unwrap() >= (1, 26));
    }
}
