//! Workers and coordinators as processes of their own, which can be killed and stopped: this test program, started again.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;

use url::Url;

use crate::answers::numbers;
use crate::losses::scanned;
use crate::support::{Peer, found};

/// What the started program does: `worker`, `stuck` (a worker whose reads never end) or `coordinator`.
const ROLE: &str = "POLARWAY_TEST_ROLE";
const ROOT: &str = "POLARWAY_TEST_ROOT";
const WORKERS: &str = "POLARWAY_TEST_WORKERS";

/// A process that ends with the test.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: Url,
    _output: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub(crate) fn start(role: &str, root: &Path, workers: &[Url]) -> Self {
        let workers: Vec<_> = workers.iter().map(Url::as_str).collect();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "process::a_process_of_its_own_plays_its_role", "--nocapture"])
            .env(ROLE, role)
            .env(ROOT, root)
            .env(WORKERS, workers.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "the process has ended");
            // The test harness begins the line.
            if let Some((_, url)) = line.split_once("serves ") {
                break url.trim().parse().unwrap();
            }
        };
        Self { child, url, _output: output }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_of_its_own_plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let root = std::env::var(ROOT).unwrap();
    let peer = Peer::start(Path::new(&root)).await;
    peer.files.is_stuck.store(role == "stuck", Ordering::SeqCst);
    println!("serves {}", peer.url);
    if role == "coordinator" {
        let workers = std::env::var(WORKERS).unwrap();
        let workers = workers.split(',').map(|url| url.parse().unwrap()).collect();
        let mut rows =
            peer.worker.run(scanned(&found(Path::new(&root), "numbers", &numbers(0, 1).schema())), workers);
        while rows.next().await.is_some() {}
    }
    // Ends when the test does, which holds the other end.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await.unwrap();
}
