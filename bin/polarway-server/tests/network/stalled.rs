//! Requests of which only a part arrives end in time, whatever the method.

use std::future::poll_fn;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use polarway_proto::Reason;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::transport::Channel;

use crate::support::{Server, channel, numbers, reason_of, sum_of};

/// A message of 100 bytes of which 12 have come, the start of a name or a text.
const START: &[u8] = b"\0\0\0\0\x64\x0a\x60flights";

/// Sends the start of a request, and gives what is answered.
async fn answer(channel: &Channel, path: &str, start: &'static [u8]) -> Status {
    let sent = stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(start)))]);
    send(channel, path, Body::new(StreamBody::new(sent.chain(stream::pending())))).await
}

/// Sends a body as it is, and gives what is answered.
pub(crate) async fn send(channel: &Channel, path: &str, body: Body) -> Status {
    let mut channel = channel.clone();
    let request = http::Request::post(format!("http://polarway{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let response = channel.call(request).await.unwrap();
    let status = Status::from_header_map(response.headers());
    let trailers = response.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
    status.or_else(|| Status::from_header_map(&trailers)).expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_stays_a_part_is_given_up_whatever_the_method() {
    let server = Server::start_with(&["--upload-silence", "300ms"]);
    let channel = channel(&server).await;
    for method in [
        "Query",
        "Load",
        "GetDataset",
        "ListVersions",
        "DeleteDataset",
        "CreateHandle",
        "CancelQuery",
        "Store",
    ] {
        for start in [START, &START[..3], b""] {
            let status = answer(&channel, &format!("/polarway.v1.PolarwayService/{method}"), start).await;
            assert_eq!(
                reason_of(&status),
                Reason::UploadStalled,
                "{method}, {} bytes: {status:?}",
                start.len()
            );
        }
    }
    let status = answer(&channel, "/grpc.health.v1.Health/Check", START).await;
    assert_eq!(reason_of(&status), Reason::UploadStalled);
    server.client().await.store("flights", numbers(0..10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_says_that_it_is_long_is_refused_before_it_has_come() {
    const CLAIM: &[u8] = b"\0\x03\xc0\0\0\x0a\xf6\xff\xff\x1dflights, and so on for many more bytes than a name may ever have, as it is";
    let server = Server::start();
    let client = server.client().await;
    client.store("flights", numbers(0..10)).await.unwrap();
    let channel = channel(&server).await;
    for method in ["Query", "Load", "GetDataset", "ListDatasets", "CreateHandle", "Store"] {
        let status = answer(&channel, &format!("/polarway.v1.PolarwayService/{method}"), CLAIM).await;
        assert_eq!(reason_of(&status), Reason::MessageTooLarge, "{method}: {status:?}");
    }
    assert_eq!(sum_of(&client.load("flights").await.unwrap()), 45);
}
