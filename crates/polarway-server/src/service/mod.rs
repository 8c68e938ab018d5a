//! The methods of `polarway.v1.PolarwayService`. Each has the same steps: unpack, call the engine, convert.
//!
//! [`Service`] makes a [`Call`] for each request, and passes it to its method.

mod answer;
mod arrivals;
mod datasets;
mod handles;
mod joined;
mod load;
mod query;
mod store;
mod upload;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use http::Response;
use polarway_core::{EngineChoice, Polarway};
use polarway_proto::transport::{End, PLAIN_BYTES, Received};
use polarway_proto::v1::Failure;
use polarway_proto::{Method, rpc};
use tokio::time::Instant;
use tonic::body::Body;

use self::answer::{one, streaming, unary};
use self::arrivals::{Arrivals, Budgets};
use self::worker::Worker;
use crate::auth::Requester;
use crate::call::Call;
use crate::config::ServerConfig;
use crate::limits::InFlight;
use crate::metrics::Metrics;
use crate::peers::PeerView;
use crate::traces::TraceParent;

/// The service of one engine.
pub(crate) struct Service {
    engine: Polarway,
    worker: Worker,
    upload_silence: Duration,
    message_bytes: usize,
    /// For queries that do not choose.
    query_engine: EngineChoice,
    metrics: Arc<Metrics>,
    in_flight: InFlight,
}

impl Service {
    /// The methods over this engine.
    pub(crate) fn new(
        engine: Polarway,
        config: &ServerConfig,
        metrics: Arc<Metrics>,
        peers: Option<PeerView>,
    ) -> Self {
        let in_flight = InFlight::new(&config.limits, engine.memory().capacity());
        let (upload_silence, message_bytes) =
            (config.upload_silence, config.limits.chunk_bytes + PLAIN_BYTES);
        let worker = Worker::starting_now(peers);
        let query_engine = config.query_engine;
        Self { engine, worker, upload_silence, message_bytes, query_engine, metrics, in_flight }
    }

    /// Begins a call of this caller.
    ///
    /// # Errors
    /// Too many calls are in flight.
    pub(crate) fn begin(
        &self,
        requester: Requester,
        deadline: Option<Instant>,
        trace: Option<TraceParent>,
    ) -> Result<Call, Failure> {
        let address = requester.origin.from.map(|address| address.ip());
        let place = self.in_flight.enter(&requester.caller, address)?;
        Ok(Call {
            engine: requester.engine_in_call(&self.engine, trace.as_ref().map(TraceParent::header)),
            deadline,
            metrics: Arc::clone(&self.metrics),
            origin: requester.origin,
            trace,
            place,
        })
    }

    /// Calls a method.
    pub(crate) async fn answer(&self, method: Method, call: Call, body: Body) -> Response<Body> {
        match method {
            Method::Store => {
                let (engine, caller) = (call.engine.memory().clone(), call.place.memory().clone());
                let budgets = Budgets { engine, caller };
                let arrivals = Arrivals::none(&budgets);
                let body = arrivals.count(body, budgets);
                let requests = Received::new(body, End::Nothing).at_most(self.message_bytes);
                one(store::store(&call, requests, arrivals, self.upload_silence).await)
            }
            Method::Load => streaming::<rpc::Load>(body, async |request| Ok(load::load(call, request))).await,
            Method::Query => {
                let default = self.query_engine;
                streaming::<rpc::Query>(body, async |request| query::query(call, request, default).await)
                    .await
            }
            Method::CreateHandle => {
                let default = self.query_engine;
                streaming::<rpc::CreateHandle>(body, async |request| {
                    Ok(handles::create(call, request, default))
                })
                .await
            }
            Method::GetHandle => {
                unary::<rpc::GetHandle>(body, async |request| handles::get(&call, request).await).await
            }
            Method::ListHandles => {
                unary::<rpc::ListHandles>(body, async |request| handles::list(&call, request).await).await
            }
            Method::ExtendHandle => {
                unary::<rpc::ExtendHandle>(body, async |request| handles::extend(&call, request).await).await
            }
            Method::DropHandle => {
                unary::<rpc::DropHandle>(body, async |request| handles::drop(&call, request).await).await
            }
            Method::ListDatasets => {
                unary::<rpc::ListDatasets>(body, async |request| datasets::list(&call, request).await).await
            }
            Method::GetDataset => {
                unary::<rpc::GetDataset>(body, async |request| datasets::get(&call, request).await).await
            }
            Method::ListVersions => {
                unary::<rpc::ListVersions>(body, async |request| {
                    datasets::list_versions(&call, request).await
                })
                .await
            }
            Method::DeleteDataset => {
                unary::<rpc::DeleteDataset>(body, async |request| datasets::delete(&call, request).await)
                    .await
            }
            Method::ListQueries => {
                unary::<rpc::ListQueries>(body, async |_| query::list(&call, &self.worker)).await
            }
            Method::CancelQuery => {
                unary::<rpc::CancelQuery>(body, async |request| query::cancel(&call, &request)).await
            }
            Method::GetCacheStats => {
                unary::<rpc::GetCacheStats>(body, async |_| worker::cache_stats(&call)).await
            }
            Method::GetServerInfo => {
                unary::<rpc::GetServerInfo>(body, async |_| self.worker.info(&call)).await
            }
        }
    }
}
