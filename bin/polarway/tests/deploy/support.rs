//! What the tests share.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The folder `deploy`.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// A file of `deploy`.
#[track_caller]
pub(crate) fn file(name: &str) -> String {
    fs::read_to_string(deploy().join(name)).unwrap_or_else(|error| panic!("deploy/{name}: {error}"))
}

/// All files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

/// Runs a program that must succeed within five minutes, and gives what it printed.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = outcome(command);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{printed}{complaint}");
    printed
}

/// Whether a program succeeds within five minutes.
pub(crate) fn succeeds(command: &Command) -> bool {
    outcome(command).status.success()
}

fn outcome(command: &Command) -> Output {
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=10", "300"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded.stdin(Stdio::null()).output().unwrap()
}

/// A program, where Debian or a person puts it; `None` where it is not installed.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The command as a client of a server, in a folder of the test's.
pub(crate) fn client(url: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polarway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POLARWAY_")) {
        command.env_remove(name);
    }
    command.env("POLARWAY_URL", url).env("POLARWAY_TIMEOUT", "120s").current_dir(folder).args(arguments);
    command
}

/// A table among the examples.
pub(crate) fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/nycflights13");
    folder.join(name).display().to_string()
}
