//! A server process of the test's own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use polarway_client::DistributedClient;
use tempfile::TempDir;

use super::{PATIENCE, client_of};

/// A `polarway-server` on a free port; it is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    /// Removed with the server, if it is the server's own.
    folder: Option<TempDir>,
}

impl Server {
    /// A server over an empty folder of its own.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::start_as(Self::command(), flags)
    }

    /// The same in a process whose threads share one heap. glibc gives each thread a heap of its own and keeps in each what was
    /// given back, which depends on which thread did what.
    pub(crate) fn start_with_one_heap(flags: &[&str]) -> Self {
        let mut command = Self::command();
        command.env("MALLOC_ARENA_MAX", "1");
        Self::start_as(command, flags)
    }

    /// The same in a process that may have this many files open.
    pub(crate) fn start_with_open_files(most: u32) -> Self {
        let program = env!("CARGO_BIN_EXE_polarway-server");
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &most.to_string(), program]);
        Self::start_as(without_settings(shell), &[])
    }

    /// The same with more variables in its environment.
    #[allow(dead_code, reason = "not every target that has this folder uses it")]
    pub(crate) fn start_with_variables(variables: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut command = Self::command();
        command.envs(variables.iter().copied());
        Self::start_as(command, flags)
    }

    fn start_as(command: Command, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::spawn(command, folder.path(), "127.0.0.1:0", flags);
        server.folder = Some(folder);
        server
    }

    /// A server over a folder that outlives it.
    pub(crate) fn over(folder: &Path, bind: &str) -> Self {
        Self::spawn(Self::command(), folder, bind, &[])
    }

    fn spawn(mut command: Command, folder: &Path, bind: &str, flags: &[&str]) -> Self {
        let mut child = command
            .args(["--bind", bind, "--data-dir"])
            .arg(folder)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        // The first line, unless the log has more than is usual.
        let address = loop {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            log.lock().unwrap().push_str(&line);
            if let Some((_, address)) = line.trim().rsplit_once("listening on ") {
                // In a log of JSON, the message ends at a quotation mark.
                break address.split('"').next().unwrap().to_owned();
            }
            if line.is_empty() {
                let _ = child.wait();
                panic!("it does not listen:\n{}", log.lock().unwrap());
            }
        };
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, address, log, folder: None }
    }

    /// The program, in an environment without settings.
    pub(crate) fn command() -> Command {
        without_settings(Command::new(env!("CARGO_BIN_EXE_polarway-server")))
    }

    /// Runs a server that should not start, and gives its exit code and what it prints.
    pub(crate) fn fails(flags: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
        let folder = tempfile::tempdir().unwrap();
        let output = Self::command()
            .args(flags)
            .envs(variables.iter().copied())
            .current_dir(folder.path())
            .output()
            .unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) async fn client(&self) -> DistributedClient {
        client_of(self.url()).connect().await.unwrap()
    }

    /// What the log has so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log has this text.
    pub(crate) async fn logged(&self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < PATIENCE, "{text:?} is not in the log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends a signal, by its number.
    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Makes it stand still, and waits until none of its threads runs any more: on a busy machine some go on for a while.
    pub(crate) fn stop(&self) {
        self.signal("-STOP");
        let threads = format!("/proc/{}/task", self.child.id());
        let stands = |thread: io::Result<fs::DirEntry>| {
            let state = fs::read_to_string(thread.unwrap().path().join("stat"));
            // The state is behind the name, which is in parentheses.
            state.is_ok_and(|state| state.rsplit(") ").next().is_some_and(|state| state.starts_with('T')))
        };
        while !fs::read_dir(&threads).unwrap().all(stands) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What it holds in memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it has held in memory, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// How many threads it has for queries, which wait for the next one when theirs has ended, and how many others.
    pub(crate) fn threads(&self) -> (usize, usize) {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // One that ends meanwhile does not count.
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        let (queries, others): (Vec<_>, Vec<_>) = names.partition(|name| name.trim() == "polarway-query");
        (queries.len(), others.len())
    }

    /// The files that queries have spilled.
    pub(crate) fn spilled_files(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.spill_folder()).unwrap().map(|file| file.unwrap().path()).collect()
    }

    /// The folder that queries spill to.
    pub(crate) fn spill_folder(&self) -> PathBuf {
        let mut workers = std::fs::read_dir(self.folder().join("tmp")).unwrap();
        workers.next().unwrap().unwrap().path().join("spill")
    }

    /// The names of the data files of a dataset, those that are being written included.
    pub(crate) fn data_files(&self, dataset: &str) -> BTreeSet<OsString> {
        let folder = self.folder().join(format!("cold/{dataset}/_polarway/data"));
        let files = std::fs::read_dir(folder).into_iter().flatten();
        // One that is removed meanwhile does not count.
        files.filter_map(|file| Some(file.ok()?.file_name())).collect()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POLARWAY_")) {
        command.env_remove(name);
    }
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
