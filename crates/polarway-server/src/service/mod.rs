//! The methods of `polarway.v1.PolarwayService`. Each has one shape: unpack, call the engine, convert.

mod arrivals;
mod bulk;
mod datasets;
mod deadline;
mod handles;
mod load;
mod query;
mod store;
mod upload;
mod worker;

pub(crate) use bulk::BulkService;

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use polarway_core::Polarway;
use polarway_proto::WithHeartbeats;
use polarway_proto::server::PolarwayService;
use polarway_proto::v1::{
    CancelQueryRequest, CancelQueryResponse, CreateHandleRequest, CreateHandleResponse, DeleteDatasetRequest,
    DeleteDatasetResponse, DropHandleRequest, DropHandleResponse, ExtendHandleRequest, ExtendHandleResponse,
    Failure, GetCacheStatsRequest, GetCacheStatsResponse, GetDatasetRequest, GetDatasetResponse,
    GetHandleRequest, GetHandleResponse, GetServerInfoRequest, GetServerInfoResponse, ListDatasetsRequest,
    ListDatasetsResponse, ListHandlesRequest, ListHandlesResponse, ListQueriesRequest, ListQueriesResponse,
    ListVersionsRequest, ListVersionsResponse, LoadRequest, LoadResponse, QueryRequest, QueryResponse,
    StoreRequest, StoreResponse,
};
use tonic::{Request, Response, Status, Streaming};

use self::arrivals::Arrivals;
use self::worker::Worker;

/// The service over one engine.
pub(crate) struct Service {
    engine: Polarway,
    worker: Worker,
    upload_silence: Duration,
}

impl Service {
    pub(crate) fn new(engine: Polarway, upload_silence: Duration) -> Self {
        Self { engine, worker: Worker::starting_now(), upload_silence }
    }
}

type Responses<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// The responses, with a heartbeat for each second in which there is none.
fn beating<M: Default + Send + 'static>(
    responses: impl Stream<Item = Result<M, Status>> + Send + 'static,
) -> Responses<M> {
    Box::pin(WithHeartbeats::new(Box::pin(responses), || Ok(M::default())))
}

fn respond<M>(answer: Result<M, Failure>) -> Result<Response<M>, Status> {
    answer.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl PolarwayService for Service {
    type LoadStream = Responses<LoadResponse>;
    type QueryStream = Responses<QueryResponse>;
    type CreateHandleStream = Responses<CreateHandleResponse>;

    async fn store(
        &self,
        request: Request<Streaming<StoreRequest>>,
    ) -> Result<Response<StoreResponse>, Status> {
        let arrivals = Arrivals::none(self.engine.memory());
        respond(store::store(&self.engine, request.into_inner(), arrivals, self.upload_silence).await)
    }

    async fn load(&self, request: Request<LoadRequest>) -> Result<Response<Self::LoadStream>, Status> {
        Ok(Response::new(load::load(self.engine.clone(), request.into_inner())))
    }

    async fn query(&self, request: Request<QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let deadline = deadline::deadline(request.metadata());
        query::query(&self.engine, request.into_inner(), deadline).await.map(Response::new)
    }

    async fn create_handle(
        &self,
        request: Request<CreateHandleRequest>,
    ) -> Result<Response<Self::CreateHandleStream>, Status> {
        let deadline = deadline::deadline(request.metadata());
        Ok(Response::new(handles::create(self.engine.clone(), request.into_inner(), deadline)))
    }

    async fn get_handle(
        &self,
        request: Request<GetHandleRequest>,
    ) -> Result<Response<GetHandleResponse>, Status> {
        respond(handles::get(&self.engine, request.into_inner()).await)
    }

    async fn list_handles(
        &self,
        request: Request<ListHandlesRequest>,
    ) -> Result<Response<ListHandlesResponse>, Status> {
        respond(handles::list(&self.engine, request.into_inner()).await)
    }

    async fn extend_handle(
        &self,
        request: Request<ExtendHandleRequest>,
    ) -> Result<Response<ExtendHandleResponse>, Status> {
        respond(handles::extend(&self.engine, request.into_inner()).await)
    }

    async fn drop_handle(
        &self,
        request: Request<DropHandleRequest>,
    ) -> Result<Response<DropHandleResponse>, Status> {
        respond(handles::drop(&self.engine, request.into_inner()).await)
    }

    async fn list_datasets(
        &self,
        request: Request<ListDatasetsRequest>,
    ) -> Result<Response<ListDatasetsResponse>, Status> {
        respond(datasets::list(&self.engine, request.into_inner()).await)
    }

    async fn get_dataset(
        &self,
        request: Request<GetDatasetRequest>,
    ) -> Result<Response<GetDatasetResponse>, Status> {
        respond(datasets::get(&self.engine, request.into_inner()).await)
    }

    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        respond(datasets::list_versions(&self.engine, request.into_inner()).await)
    }

    async fn delete_dataset(
        &self,
        request: Request<DeleteDatasetRequest>,
    ) -> Result<Response<DeleteDatasetResponse>, Status> {
        respond(datasets::delete(&self.engine, request.into_inner()).await)
    }

    async fn list_queries(
        &self,
        _request: Request<ListQueriesRequest>,
    ) -> Result<Response<ListQueriesResponse>, Status> {
        respond(Ok(query::list(&self.engine, &self.worker)))
    }

    async fn cancel_query(
        &self,
        request: Request<CancelQueryRequest>,
    ) -> Result<Response<CancelQueryResponse>, Status> {
        respond(query::cancel(&self.engine, request.get_ref()))
    }

    async fn get_cache_stats(
        &self,
        _request: Request<GetCacheStatsRequest>,
    ) -> Result<Response<GetCacheStatsResponse>, Status> {
        respond(Ok(worker::cache_stats(&self.engine)))
    }

    async fn get_server_info(
        &self,
        _request: Request<GetServerInfoRequest>,
    ) -> Result<Response<GetServerInfoResponse>, Status> {
        respond(Ok(self.worker.info()))
    }
}
