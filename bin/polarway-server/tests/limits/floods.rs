//! Floods of HTTP/2 frames that no client of ours sends, from a peer that keeps to no limit and reads no answer.

use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;

use crate::connections::{BEGINNING, connect_from};
use crate::others::{client_at, query};
use crate::support::{PATIENCE, Server};

/// Kinds of frames (RFC 9113, section 6), and the flag of headers that are whole.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// How many times a flood repeats itself, unless its connection ends before.
const REPEATS: u32 = 20_000;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, as HPACK (RFC 7541) writes them without a table.
fn head_of_upload() -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let method_and_scheme = vec![0x83, 0x86];
    let path = [vec![0x04], text("/polarway.v1.PolarwayService/Store")].concat();
    let authority = [vec![0x01], text("localhost")].concat();
    let content_type = [vec![0x0f, 0x10], text("application/grpc")].concat();
    let te = [vec![0x00], text("te"), text("trailers")].concat();
    [method_and_scheme, path, authority, content_type, te].concat()
}

/// The number of a client's stream.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn begin_call(number: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream(number), &head_of_upload())
}

/// What a peer sends, and sends again.
struct Flood {
    what: &'static str,
    begin: Vec<u8>,
    repeated: fn(u32) -> Vec<u8>,
    /// Whether its connection is closed for it.
    is_closed: bool,
}

impl Flood {
    fn new(what: &'static str, repeated: fn(u32) -> Vec<u8>) -> Self {
        Self { what, begin: Vec::new(), repeated, is_closed: true }
    }

    fn beginning_with(self, begin: Vec<u8>) -> Self {
        Self { begin, ..self }
    }

    fn that_stays_open(self) -> Self {
        Self { is_closed: false, ..self }
    }

    /// Sends it, until the server closes the connection if it does.
    async fn send(&self, connection: &mut OwnedWriteHalf) -> std::io::Result<()> {
        connection.write_all(&[BEGINNING, &self.begin].concat()).await?;
        for number in 0..REPEATS {
            connection.write_all(&(self.repeated)(number)).await?;
        }
        Ok(())
    }
}

fn floods() -> Vec<Flood> {
    vec![
        Flood::new("calls beyond those that a connection may have", begin_call),
        Flood::new("calls that are given up at once", |number| {
            [begin_call(number), frame(RST_STREAM, 0, stream(number), &[0, 0, 0, 8])].concat()
        }),
        Flood::new("calls that the server has to reset, as their windows grow too far", |number| {
            [begin_call(number), frame(WINDOW_UPDATE, 0, stream(number), &[0x7f, 0xff, 0xff, 0xff])].concat()
        }),
        Flood::new("headers without end", |number| {
            let header = [&[0, 8][..], format!("x{number:07}").as_bytes(), &[100], &[b'a'; 100]].concat();
            frame(CONTINUATION, 0, 1, &header)
        })
        .beginning_with(frame(HEADERS, 0, 1, &head_of_upload())),
        Flood::new("messages in pieces of nothing", |_| frame(DATA, 0, 1, &[])).beginning_with(begin_call(0)),
        // HTTP/2 answers these in few bytes each, and keeps nothing of them.
        Flood::new("pings", |_| frame(PING, 0, 0, &[0; 8])).that_stays_open(),
        Flood::new("settings", |_| frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])).that_stays_open(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_frames_take_little_memory_and_keep_nobody_from_being_served() {
    let server = Server::start_with_one_heap(&[]);
    let mut other = client_at(&server, 3).await;
    query(&mut other, "SELECT 1").await.unwrap();
    let before = server.resident_bytes();
    for reads_answers in [false, true] {
        for flood in floods() {
            let (what, is_closed) = (flood.what, flood.is_closed);
            let (mut answers, mut connection) = connect_from(&server, 2).await.unwrap().into_split();
            let sending = tokio::spawn(async move {
                let _ = flood.send(&mut connection).await; // the server may have closed it
                connection
            });
            let reading = tokio::spawn(async move {
                match reads_answers {
                    true => tokio::io::copy(&mut answers, &mut tokio::io::sink()).await,
                    false => std::future::pending().await,
                }
            });
            for _ in 0..100 {
                query(&mut other, "SELECT 1").await.unwrap();
            }
            if reads_answers {
                let ended = async {
                    let _connection = sending.await.unwrap();
                    if is_closed {
                        let _ = reading.await.unwrap(); // or reset, which ends it as well
                    }
                };
                tokio::time::timeout(PATIENCE, ended).await.expect(what);
            } else {
                // It may be stuck, as the server reads no more while its answers are not read.
                sending.abort();
                reading.abort();
            }
            let grown = server.peak_bytes().saturating_sub(before);
            assert!(grown < 128 << 20, "{what}: it grew by {} MiB", grown >> 20);
        }
    }
    query(&mut other, "SELECT 1").await.unwrap();
}
