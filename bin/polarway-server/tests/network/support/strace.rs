//! What a server opens and whom it calls, as strace sees it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use polarway_testing::not_run;
use tempfile::NamedTempFile;

use super::Server;

/// The calls that open files, connect, or start programs.
const CALLS: &str = "trace=open,openat,openat2,creat,connect,execve";

/// strace, watching a server.
pub(crate) struct FileCalls {
    strace: Child,
    log: NamedTempFile,
}

impl FileCalls {
    /// Watches a server from now on. `None` where that is not possible, which is then noted as the reason why the test is not
    /// run.
    pub(crate) fn of(server: &Server) -> Option<Self> {
        let log = NamedTempFile::new().unwrap();
        let process = server.process_id().to_string();
        let started = Command::new("strace")
            .args(["-f", "-e", CALLS, "-e", "signal=none", "-o"])
            .arg(log.path())
            .args(["-p", &process])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let attached = started.map(|mut strace| {
            let mut said = BufReader::new(strace.stderr.take().unwrap());
            let mut first = String::new();
            said.read_line(&mut first).unwrap();
            // What it prints about later threads must not fill the pipe.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            (Self { strace, log }, first)
        });
        match attached {
            Ok((calls, first)) if first.contains("attached") => return Some(calls),
            Ok((_, first)) => not_run(&format!("strace can't watch the server: {first}")),
            Err(error) => not_run(&format!("strace does not run: {error}")),
        }
        None
    }

    /// Ends it and gives the calls, each as strace writes it, without the number of its thread.
    pub(crate) fn end(mut self) -> Vec<String> {
        let ended = Command::new("kill").args(["-INT", &self.strace.id().to_string()]).status().unwrap();
        assert!(ended.success());
        self.strace.wait().unwrap();
        let log = std::fs::read_to_string(self.log.path()).unwrap();
        let calls = log.lines().filter_map(|line| line.split_once(' ')).map(|(_, call)| call.trim_start());
        calls.filter(|call| !call.starts_with(['+', '-', '<'])).map(str::to_owned).collect()
    }
}

impl Drop for FileCalls {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}
