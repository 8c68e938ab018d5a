//! Hostile SQL, sent by a client to a server that has something to hide.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use polarway_client::{DistributedClient, QueryOptions, Reason};
use polarway_testing::{Attack, attacks};
use tempfile::TempDir;

use crate::support::{FileCalls, Server, all_ended, numbers, rows_of, sum_of, until};

/// The content of the files that nobody may read.
const SECRET: &str = "the-crown-jewels";

/// The deadline of an attack that never ends by itself.
const SHORT: Duration = Duration::from_millis(700);

/// The deadline of all other attacks, which a busy machine does not reach.
const LONG: Duration = Duration::from_secs(60);

/// A server with two datasets, and what attackers are after.
struct Target {
    server: Server,
    client: DistributedClient,
    /// A folder that is not the server's, with a secret in it.
    outside: TempDir,
    /// The URLs of attacks lead here.
    listener: TcpListener,
}

impl Target {
    async fn new() -> Self {
        let server =
            Server::start_with(&["--query-memory", "0.3", "--query-temp", "0.3", "--process-memory", "2"]);
        let outside = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let client = server.client().await;
        client.store("flights", numbers(0..1000)).await.unwrap();
        client.store("flights", numbers(0..100)).await.unwrap();
        client.store("secrets.of.others", numbers(0..3)).await.unwrap();
        let target = Self { server, client, outside, listener };
        for extension in ["csv", "json", "parquet", "txt"] {
            std::fs::write(target.secret(extension), format!("{{\"a\": \"{SECRET}\"}}\n")).unwrap();
        }
        std::os::unix::fs::symlink(target.secret("txt"), target.link()).unwrap();
        target
    }

    fn secret(&self, extension: &str) -> PathBuf {
        self.outside.path().join(format!("secret.{extension}"))
    }

    fn link(&self) -> PathBuf {
        self.cold().join("link.txt")
    }

    fn cold(&self) -> PathBuf {
        self.server.folder().join("cold")
    }

    /// The text as somebody sends it who knows where everything is.
    fn text(&self, attack: &Attack) -> String {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (secret, link, cold) = (path(&self.secret("txt")), path(&self.link()), path(&self.cold()));
        let spill = path(&self.server.spill_folder());
        let port = self.listener.local_addr().unwrap().port().to_string();
        let values = [
            ("secret", secret.as_str()),
            ("link", &link),
            ("cold", &cold),
            ("spill", &spill),
            ("port", &port),
        ];
        attack.text(&values)
    }

    /// Sends an attack and gives what is wrong with the answer, if something is.
    async fn try_attack(&self, attack: &Attack, secrets: &[String]) -> Option<String> {
        let text = self.text(attack);
        let time = if attack.is_endless() { SHORT } else { LONG };
        let options = QueryOptions { time: Some(time), ..QueryOptions::default() };
        let answer = self.client.query_with(&text, options).await;
        let (reason, said) = match &answer {
            Ok(table) => ("OK", rows_of(table).join("\n")),
            Err(error) => (error.reason().map_or("no reason", Reason::as_str), error.to_string()),
        };
        let is_expected = attack.reasons.contains(&reason);
        // What the text itself has in it is no secret.
        let leaks: Vec<&String> =
            secrets.iter().filter(|secret| contains(&said, secret) && !text.contains(*secret)).collect();
        (!is_expected || !leaks.is_empty()).then(|| {
            format!(
                "line {} ({}): {text}\n  gave {reason}, told {leaks:?}: {said}",
                attack.line, attack.theme
            )
        })
    }

    /// What no answer may hold: what lies outside, where the server's files are, and how they are named.
    fn secrets(&self) -> Vec<String> {
        let folders = [self.server.folder(), self.outside.path()].map(|folder| folder.to_str().unwrap());
        let data = files_below(&self.cold().join("flights/_polarway/data"));
        // A plan is drawn as boxes, side by side, whose lines have a part of a name each.
        let parts = data.iter().flat_map(|file| {
            let name = file.file_stem().unwrap().to_str().unwrap();
            [&name[..12], &name[name.len() - 12..]].map(str::to_owned)
        });
        parts.chain([SECRET, folders[0], folders[1]].map(str::to_owned)).collect()
    }

    /// Sends all of them, asserting that each is refused as it should be, and that nothing was changed or called.
    async fn withstand(&self, attacks: &[Attack]) {
        let files = files_below(self.server.folder());
        let secrets = self.secrets();
        let mut findings = Vec::new();
        for attack in attacks {
            findings.extend(self.try_attack(attack, &secrets).await);
        }
        assert!(findings.is_empty(), "{} of {}:\n{}", findings.len(), attacks.len(), findings.join("\n"));
        all_ended(&self.client).await;
        until("an empty spill folder", async || self.server.spilled_files().is_empty().then_some(())).await;
        assert_eq!(files_below(self.server.folder()), files);
        assert_eq!(self.client.load("flights").await.unwrap().num_rows(), 100);
        assert_eq!(sum_of(&self.client.query("SELECT sum(n)::BIGINT FROM flights").await.unwrap()), 4950);
        assert_eq!(self.client.versions("flights").await.unwrap().len(), 2);
        let called = self.listener.accept().map(|(_, caller)| caller);
        assert!(
            called.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
            "a URL was followed"
        );
    }
}

/// Whether a text has a part, also where the lines of a box cut it.
fn contains(text: &str, part: &str) -> bool {
    let is_drawing = |character: char| character.is_whitespace() || ('─'..='╿').contains(&character);
    let joined: String = text.chars().filter(|character| !is_drawing(*character)).collect();
    text.contains(part) || joined.contains(part)
}

/// The files in a folder and the folders in it.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attack_is_refused_with_its_reason_and_tells_nothing() {
    Target::new().await.withstand(&attacks()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_attacked_the_server_opens_its_own_files_and_calls_nobody() {
    let target = Target::new().await;
    let Some(calls) = FileCalls::of(&target.server) else { return };
    target.withstand(&attacks()).await;
    let folder = target.server.folder().to_owned();
    let strange: Vec<String> = calls.end().into_iter().filter(|call| !is_expected(call, &folder)).collect();
    assert!(strange.is_empty(), "{}", strange.join("\n"));
}

/// Whether a call opens what a server at work opens, or opens nothing.
fn is_expected(call: &str, folder: &Path) -> bool {
    // About the process itself and the machine: memory, cores, time zones.
    const HARMLESS: [&str; 7] = [
        "/proc/self/",
        "/proc/meminfo",
        "/proc/sys/vm/overcommit_memory",
        "/proc/uptime",
        "/sys/fs/cgroup/",
        "/sys/devices/system/",
        "/usr/share/zoneinfo/",
    ];
    // How much memory the process itself takes; its id is a number.
    let is_measuring = |path: &str| {
        let parts = path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/'));
        parts.is_some_and(|(id, file)| {
            id.bytes().all(|byte| byte.is_ascii_digit()) && ["stat", "statm", "status"].contains(&file)
        })
    };
    let opens = call.starts_with("open");
    let failed = call.contains(") = -1 ");
    let path = call.split('"').nth(1).unwrap_or_default();
    opens
        && (failed
            || Path::new(path).starts_with(folder)
            || is_measuring(path)
            || HARMLESS.iter().any(|start| path.starts_with(start)))
}
