//! The HTTP port and hostile clients.

use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::observed::Observed;
use crate::support::Server;

/// Sends bytes, and returns all that the server sends.
async fn answer_to(observed: &Observed, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(observed.http_address()).await.unwrap();
    // A server that refuses the first bytes may close the connection before all bytes are sent.
    let _ = stream.write_all(sent).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn strange_requests_are_refused_and_harm_nobody() {
    let observed = Observed::start(&[]).await;
    let large = format!("GET /metrics HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(64 << 10));
    let many = format!("GET /metrics HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(1_000));
    let cases: [(&[u8], &str); 6] = [
        (b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 404"),
        (b"POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 405"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n", "HTTP/1.1 404"),
        (large.as_bytes(), "HTTP/1.1 431"),
        (many.as_bytes(), "HTTP/1.1 431"),
        (b"\x16\x03\x01 no HTTP at all\r\n\r\n", "HTTP/1.1 400"),
    ];
    for (sent, expected) in cases {
        let answer = answer_to(&observed, sent).await;
        assert!(answer.starts_with(expected), "{expected}: {answer:?}");
    }
    assert_eq!(observed.page("/healthz").await.0, 200);
}

#[tokio::test]
async fn connections_that_say_nothing_and_readers_that_take_nothing_keep_nobody_out() {
    let observed = Observed::start(&[]).await;
    let mut held = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(observed.http_address()).await.unwrap();
        match number % 3 {
            0 => {}
            1 => stream.write_all(b"GET /metrics HT").await.unwrap(),
            _ => stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap(),
        }
        held.push(stream);
    }
    assert_eq!(observed.page("/healthz").await.0, 200);
    observed
        .metrics_when("the end of most of them", |samples| samples.value("process_open_fds") < 200.0)
        .await;
}

#[tokio::test]
async fn without_the_flag_there_is_no_http_port_and_one_that_is_taken_is_named() {
    let plain = Server::start();
    assert!(!plain.log().contains("metrics and probes"), "{}", plain.log());
    let observed = Observed::start(&[]).await;
    let port = observed.http_address().rsplit_once(':').unwrap().1.to_owned();
    let folder = tempfile::tempdir().unwrap();
    let second = Server::command()
        .args(["--bind", "127.0.0.1:0", "--metrics=true", "--metrics-port", &port, "--data-dir"])
        .arg(folder.path())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("--metrics-port"), "{said}");
}
