//! A server over an engine whose door refuses.

use std::sync::Arc;

use futures::StreamExt as _;
use polarway_core::{AccessPolicy, Action, Caller, Polarway, Target};
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::{
    CancelQueryRequest, CreateHandleRequest, DeleteDatasetRequest, DropHandleRequest, ExtendHandleRequest,
    GetCacheStatsRequest, GetDatasetRequest, GetHandleRequest, GetServerInfoRequest, ListDatasetsRequest,
    ListHandlesRequest, ListQueriesRequest, ListVersionsRequest, LoadRequest, QueryRequest, StoreRequest,
    StoreResponse, store_result,
};
use polarway_proto::{Method, Reason};
use polarway_server::ServerConfig;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;

use crate::support::{Upload, numbers, reason_of};

/// Lets the program itself do everything, and nobody who comes over the network anything.
#[derive(Debug)]
struct NobodyFromOutside;

impl AccessPolicy for NobodyFromOutside {
    fn allows(&self, caller: &Caller, _action: Action, _target: Target<'_>) -> bool {
        caller.name() == "program"
    }
}

/// A server in this process, over an engine with a dataset `t` and a handle.
struct Refusing {
    url: String,
    engine: Polarway,
    handle: String,
    /// Dropped, it ends the server.
    _running: oneshot::Sender<()>,
    _folder: TempDir,
}

impl Refusing {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(folder.path());
        config.bind = "127.0.0.1:0".parse().unwrap();
        let builder = Polarway::builder(config.engine.clone()).access_policy(Arc::new(NobodyFromOutside));
        let engine = builder.open().await.unwrap();
        let program = engine.on_behalf_of(Caller::named("program"));
        program.store("t", numbers(0..3)).await.unwrap();
        let handle = program.query_handle("SELECT 42").await.unwrap().handle.id.to_string();
        let server = polarway_server::Server::over(engine, config).await.unwrap();
        let url = format!("http://{}", server.local_addr());
        let (running, ended) = oneshot::channel::<()>();
        tokio::spawn(server.run(async { drop(ended.await) }));
        Self { url, engine: program, handle, _running: running, _folder: folder }
    }

    async fn channel(&self) -> Channel {
        Endpoint::new(self.url.clone()).unwrap().connect().await.unwrap()
    }
}

/// What a stream comes to.
async fn all<M>(responses: Result<Response<Streaming<M>>, Status>) -> Result<(), Status> {
    let mut responses = responses?.into_inner();
    while responses.message().await?.is_some() {}
    Ok(())
}

/// What the only table of an upload came to.
fn only(response: Response<StoreResponse>) -> Result<(), Status> {
    match response.into_inner().results.remove(0).outcome.unwrap() {
        store_result::Outcome::Published(_) => Ok(()),
        store_result::Outcome::Failure(failure) => Err(failure.into()),
    }
}

async fn call(
    client: &mut PolarwayServiceClient<Channel>,
    method: Method,
    handle: &str,
) -> Result<(), Status> {
    let (name, handle_id, sql) = ("t".to_owned(), handle.to_owned(), "SELECT 42".to_owned());
    match method {
        Method::Store => {
            let parts = Upload::of("t", &numbers(0..3)).parts.into_iter();
            let requests = parts.map(|part| StoreRequest { part: Some(part) }).collect::<Vec<_>>();
            only(client.store(Request::new(futures::stream::iter(requests))).await?)
        }
        Method::Load => all(client.load(LoadRequest { name, ..LoadRequest::default() }).await).await,
        Method::Query => all(client.query(QueryRequest { sql, ..QueryRequest::default() }).await).await,
        Method::CreateHandle => {
            all(client.create_handle(CreateHandleRequest { sql, ..CreateHandleRequest::default() }).await)
                .await
        }
        Method::GetHandle => client.get_handle(GetHandleRequest { handle_id }).await.map(drop),
        Method::ListHandles => client.list_handles(ListHandlesRequest::default()).await.map(drop),
        Method::ExtendHandle => {
            client.extend_handle(ExtendHandleRequest { handle_id, ttl_us: None }).await.map(drop)
        }
        Method::DropHandle => client.drop_handle(DropHandleRequest { handle_id }).await.map(drop),
        Method::ListDatasets => client.list_datasets(ListDatasetsRequest::default()).await.map(drop),
        Method::GetDataset => {
            client.get_dataset(GetDatasetRequest { name, ..GetDatasetRequest::default() }).await.map(drop)
        }
        Method::ListVersions => client
            .list_versions(ListVersionsRequest { name, ..ListVersionsRequest::default() })
            .await
            .map(drop),
        Method::DeleteDataset => client
            .delete_dataset(DeleteDatasetRequest { name, ..DeleteDatasetRequest::default() })
            .await
            .map(drop),
        Method::ListQueries => client.list_queries(ListQueriesRequest::default()).await.map(drop),
        Method::CancelQuery => {
            client.cancel_query(CancelQueryRequest { query_id: "none".to_owned() }).await.map(drop)
        }
        Method::GetCacheStats => client.get_cache_stats(GetCacheStatsRequest::default()).await.map(drop),
        Method::GetServerInfo => client.get_server_info(GetServerInfoRequest::default()).await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_but_health_and_reflection_passes_a_door_that_refuses_all() {
    let server = Refusing::start().await;
    let mut client = PolarwayServiceClient::new(server.channel().await);
    for method in Method::ALL {
        let refused = call(&mut client, *method, &server.handle).await.expect_err(method.name());
        // What may not be read looks as if it were not there.
        let reason = reason_of(&refused);
        let expected = match method {
            Method::Load | Method::GetDataset | Method::ListVersions | Method::DeleteDataset => {
                Reason::UnknownDataset
            }
            _ => Reason::PermissionDenied,
        };
        assert_eq!(reason, expected, "{method:?}: {refused:?}");
    }
    assert_eq!(server.engine.versions("t").await.unwrap().len(), 1, "nothing was changed");
    assert_eq!(server.engine.handles().await.unwrap().len(), 1);

    let mut health = HealthClient::new(server.channel().await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status().as_str_name(), "SERVING");
    let mut reflection = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { message_request: Some(list), ..Default::default() };
    let responses = reflection.server_reflection_info(futures::stream::iter([request])).await;
    assert!(responses.unwrap().into_inner().next().await.unwrap().is_ok());
}
