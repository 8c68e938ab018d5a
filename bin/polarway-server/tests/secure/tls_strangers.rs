//! Unexpected bytes sent to a port with TLS: other clients are still served.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{PATIENCE, Server};
use crate::tls_certificates::SecureServer;

/// Sends bytes, and returns what the server sends until it closes the connection.
async fn answer(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset also ends the connection.
    let reading = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(PATIENCE, reading).await.expect("the server does not close it");
    answer
}

/// The beginning of a handshake: a record that says it has more bytes than these.
const BEGUN: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

#[tokio::test(flavor = "multi_thread")]
async fn garbage_ends_its_connection_and_no_other() {
    let secure = SecureServer::start();
    let client = secure.client().await;
    for garbage in
        [&b"\x16\x03\x01\xff\xff"[..], b"\x16\x03\x01\x00\x04garbage", &[0x16; 5000], b"\0", &[0xff; 100]]
    {
        let mut garbage = garbage.to_vec();
        garbage.resize(garbage.len().max(20_000), 0);
        answer(secure.server.address(), &garbage).await;
        client.health_check().await.unwrap();
    }
    secure.client().await.health_check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_are_slow_or_given_up_hold_up_nobody_and_are_ended() {
    let secure = SecureServer::start();
    let mut slow = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(secure.server.address()).await.unwrap();
        stream.write_all(&BEGUN[..number % (BEGUN.len() + 1)]).await.unwrap();
        slow.push(stream);
    }
    // Half of them are closed.
    slow.truncate(100);
    for _ in 0..5 {
        secure.client().await.health_check().await.unwrap();
    }
    for mut stream in slow {
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(PATIENCE, reading).await.expect("it is not ended");
    }
    secure.client().await.health_check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_count_as_connections_and_make_room_when_they_end() {
    let secure = SecureServer::start_with(&["--connections", "10"]);
    let mut slow = Vec::new();
    for _ in 0..10 {
        let mut stream = TcpStream::connect(secure.server.address()).await.unwrap();
        stream.write_all(BEGUN).await.unwrap();
        slow.push(stream);
    }
    assert!(secure.builder().connect().await.is_err(), "there is room for ten");
    secure.server.logged("connections were turned away").await;
    drop(slow);
    secure.builder().connect_lazily().unwrap().health_check().await.unwrap();
}

#[tokio::test]
async fn http_1_is_answered_in_its_own_words_where_tls_is_spoken() {
    let secure = SecureServer::start();
    let said = answer(secure.server.address(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("use https://"), "{said}");
}

#[tokio::test]
async fn http_2_in_the_clear_is_ended_with_the_reason() {
    let secure = SecureServer::start();
    let said = answer(secure.server.address(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    // A GOAWAY with INADEQUATE_SECURITY.
    let text = String::from_utf8_lossy(&said);
    assert!(text.contains("\0\0\0\x0cthis server speaks TLS: use https://"), "{text:?}");
}

#[tokio::test]
async fn a_handshake_in_the_clear_is_answered_and_not_left_to_wait() {
    let server = Server::start();
    let said = String::from_utf8(answer(server.address(), BEGUN).await).unwrap();
    assert!(said.contains("This server does not speak TLS"), "{said}");
    server.client().await.health_check().await.unwrap();
}
