//! Every method of the client, called at workers that fail.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::join_all;
use polarway_client::{DistributedClient, Error, ErrorKind, Reason};
use polarway_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::FileDescriptorSet;

use crate::support::{Server, Trouble, Troubled, numbers};

/// Far more than any call here takes: a call that is not over by then has no bound.
const FOR_EVER: Duration = Duration::from_secs(120);

type Outcome = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A way to call a method of the protocol.
struct Way {
    method: &'static str,
    call: fn(DistributedClient) -> Outcome,
}

/// A handle that no worker has.
const HANDLE: &str = "h_aaaaaaaaaaaaaaaaaaaaaaaaaa";

macro_rules! ways {
    ($($method:literal => |$client:ident| $call:expr;)*) => {
        [$(Way {
            method: $method,
            call: |$client| Box::pin(async move { $call.map(drop) }),
        }),*]
    };
}

fn ways() -> impl Iterator<Item = Way> {
    ways! {
        "Store" => |client| client.store("stored", numbers(0..3)).await;
        "Store" => |client| client.append("t", numbers(0..3)).await;
        "Store" => |client| client.store_batch([("a", numbers(0..3)), ("b", numbers(0..3))]).await
            .and_then(|results| results.into_iter().collect::<Result<Vec<_>, _>>());
        "Load" => |client| client.load("t").await;
        "Load" => |client| match client.load_stream("t").await {
            Ok(stream) => stream.collect::<Vec<_>>().await.into_iter().collect::<Result<Vec<_>, _>>(),
            Err(error) => Err(error),
        };
        "Query" => |client| client.query("SELECT 42").await;
        "Query" => |client| match client.query_stream("SELECT 42").await {
            Ok(stream) => stream.collect::<Vec<_>>().await.into_iter().collect::<Result<Vec<_>, _>>(),
            Err(error) => Err(error),
        };
        "CreateHandle" => |client| client.query_handle("SELECT 42").await;
        "GetHandle" => |client| unless_unknown(client.handle(HANDLE).await.map(drop), Reason::UnknownHandle);
        "ListHandles" => |client| client.handles().await;
        "ExtendHandle" => |client|
            unless_unknown(client.extend_handle(HANDLE, None).await.map(drop), Reason::UnknownHandle);
        "DropHandle" => |client| unless_unknown(client.drop_handle(HANDLE).await, Reason::UnknownHandle);
        "ListDatasets" => |client| client.datasets().await;
        "GetDataset" => |client| client.describe("t").await;
        "ListVersions" => |client| client.versions("t").await;
        "DeleteDataset" => |client| unless_unknown(client.delete("none").await.map(drop), Reason::UnknownDataset);
        "ListQueries" => |client| client.queries().await;
        "CancelQuery" => |client| unless_unknown(client.cancel_query("none").await, Reason::UnknownQuery);
        "GetCacheStats" => |client| client.cache_stats().await;
        "GetServerInfo" => |client| client.server_info().await;
        "Check" => |client| client.health_check().await;
    }
    .into_iter()
}

/// A worker that works refuses such a call for this reason.
fn unless_unknown(outcome: Result<(), Error>, unknown: Reason) -> Result<(), Error> {
    outcome.or_else(|error| if error.reason() == Some(unknown) { Ok(()) } else { Err(error) })
}

fn client_of(urls: &[String], timeout: Duration) -> DistributedClient {
    DistributedClient::builder().urls(urls).timeout(timeout).connect_lazily().unwrap()
}

#[test]
fn every_method_of_the_protocol_has_a_way_to_be_called_here() {
    let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
    let services = files.iter().flat_map(|file| &file.service);
    let methods = services.flat_map(|service| &service.method).map(|method| method.name());
    let called: BTreeSet<&str> = ways().map(|way| way.method).collect();
    for method in methods {
        assert!(called.contains(method), "{method} is not called");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_waits_for_a_worker_in_trouble_beyond_the_timeout() {
    for trouble in Trouble::ALL {
        let worker = Troubled::start(trouble).await;
        let calls = ways().map(async |way| {
            let client = client_of(&[worker.url()], Duration::from_secs(2));
            let outcome = tokio::time::timeout(FOR_EVER, (way.call)(client)).await;
            let Ok(outcome) = outcome else { panic!("{} waits for ever: {trouble:?}", way.method) };
            let error = outcome.expect_err(way.method);
            let is_told = match trouble {
                Trouble::Busy => error.reason() == Some(Reason::ResourceExhausted),
                _ => matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::TimedOut),
            };
            assert!(is_told, "{} at a worker that is {trouble:?}: {error:?}", way.method);
        });
        join_all(calls).await;
        assert!(worker.calls() >= ways().count(), "{trouble:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_finds_the_worker_that_answers() {
    let server = Server::start();
    server.client().await.store("t", numbers(0..3)).await.unwrap();
    let server = &server;
    // These two ask all workers, and fail when one does not answer.
    let asks_one = |way: &Way| !["ListQueries", "CancelQuery"].contains(&way.method);
    let all =
        Trouble::ALL.into_iter().flat_map(|trouble| ways().filter(asks_one).map(move |way| (trouble, way)));
    let calls = all.map(async |(trouble, way)| {
        let worker = Troubled::start(trouble).await;
        // A client begins with any of its workers: with enough clients one begins with the one in trouble.
        for _ in 0..64 {
            let client = client_of(&[worker.url(), server.url()], Duration::from_secs(60));
            let outcome = tokio::time::timeout(FOR_EVER, (way.call)(client)).await;
            let Ok(outcome) = outcome else { panic!("{} waits for ever: {trouble:?}", way.method) };
            assert!(outcome.is_ok(), "{} with a worker that is {trouble:?}: {outcome:?}", way.method);
            if worker.calls() > 0 {
                return;
            }
        }
        panic!("no client began with the worker in trouble");
    });
    join_all(calls).await;
}
