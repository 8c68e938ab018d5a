//! A query that this worker takes part in, from its coordinator's call to the end of that call.

use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion_distributed::{Worker as Tasks, WorkerQueryContext, WorkerSessionBuilder};
use futures::Stream;
use futures::stream::{StreamExt as _, once};
use http::{Request, Response};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tracing::Span;
use url::Url;
use uuid::Uuid;

use super::Shared;
use super::part::{PART, Part};
use super::plan_check::OnlyPinnedPlans;
use crate::census::Counted;
use crate::channels::QueryChannels;
use crate::keep::Place;
use crate::session;
use crate::store::PinnedStore;
use crate::wire::{JoinRequest, Joined};
use polarway_model::HandleId;
use polarway_query::PinnedFile;

/// datafusion-distributed's methods, for one query.
pub(super) type TaskService = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A query that runs here. It has tasks, files and memory of its own, so dropping it leaves nothing.
pub(crate) struct RunningQuery {
    url: Url,
    tasks: Tasks,
    service: TaskService,
    /// It lives as long as any operator of the query.
    runtime: Weak<RuntimeEnv>,
    stopped: CancellationToken,
    why: OnceLock<Why>,
    span: Span,
    _counted: Counted,
}

impl std::fmt::Debug for RunningQuery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RunningQuery")
            .field("url", &self.url)
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

/// Why a query ended here.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// Its coordinator has left it.
    Left,
    /// Its time is over.
    Late,
}

impl RunningQuery {
    /// The URL by which the other workers of the query know this one.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Cancelled when the query ends here.
    pub(crate) fn stopped(&self) -> &CancellationToken {
        &self.stopped
    }

    /// The span of the lines that the log has about it.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn service(&self) -> TaskService {
        self.service.clone()
    }

    fn stop(&self, why: Why) {
        let _ = self.why.set(why);
        self.stopped.cancel();
    }

    /// What a call of this query is answered after its end.
    pub(super) fn ended(&self) -> Status {
        match self.why.get() {
            Some(Why::Late) => Status::deadline_exceeded("the query did not end before its deadline"),
            Some(Why::Left) | None => Status::cancelled("the query's coordinator has left it"),
        }
    }
}

/// Makes the session of each task. It does not hold the query, which holds it.
struct TaskSessions {
    shared: Arc<Shared>,
    store: Arc<PinnedStore>,
    stopped: CancellationToken,
    channels: QueryChannels,
    /// Where the result is kept, if it is.
    place: Option<Arc<Place>>,
}

#[async_trait::async_trait]
impl WorkerSessionBuilder for TaskSessions {
    async fn build_session_state(
        &self,
        context: WorkerQueryContext,
    ) -> Result<SessionState, DataFusionError> {
        let (partitions, functions) = (self.shared.spread.partitions, &self.shared.functions);
        let check = OnlyPinnedPlans {
            store: Arc::clone(&self.store),
            stopped: self.stopped.clone(),
            counters: Arc::clone(self.shared.counters()),
            place: self.place.clone(),
        };
        Ok(session::worker(context.builder, partitions, functions, self.channels.clone(), check))
    }
}

/// A worker's part in a query. When it is dropped, the query is over here.
struct Lease {
    shared: Arc<Shared>,
    id: Uuid,
    query: Arc<RunningQuery>,
    began: Instant,
    _slot: OwnedSemaphorePermit,
    _observed: Option<Box<dyn Any + Send + Sync>>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.shared.queries.lock().remove(&self.id);
        self.query.stop(Why::Left);
        let (ms, is_late) =
            (self.began.elapsed().as_millis(), matches!(self.query.why.get(), Some(Why::Late)));
        let ended = || tracing::debug!(target: PART, ms, is_late, "the part in a query has ended");
        self.query.span.in_scope(ended);
        self.shared.reclaim(self.query.runtime.clone());
    }
}

/// What is asked of this worker for a query.
struct Asked<'f> {
    id: Uuid,
    url: Url,
    files: &'f [PinnedFile],
    memory: usize,
    /// The handle that the result becomes, and the columns of its files.
    kept: Option<(HandleId, SchemaRef)>,
    span: Span,
}

impl Shared {
    /// Takes part in a query until the stream is dropped or the query's time is over. The stream's first message says so.
    pub(super) fn join(
        self: &Arc<Self>,
        request: JoinRequest,
    ) -> Result<impl Stream<Item = Result<Joined, Status>> + Send + use<>, Status> {
        self.check_identity(&request)?;
        if self.is_draining() {
            return Err(Status::unavailable("it takes no new queries"));
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned();
        let slot =
            slot.map_err(|_| Status::resource_exhausted("it takes part in as many queries as it may"))?;
        let id =
            Uuid::from_slice(&request.query).map_err(|_| Status::invalid_argument("the query has no id"))?;
        let url =
            Url::parse(&request.url).map_err(|_| Status::invalid_argument("the worker's URL is none"))?;
        let time = Duration::from_millis(request.remaining_ms).min(self.limits.query_time);
        let memory =
            usize::try_from(request.memory_bytes).unwrap_or(usize::MAX).min(self.limits.query_memory_bytes);
        let part = Part::of(&request);
        let kept = self.allowed_kept(&request)?;
        let files = self.allowed(request)?;
        let asked = Asked { id, url, files: &files, memory, kept, span: part.span() };
        let query = self.begin(asked).map_err(|error| Status::internal(error.to_string()))?;
        {
            let mut queries = self.queries.lock();
            if queries.contains_key(&id) {
                return Err(Status::already_exists("the query has this worker already"));
            }
            queries.insert(id, Arc::clone(&query));
        }
        let begun = || tracing::debug!(target: PART, files = files.len(), "takes part in a query");
        query.span.in_scope(begun);
        let observed = self.observer.get().and_then(|observer| observer.begins(&part));
        let lease = Lease {
            shared: Arc::clone(self),
            id,
            query,
            began: Instant::now(),
            _slot: slot,
            _observed: observed,
        };
        let end = async move {
            tokio::select! {
                () = tokio::time::sleep(time) => lease.query.stop(Why::Late),
                () = lease.query.stopped.cancelled() => {}
            }
            Err(lease.query.ended())
        };
        Ok(once(async { Ok(Joined {}) }).chain(once(end)))
    }

    fn check_identity(&self, request: &JoinRequest) -> Result<(), Status> {
        let own = &self.identity;
        if request.version != own.version {
            return Err(Status::failed_precondition(format!(
                "it is of version {}, not {}",
                own.version, request.version
            )));
        }
        match request.storage == own.storage {
            true => Ok(()),
            false => Err(Status::failed_precondition("it has another storage of datasets")),
        }
    }

    /// The files of a query, if it may read all of them.
    fn allowed(&self, request: JoinRequest) -> Result<Vec<PinnedFile>, Status> {
        let allowed = |message| {
            let file = PinnedFile::try_from(message)?;
            self.runtime.readers.files.allow(&file).map_err(|reason| {
                Status::permission_denied(format!("it does not read {:?} for queries: {reason}", file.path))
            })?;
            Ok(file)
        };
        request.files.into_iter().map(allowed).collect()
    }

    /// What becomes of a query's result, if it is kept and may be.
    fn allowed_kept(&self, request: &JoinRequest) -> Result<Option<(HandleId, SchemaRef)>, Status> {
        let Some(kept) = request.kept.clone() else { return Ok(None) };
        match &self.result_files {
            Some(_) => kept.try_into().map(Some),
            None => Err(Status::failed_precondition("it keeps results in its memory alone")),
        }
    }

    fn begin(self: &Arc<Self>, asked: Asked<'_>) -> Result<Arc<RunningQuery>> {
        let Asked { id, url, files, memory, kept, span } = asked;
        let stopped = CancellationToken::new();
        let place = kept.and_then(|(handle, columns)| self.place(handle, columns, id, &stopped));
        let (runtime, store) = self.runtime.of_query(files, memory, stopped.clone())?;
        let counted = self.runtime.census().query();
        let message_bytes = self.limits.message_bytes;
        Ok(Arc::new_cyclic(|query| {
            let own = Some((url.clone(), query.clone()));
            let channels =
                QueryChannels { channels: Arc::clone(&self.channels), query: id, own, reports: None };
            let (shared, of_tasks) = (Arc::clone(self), stopped.clone());
            let sessions = TaskSessions { shared, store, stopped: of_tasks, channels, place };
            let own_runtime = Arc::downgrade(&runtime);
            let tasks = Tasks::from_session_builder(sessions).with_runtime_env(runtime);
            let service = tasks.clone().into_worker_server().max_decoding_message_size(message_bytes);
            let service = BoxCloneSyncService::new(service);
            RunningQuery {
                url,
                tasks,
                service,
                runtime: own_runtime,
                stopped,
                why: OnceLock::new(),
                span,
                _counted: counted,
            }
        }))
    }
}
