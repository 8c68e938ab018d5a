//! Hundreds of calls that wait for their clients do not hold up any other call.

use futures::StreamExt as _;
use futures::future::join_all;
use polarway_client::DistributedClient;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{LoadRequest, StoreRequest};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::support::{PATIENCE, Server, Upload, channel, numbers, same, sum_of, wide};

/// More than a runtime has threads for work that blocks.
const MANY: usize = 600;

/// An upload whose client has sent some parts and says nothing more.
pub(crate) struct IdleUpload {
    parts: mpsc::Sender<StoreRequest>,
    call: JoinHandle<Result<(), Status>>,
}

impl IdleUpload {
    /// Begins an upload with the first of its parts.
    pub(crate) async fn begin(connection: &Channel, upload: Upload, parts: usize) -> Self {
        let (sender, receiver) = mpsc::channel(parts.max(1));
        for part in upload.parts.into_iter().take(parts) {
            sender.send(StoreRequest { part: Some(part) }).await.unwrap();
        }
        let requests =
            futures::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let mut service = PolarwayServiceClient::new(connection.clone());
        let call = tokio::spawn(async move { service.store(Request::new(requests)).await.map(drop) });
        Self { parts: sender, call }
    }

    /// Sends the rest, and gives the outcome.
    pub(crate) async fn end(self, parts: impl IntoIterator<Item = Part>) -> Result<(), Status> {
        for part in parts {
            // The server has given it up: the call tells why.
            if self.parts.send(StoreRequest { part: Some(part) }).await.is_err() {
                break;
            }
        }
        drop(self.parts);
        self.call.await.unwrap()
    }

    /// Whether the server still waits for it.
    pub(crate) fn is_open(&self) -> bool {
        !self.call.is_finished() && !self.parts.is_closed()
    }
}

/// Begins many uploads of many datasets, over a few connections.
pub(crate) async fn idle_uploads(server: &Server, count: usize, parts: usize) -> Vec<IdleUpload> {
    let connections = join_all((0..4).map(|_| channel(server))).await;
    let uploads = (0..count).map(|number| {
        let upload = Upload::of(&format!("idle_{number}"), &numbers(0..100));
        IdleUpload::begin(&connections[number % connections.len()], upload, parts)
    });
    join_all(uploads).await
}

/// Every kind of call is answered.
pub(crate) async fn answers(client: &DistributedClient) {
    let calls = async {
        client.store("trades", numbers(0..100)).await.unwrap();
        assert_eq!(sum_of(&client.load("trades").await.unwrap()), 4950);
        assert!(client.datasets().await.unwrap().iter().any(|dataset| dataset.name == "trades"));
        assert_eq!(client.describe("trades").await.unwrap().rows, 100);
        assert_eq!(sum_of(&client.query("SELECT sum(n)::BIGINT FROM trades").await.unwrap()), 4950);
        client.health_check().await.unwrap();
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("the calls stand still");
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_idle_uploads_hold_up_nobody() {
    let server = Server::start();
    let client = server.client().await;
    for parts in [1, 2] {
        let uploads = idle_uploads(&server, MANY, parts).await;
        // The server works on the parts that have come.
        answers(&client).await;
        answers(&client).await;
        assert!(uploads.iter().all(IdleUpload::is_open));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_uploads_go_on_where_they_stood() {
    let server = Server::start();
    let table = wide(30_000, 1);
    let (resumed, waited) = tokio::sync::broadcast::channel::<()>(1);
    let uploads: Vec<_> = (0..40)
        .map(|number| {
            let mut waited = waited.resubscribe();
            let upload = Upload::of(&format!("table_{number}"), &table);
            upload.send_with_pause(&server, async move { drop(waited.recv().await) })
        })
        .collect();
    let stored = async {
        answers(&server.client().await).await;
        resumed.send(()).unwrap();
    };
    let (stored_all, ()) = tokio::join!(join_all(uploads), stored);
    assert!(stored_all.iter().all(Result::is_ok));
    let client = server.client().await;
    assert!(same(&client.load("table_39").await.unwrap(), &table));
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_loads_that_nobody_reads_hold_up_nobody() {
    // Without a cache, each load reads the files.
    let server = Server::start_with(&["--cache-size", "0"]);
    let client = server.client().await;
    let table = wide(100_000, 1);
    client.store("flights", &table).await.unwrap();
    let mut readers = Vec::new();
    // A connection whose window is large enough for all of its streams.
    let endpoint = Endpoint::new(server.url()).unwrap().initial_connection_window_size(i32::MAX as u32);
    for _ in 0..4 {
        let mut service = PolarwayServiceClient::new(endpoint.connect().await.unwrap());
        for _ in 0..MANY / 4 {
            let request = LoadRequest { name: "flights".to_owned(), ..LoadRequest::default() };
            let mut stream = service.load(request).await.unwrap().into_inner();
            stream.next().await.unwrap().unwrap();
            readers.push(stream);
        }
    }
    answers(&client).await;
    assert!(same(&client.load("flights").await.unwrap(), &table));
    // And each can still be read.
    let mut rest = readers.swap_remove(0);
    let mut rows = 0;
    while let Some(response) = rest.next().await {
        rows += response.unwrap().chunk.map_or(0, |chunk| chunk.rows);
    }
    assert_eq!(rows, 100_000);
}
