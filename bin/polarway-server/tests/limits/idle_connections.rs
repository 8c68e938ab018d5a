//! Thousands of connections at a time that do nothing: each of them takes little memory, and the others are served.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use h2::{Ping, PingPong};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::others::{assert_as_fast, client_at, query, time_of_a_call};
use crate::support::Server;

/// What the process that holds connections is told: the server's address, and how many.
const HOLD: &str = "POLARWAY_TEST_HOLD_CONNECTIONS";

/// The lines of that process: all connections are open, and all of them still answer.
const OPEN: &str = "all are open";
const ANSWERED: &str = "all have answered";

/// What the server may need for a connection: the buffers of HTTP/2, and its task.
const BYTES_PER_CONNECTION: u64 = 32 << 10;

/// Raises the limit on this process's open files to the highest possible one; whether that is at least `wanted`.
fn may_open_files(wanted: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).unwrap();
    limit.maximum.is_none_or(|most| most >= wanted)
}

/// Another process, which holds connections that do nothing.
struct Holder {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
}

impl Holder {
    fn begin(server: &Server, count: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "idle_connections::child_that_holds_connections", "--ignored", "--nocapture"])
            .env(HOLD, format!("{} {count}", server.address()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// Waits for a line of the process.
    fn says(&mut self, wanted: &str) {
        let mut lines = (&mut self.lines).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.ends_with(wanted)), "a process that holds connections failed");
    }

    /// Has it try each connection once more, and end.
    fn end(mut self) {
        drop(self.stdin.take());
        self.says(ANSWERED);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the tests below start it"]
async fn child_that_holds_connections() {
    let Ok(told) = std::env::var(HOLD) else { return };
    let (address, count) = told.split_once(' ').unwrap();
    let count: usize = count.parse().unwrap();
    assert!(may_open_files(count as u64 + 100));
    // They answer the server's pings, as every client's HTTP/2 does.
    let mut connections = JoinSet::new();
    let mut pings: Vec<PingPong> = Vec::new();
    for _ in 0..count {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, mut connection) = h2::client::handshake(stream).await.unwrap();
        let mut ping = connection.ping_pong().unwrap();
        connections.spawn(async move {
            let _requests = requests; // without this HTTP/2 would end the connection
            connection.await
        });
        // The server has accepted it, and speaks HTTP/2 on it.
        ping.ping(Ping::opaque()).await.unwrap();
        pings.push(ping);
    }
    println!("{OPEN}");
    std::io::stdout().flush().unwrap();
    let told_to_end = tokio::task::spawn_blocking(|| std::io::stdin().lines().count());
    told_to_end.await.unwrap();
    for ping in &mut pings {
        ping.ping(Ping::opaque()).await.unwrap();
    }
    println!("{ANSWERED}");
}

/// Has two processes hold this many connections each.
async fn idle_connections_are_held(of_each: usize) {
    let most = (2 * of_each + 20).to_string();
    let server = Server::start_with_one_heap(&["--connections", &most, "--connections-per-address", &most]);
    let mut other = client_at(&server, 3).await;
    let without = time_of_a_call(&mut other).await;
    let before = server.resident_bytes();
    let mut holders: Vec<Holder> = (0..2).map(|_| Holder::begin(&server, of_each)).collect();
    tokio::task::block_in_place(|| holders.iter_mut().for_each(|holder| holder.says(OPEN)));
    let grown = server.resident_bytes().saturating_sub(before);
    let with = time_of_a_call(&mut other).await;
    let mut late = client_at(&server, 4).await;
    query(&mut late, "SELECT 1").await.unwrap();
    tokio::task::block_in_place(|| holders.into_iter().for_each(Holder::end));
    query(&mut late, "SELECT 1").await.unwrap();
    let for_each = grown / (2 * of_each as u64);
    // What the calls of the others leave behind is not theirs.
    let most = 2 * of_each as u64 * BYTES_PER_CONNECTION + (16 << 20);
    assert!(grown < most, "it grew by {grown} bytes, {for_each} for each");
    if polarway_testing::is_long() {
        assert_as_fast(without, with);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_connections_at_once_that_do_nothing_take_little_memory() {
    idle_connections_are_held(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connections_at_once_take_little_memory_and_the_others_are_served_as_fast() {
    if !polarway_testing::is_long() {
        return polarway_testing::not_run("it takes most of a minute; --long runs it");
    }
    // Half of the files that the server may open are for connections.
    if !may_open_files(20_000) {
        return polarway_testing::not_run("a process may not open 20,000 files here");
    }
    idle_connections_are_held(4_990).await;
}
