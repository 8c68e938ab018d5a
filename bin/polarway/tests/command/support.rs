//! The command, and a server that ends with the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_polarway");

pub(crate) fn flights_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/data/nycflights13")
}

/// The command in an environment without settings.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POLARWAY_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").args(arguments).stdin(Stdio::null());
    command
}

pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl Server {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, &[])
    }

    /// The same with more variables.
    pub(crate) fn start_with(flags: &[&str], variables: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = command(&["server", "--bind", "127.0.0.1:0"])
            .args(flags)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        log.read_line(&mut line).unwrap();
        let url = format!("http://{}", line.trim().rsplit_once("listening on ").unwrap().1);
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { process, url, folder }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("POLARWAY_URL", &self.url).current_dir(self.folder.path());
        command
    }

    /// Runs a command that must succeed, and gives what it prints.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must fail with one line on standard error, and gives that and the exit code.
    #[track_caller]
    pub(crate) fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?} succeeded");
        (output.status.code().unwrap(), said)
    }

    /// Runs a command with a pipe as its input.
    pub(crate) fn pipe(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut process = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(input).unwrap();
        process.wait_with_output().unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
