//! Peers that compress their messages, as ordinary gRPC clients can be told to do.

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use h2::client::SendRequest;
use http::HeaderMap;
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{GetDatasetRequest, LoadRequest, QueryRequest, StoreRequest};
use polarway_proto::{FILE_DESCRIPTOR_SET, Reason};
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::net::TcpStream;
use tonic::{Code, Status};

use crate::support::{Server, Upload, numbers, reason_of};

/// Where every method of the server is: ours, and that of health.
fn paths() -> Vec<String> {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    let services = files.iter().flat_map(|file| file.service.iter().map(move |service| (file, service)));
    let mut paths: Vec<String> = services
        .flat_map(|(file, service)| {
            let methods = service.method.iter();
            methods.map(move |method| format!("/{}.{}/{}", file.package(), service.name(), method.name()))
        })
        .collect();
    assert_eq!(paths.len(), 16);
    paths.push("/grpc.health.v1.Health/Check".to_owned());
    paths
}

/// The message as a peer sends it that compresses with gzip: a flag, a length, and the bytes.
fn compressed(message: &impl Message) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&message.encode_to_vec()).unwrap();
    framed(1, &encoder.finish().unwrap())
}

fn framed(flag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flag][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// A connection that says what this test wants, byte for byte.
struct Peer {
    requests: SendRequest<Bytes>,
    authority: String,
}

impl Peer {
    async fn of(server: &Server) -> Self {
        let authority = server.url().trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&authority).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self { requests: requests.ready().await.unwrap(), authority }
    }

    /// The headers of the answer, and the status in them or behind the messages.
    async fn call(&mut self, path: &str, encoding: Option<&str>, body: Vec<u8>) -> (HeaderMap, Status) {
        let mut request = http::Request::post(format!("http://{}{path}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(encoding) = encoding {
            request = request.header("grpc-encoding", encoding);
        }
        let (response, mut sending) = self.requests.send_request(request.body(()).unwrap(), false).unwrap();
        // The server may have refused it for its headers and need no more of it.
        let _ = sending.send_data(body.into(), true);
        let (head, mut body) = response.await.unwrap().into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return (head.headers, status);
        }
        while let Some(data) = body.data().await {
            body.flow_control().release_capacity(data.unwrap().len()).unwrap();
        }
        let trailers = body.trailers().await.unwrap().unwrap();
        (head.headers, Status::from_header_map(&trailers).unwrap())
    }
}

#[track_caller]
fn assert_refused_with_what_is_accepted(what: &str, (headers, status): &(HeaderMap, Status), encoding: &str) {
    assert_eq!(status.code(), Code::Unimplemented, "{what}: {status:?}");
    let accepted = headers.get("grpc-accept-encoding");
    assert_eq!(accepted.map(|accepted| accepted.to_str().unwrap()), Some("identity"), "{what}");
    assert_eq!(reason_of(status), Reason::UnsupportedEncoding, "{what}: {status:?}");
    assert!(status.message().contains(encoding), "{what}: {status:?}");
}

#[tokio::test]
async fn every_method_tells_a_peer_that_compresses_which_encodings_there_are() {
    let server = Server::start();
    server.client().await.store("t", numbers(0..3)).await.unwrap();
    let mut peer = Peer::of(&server).await;
    for path in paths() {
        for encoding in ["gzip", "zstd", "snappy"] {
            let answer = peer.call(&path, Some(encoding), compressed(&LoadRequest::default())).await;
            assert_refused_with_what_is_accepted(&path, &answer, encoding);
        }
    }
    server.client().await.health_check().await.unwrap();
}

#[tokio::test]
async fn real_compressed_requests_are_refused_and_change_nothing() {
    let server = Server::start();
    let client = server.client().await;
    client.store("t", numbers(0..3)).await.unwrap();
    let mut peer = Peer::of(&server).await;

    let upload: Vec<u8> = Upload::of("t", &numbers(0..1000))
        .parts
        .into_iter()
        .flat_map(|part: Part| compressed(&StoreRequest { part: Some(part) }))
        .collect();
    let get = GetDatasetRequest { name: "t".to_owned(), ..GetDatasetRequest::default() };
    let load = LoadRequest { name: "t".to_owned(), ..LoadRequest::default() };
    let query = QueryRequest { sql: "FROM t".to_owned(), ..QueryRequest::default() };
    for (method, body) in [
        ("GetDataset", compressed(&get)),
        ("Store", upload),
        ("Load", compressed(&load)),
        ("Query", compressed(&query)),
    ] {
        let path = format!("/polarway.v1.PolarwayService/{method}");
        let answer = peer.call(&path, Some("gzip"), body).await;
        assert_refused_with_what_is_accepted(method, &answer, "gzip");
    }
    assert_eq!(client.versions("t").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_peer_that_says_identity_is_answered() {
    let server = Server::start();
    server.client().await.store("t", numbers(0..3)).await.unwrap();
    let mut peer = Peer::of(&server).await;
    for (method, message) in [
        ("GetDataset", GetDatasetRequest { name: "t".to_owned(), ..Default::default() }.encode_to_vec()),
        ("Load", LoadRequest { name: "t".to_owned(), ..Default::default() }.encode_to_vec()),
        ("Query", QueryRequest { sql: "FROM t".to_owned(), ..Default::default() }.encode_to_vec()),
    ] {
        let path = format!("/polarway.v1.PolarwayService/{method}");
        let (_, status) = peer.call(&path, Some("identity"), framed(0, &message)).await;
        assert_eq!(status.code(), Code::Ok, "{method}: {status:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_flagged_as_compressed_without_an_encoding_is_malformed() {
    let server = Server::start();
    let mut peer = Peer::of(&server).await;
    for path in paths() {
        for encoding in [None, Some("identity")] {
            let (_, status) = peer.call(&path, encoding, compressed(&LoadRequest::default())).await;
            assert_eq!(reason_of(&status), Reason::MalformedMessage, "{path}: {status:?}");
        }
    }
}
