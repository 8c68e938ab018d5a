//! Readers that read a kilobyte now and then: what they don't read is not produced, and the others are served.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::join_all;
use polarway_proto::v1::{LoadRequest, QueryRequest};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Interval;

use crate::others::{assert_as_fast, client_at, head_of_call, query, time_of_a_call};
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
    /// The windows of HTTP/2 are a kilobyte, so the server can send no more at a time.
    async fn begin(server: &Server, method: &str, message: Vec<u8>) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        Self::begin_on(stream, 1 << 10, server, method, message).await
    }

    async fn begin_on(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        window: u32,
        server: &Server,
        method: &str,
        message: Vec<u8>,
    ) -> Self {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(window.max(1 << 16));
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

/// The input of a connection of which a kilobyte is read in a second. HTTP/2 lets the server send all it has; only TCP holds it back.
struct KilobyteASecond {
    input: OwnedReadHalf,
    seconds: Interval,
    /// How many times something was read.
    reads: watch::Sender<u32>,
}

impl KilobyteASecond {
    async fn connect(server: &Server, reads: watch::Sender<u32>) -> Join<Self, OwnedWriteHalf> {
        let socket = TcpSocket::new_v4().unwrap();
        // What the system keeps for a reader would be many kilobytes.
        socket.set_recv_buffer_size(1 << 12).unwrap();
        let stream = socket.connect(server.address().parse().unwrap()).await.unwrap();
        let (input, output) = stream.into_split();
        let seconds = tokio::time::interval(Duration::from_secs(1));
        tokio::io::join(Self { input, seconds, reads }, output)
    }
}

impl AsyncRead for KilobyteASecond {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.seconds.poll_tick(context));
        let mut kilobyte = [0; 1 << 10];
        let room = kilobyte.len().min(buffer.remaining());
        let mut piece = ReadBuf::new(&mut kilobyte[..room]);
        ready!(Pin::new(&mut self.input).poll_read(context, &mut piece))?;
        buffer.put_slice(piece.filled());
        self.reads.send_modify(|reads| *reads += 1);
        Poll::Ready(Ok(()))
    }
}

impl Drop for SlowCall {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn load(name: &str) -> Vec<u8> {
    LoadRequest { name: name.to_owned(), ..LoadRequest::default() }.encode_to_vec()
}

fn query_of_many_rows() -> Vec<u8> {
    let sql = "SELECT a.* FROM flights AS a, range(1000)".to_owned();
    QueryRequest { sql, ..QueryRequest::default() }.encode_to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_kilobyte_at_a_time_hold_little_and_keep_nobody_from_being_served() {
    let server = Server::start_with_one_heap(&["--cache-size", "0", "--query-memory", "0.2"]);
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let kept = client.query_handle("FROM flights").await.unwrap();
    let before = server.resident_bytes();
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(SlowCall::begin(&server, "Load", load("flights")).await);
        slow.push(SlowCall::begin(&server, "Load", load(kept.id())).await);
        slow.push(SlowCall::begin(&server, "Query", query_of_many_rows()).await);
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

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_tcp_holds_to_a_kilobyte_a_second_hold_little_and_keep_nobody_from_being_served() {
    let server = Server::start_with_one_heap(&["--query-memory", "0.2"]);
    let client = server.client().await;
    client.store("flights", wide(ROWS, 1)).await.unwrap();
    let kept = client.query_handle("FROM flights").await.unwrap();
    client.load("flights").await.unwrap();
    let mut other = client_at(&server, 3).await;
    let without = time_of_a_call(&mut other).await;
    let before = server.resident_bytes();
    let flights = load("flights");
    let calls = [("Load", flights), ("Load", load(kept.id())), ("Query", query_of_many_rows())];
    let begin = async |(method, message): &(&str, Vec<u8>)| {
        let (sender, reads) = watch::channel(0);
        let stream = KilobyteASecond::connect(&server, sender).await;
        (SlowCall::begin_on(stream, i32::MAX as u32, &server, method, message.clone()).await, reads)
    };
    let mut slow = join_all((0..8).flat_map(|_| &calls).map(begin)).await;
    let seconds = if polarway_testing::is_long() { 20 } else { 4 };
    for second in 1..=seconds {
        for (_, reads) in &mut slow {
            reads.wait_for(|reads| *reads >= second).await.expect("it is still read");
        }
        query(&mut other, "SELECT 1").await.unwrap();
    }
    let with = time_of_a_call(&mut other).await;
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "it grew by {} MiB", grown >> 20);
    if polarway_testing::is_long() {
        assert_as_fast(without, with);
    }
}
