//! A bucket that stalls: calls end at their deadlines, and leave nothing behind.

use std::time::{Duration, Instant};

use bytes::{BufMut as _, BytesMut};
use futures::future::join_all;
use polarway_cloud::{Action, Request};
use polarway_proto::Reason;
use polarway_proto::v1::{CreateHandleRequest, ListDatasetsRequest, LoadRequest, QueryRequest, StoreRequest};
use prost::Message as _;
use tokio::net::TcpStream;
use tonic::Status;

use crate::observed::Observed;
use crate::place::Place;
use crate::support::{Upload, numbers, reason_of, rows_of, scattered, sum_of, until};

/// The deadline of each call.
const DEADLINE: Duration = Duration::from_secs(2);

/// When a call must have ended, on a machine that is busy. It is less than the time after which a silent bucket is given up.
const MUCH_LATER: Duration = Duration::from_secs(25);

/// More than is read of a file in one request.
const ROWS: usize = 300_000;

/// How long the bucket is silent.
const FOR_EVER: Duration = Duration::from_secs(600);

/// Makes a call to its end, and gives why it failed. Only the server holds its deadline: a client that holds it as well would
/// hide how the server does.
async fn ended(worker: &Observed, method: &str, name: &str) -> Status {
    let name = name.to_owned();
    let sql = format!("SELECT sum(n) FROM {name}");
    let messages = match method {
        "Load" => vec![LoadRequest { name, ..LoadRequest::default() }.encode_to_vec()],
        "Query" => vec![QueryRequest { sql, ..QueryRequest::default() }.encode_to_vec()],
        "CreateHandle" => vec![CreateHandleRequest { sql, ..CreateHandleRequest::default() }.encode_to_vec()],
        "ListDatasets" => vec![ListDatasetsRequest::default().encode_to_vec()],
        _ => {
            let parts = Upload::of(&name, &numbers(0..100)).parts.into_iter();
            parts.map(|part| StoreRequest { part: Some(part) }.encode_to_vec()).collect()
        }
    };
    let mut body = BytesMut::new();
    for message in messages {
        body.put_u8(0); // it is not compressed
        body.put_u32(message.len() as u32);
        body.put_slice(&message);
    }
    let stream = TcpStream::connect(worker.server.address()).await.unwrap();
    let (requests, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request =
        http::Request::post(format!("{}/polarway.v1.PolarwayService/{method}", worker.server.url()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", format!("{}S", DEADLINE.as_secs()))
            .body(())
            .unwrap();
    let (response, mut sending) = requests.ready().await.unwrap().send_request(request, false).unwrap();
    sending.send_data(body.freeze(), true).unwrap();
    let (head, mut body) = response.await.unwrap().into_parts();
    while let Some(data) = body.data().await {
        let length = data.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    Status::from_header_map(&head.headers).or_else(|| Status::from_header_map(&trailers)).expect("a status")
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_over_a_bucket_that_stalls_end_at_their_deadlines_and_leave_no_request_behind() {
    join_all(Place::all().iter().map(calls_end)).await;
}

async fn calls_end(place: &Place) {
    // A worker asks for itself whether the bucket can be reached, and counts the handles for its metrics.
    let is_own =
        |request: &Request| ["polarway-probe", "state"].iter().any(|part| request.target.contains(part));
    let silent = move |_: &Request| Action::Stall(FOR_EVER);
    let stuck = move |request: &Request| match request.method.as_str() {
        "GET" => Action::StallBody(0.5, FOR_EVER),
        _ => Action::Stall(FOR_EVER),
    };
    let data_stuck = move |request: &Request| match request.target.contains("data") {
        true if request.is_read() => Action::StallBody(0.5, FOR_EVER),
        // The answer to an upload has no body. Removals are waited for to the end, so they may not stall here.
        true if request.method == "PUT" => Action::Stall(FOR_EVER),
        _ => Action::Pass,
    };
    const ALL: [&str; 5] = ["Store", "Load", "Query", "CreateHandle", "ListDatasets"];
    type Decide = fn(&Request) -> Action;
    let troubles: [(&str, Decide, &[&str]); 3] = [
        ("no headers", silent, &ALL),
        ("half a body", stuck, &ALL),
        // A query that has begun to read shares its requests with others, so they end by themselves.
        ("half of the data", data_stuck, &ALL[..2]),
    ];
    // Another worker stores them, so that this one knows nothing of them.
    let other = place.worker(&[]).await;
    let client = other.server.client().await;
    for (how, decide, methods) in troubles {
        let worker = place.worker(&["--cache-size", "0"]).await;
        worker.page_when("/readyz", 200).await;
        client.store("small", scattered(10)).await.unwrap();
        client.store("large", scattered(ROWS as i64)).await.unwrap();
        place.now(move |request| if is_own(request) { Action::Pass } else { decide(request) });
        let calls = methods.iter().flat_map(|method| {
            ["small", "large"].map(|name| {
                let (worker, scheme) = (&worker, place.scheme());
                async move {
                    let began = Instant::now();
                    let status = ended(worker, method, name).await;
                    let took = began.elapsed();
                    let what = format!("{scheme}, {how}: {method} of {name} after {took:?}");
                    assert_eq!(reason_of(&status), Reason::DeadlineExceeded, "{what}: {status:?}");
                    assert!(took >= DEADLINE && took < MUCH_LATER, "{what}");
                }
            })
        });
        join_all(calls).await;
        let quiet = |samples: &crate::observed::Samples| {
            samples.sum("polarway_grpc_requests_in_flight") == 0.0
                && samples.value("polarway_queries_running") == 0.0
        };
        worker.metrics_when("no call in flight", quiet).await;
        until("the end of all requests", async || (place.stalled() == 0).then_some(())).await;
        place.heal();
        let client = worker.server.client().await;
        assert_eq!(client.load("large").await.unwrap().num_rows(), ROWS);
        client.store("small", numbers(0..10)).await.unwrap();
        assert_eq!(sum_of(&client.load("small").await.unwrap()), 45);
        worker.page_when("/readyz", 200).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_over_data_that_stalls_end_at_their_deadlines_and_later_ones_are_answered() {
    join_all(Place::all().iter().map(queries_end)).await;
}

async fn queries_end(place: &Place) {
    let other = place.worker(&[]).await;
    other.server.client().await.store("large", scattered(ROWS as i64)).await.unwrap();
    let worker = place.worker(&[]).await;
    place.now(|request| match request.target.contains("data") {
        true => Action::StallBody(0.5, FOR_EVER),
        false => Action::Pass,
    });
    for method in ["Query", "CreateHandle"] {
        let began = Instant::now();
        let status = ended(&worker, method, "large").await;
        let what = format!("{}: {method} after {:?}", place.scheme(), began.elapsed());
        assert_eq!(reason_of(&status), Reason::DeadlineExceeded, "{what}: {status:?}");
        assert!(began.elapsed() < MUCH_LATER, "{what}");
    }
    let quiet = |samples: &crate::observed::Samples| samples.sum("polarway_grpc_requests_in_flight") == 0.0;
    worker.metrics_when("no call in flight", quiet).await;
    place.heal();
    let client = worker.server.client().await;
    let counted = client.query("SELECT count(n) AS count FROM large").await.unwrap();
    assert_eq!(rows_of(&counted), [ROWS.to_string()], "{}", place.scheme());
}
