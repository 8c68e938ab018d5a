//! Readers that take a kilobyte now and then: what they don't read is not made, and the others are served.

use polarway_proto::v1::{LoadRequest, QueryRequest};
use prost::Message as _;
use tokio::net::TcpStream;

use crate::others::{client_at, head_of_call, query};
use crate::support::{Server, wide};

/// Rows of about 40 MB: many times more than what may wait for a reader.
const ROWS: i64 = 500_000;

/// A call whose answer is read a kilobyte at a time.
struct SlowCall {
    body: h2::RecvStream,
    _requests: h2::client::SendRequest<bytes::Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

impl SlowCall {
    async fn begin(server: &Server, method: &str, message: Vec<u8>) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        // The windows of HTTP/2 are a kilobyte, so the server can send no more at a time.
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 10);
        let (requests, connection) = builder.handshake(stream).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut requests = requests.ready().await.unwrap();
        let request = head_of_call(server, method);
        let (answer, mut body) = requests.send_request(request, false).unwrap();
        let mut framed = vec![0];
        framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        framed.extend(message);
        body.send_data(framed.into(), true).unwrap();
        let body = answer.await.unwrap().into_body();
        Self { body, _requests: requests, connection }
    }

    /// Takes the next bytes, a kilobyte at the most.
    async fn read(&mut self) -> usize {
        let bytes = self.body.data().await.expect("there is more").unwrap().len();
        self.body.flow_control().release_capacity(bytes).unwrap();
        bytes
    }
}

impl Drop for SlowCall {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_kilobyte_at_a_time_hold_little_and_keep_nobody_from_being_served() {
    let server = Server::start_with_one_heap(&["--cache-size", "0", "--query-memory", "0.2"]);
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let kept = client.query_handle("FROM flights").await.unwrap();
    let before = server.resident_bytes();
    let load = |name: &str| LoadRequest { name: name.to_owned(), ..LoadRequest::default() }.encode_to_vec();
    let sql = "SELECT a.* FROM flights AS a, range(1000)".to_owned();
    let endless = QueryRequest { sql, ..QueryRequest::default() }.encode_to_vec();
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(SlowCall::begin(&server, "Load", load("flights")).await);
        slow.push(SlowCall::begin(&server, "Load", load(kept.id())).await);
        slow.push(SlowCall::begin(&server, "Query", endless.clone()).await);
    }
    let mut other = client_at(&server, 3).await;
    for _ in 0..5 {
        for call in &mut slow {
            assert!((1..=1 << 10).contains(&call.read().await));
        }
        query(&mut other, "SELECT 1").await.unwrap();
        assert_eq!(client.load("flights").await.unwrap().num_rows() as i64, ROWS);
        assert_eq!(client.load(kept.id()).await.unwrap().num_rows() as i64, ROWS);
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 700 << 20, "it grew by {} MiB", grown >> 20);
}
