//! Every method of the protocol, called with the generated client.

use polarway_proto::Method;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::{
    CancelQueryRequest, CreateHandleRequest, DeleteDatasetRequest, DropHandleRequest, ExtendHandleRequest,
    GetCacheStatsRequest, GetDatasetRequest, GetHandleRequest, GetServerInfoRequest, ListDatasetsRequest,
    ListHandlesRequest, ListQueriesRequest, ListVersionsRequest, LoadRequest, QueryRequest, StoreRequest,
    StoreResponse, store_result,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::{Upload, numbers};

/// The generated client, which sends a token if it has one.
pub(crate) type Client = PolarwayServiceClient<InterceptedService<Channel, Bearer>>;

/// Adds a token to each request.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A client over a connection.
pub(crate) fn client_over(channel: Channel, token: Option<&str>) -> Client {
    let token = token.map(|token| format!("Bearer {token}").parse().unwrap());
    PolarwayServiceClient::with_interceptor(channel, Bearer(token))
}

/// What calls are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) dataset: &'a str,
    pub(crate) handle: &'a str,
    pub(crate) query: &'a str,
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

/// Calls a method about these things. The match does not compile until a new method has its call here.
pub(crate) async fn call(client: &mut Client, method: Method, subject: Subject<'_>) -> Result<(), Status> {
    let Subject { dataset, handle, query } = subject;
    let (name, handle_id, sql) = (dataset.to_owned(), handle.to_owned(), "SELECT 42".to_owned());
    match method {
        Method::Store => {
            let parts = Upload::of(dataset, &numbers(0..3)).parts.into_iter();
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
            client.cancel_query(CancelQueryRequest { query_id: query.to_owned() }).await.map(drop)
        }
        Method::GetCacheStats => client.get_cache_stats(GetCacheStatsRequest::default()).await.map(drop),
        Method::GetServerInfo => client.get_server_info(GetServerInfoRequest::default()).await.map(drop),
    }
}
