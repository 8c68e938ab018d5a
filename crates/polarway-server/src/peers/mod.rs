//! This worker beside others: it takes part in queries that several workers run together, on an address of its own.

mod config;
mod tls;

pub use config::{PeerTlsFiles, PeersConfig, PeersError};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use polarway_core::{Distribution, EngineChoice, Polarway};
use polarway_distributed::{
    Channels, Coordinator, Credentials, Identity, PeerTls, Peers, Spread, Token, Worker, WorkerCounts,
    WorkerLimits, WorkerOptions, WorkerStatus, functions,
};
use polarway_model::{Peer, PeerState};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::config::Checked;
use self::tls::WorkerTls;
use crate::config::ServerConfig;
use crate::drain::Drain;
use crate::server::{StartError, bind};
use crate::traces::Traces;

/// How often a worker looks for the others.
const LOOK: Duration = Duration::from_secs(2);

/// The bytes of files that a partition of a query reads at least. A query is large, or its caller has asked for several workers:
/// so it is spread over all of them, unless its tables are tiny.
const PARTITION_BYTES: usize = 64 << 10;

/// How often a worker that is about to end looks whether it still takes part in a query.
const DRAIN_LOOK: Duration = Duration::from_millis(50);

/// An address for other workers on which nobody answers yet.
pub(crate) struct PeerListener {
    listener: TcpListener,
    checked: Checked,
}

/// A worker among others.
pub(crate) struct PeerService {
    listener: TcpListener,
    tls: Option<Arc<dyn PeerTls>>,
    view: PeerView,
}

/// What this worker knows of the others, and what it does for them.
#[derive(Clone, Debug)]
pub(crate) struct PeerView {
    worker: Worker,
    peers: Peers,
}

impl PeerListener {
    /// Listens, if the configuration has an address for other workers. `clients` is that of clients.
    ///
    /// # Errors
    /// Settings that do not fit together, or an address that can't be listened on.
    pub(crate) async fn bind(config: &ServerConfig, clients: SocketAddr) -> Result<Option<Self>, StartError> {
        let Some(checked) = config.peers.check(clients)? else {
            let why = "a query that does not choose would be refused";
            return match config.query_engine {
                EngineChoice::Distributed => {
                    Err(PeersError::Incomplete { given: "--engine distributed", missing: "--peer-bind", why }
                        .into())
                }
                EngineChoice::Auto | EngineChoice::Local => Ok(None),
            };
        };
        let (listener, address) = bind(checked.bind, "--peer-bind").await?;
        tracing::info!("listening for other workers on {address}");
        Ok(Some(Self { listener, checked }))
    }

    /// Lets the engine run queries over several workers.
    ///
    /// # Errors
    /// Certificates or a spill folder that can't be used.
    pub(crate) fn open(self, config: &ServerConfig, engine: &Polarway) -> Result<PeerService, StartError> {
        let Self { listener, checked: Checked { bind: _, source, token, tls, name } } = self;
        let tls = tls.map(|files| WorkerTls::start(files, name)).transpose().map_err(PeersError::from)?;
        let tls = tls.map(|tls| Arc::new(tls) as Arc<dyn PeerTls>);
        let credentials = Credentials { token: token.clone(), tls: tls.clone() };
        let channels = Arc::new(Channels::new(&credentials).map_err(PeersError::from)?);
        let distribution = engine.distribution().ok_or(PeersError::Taken)?;
        let options = options(config, &distribution, token);
        let worker = Worker::open(options, channels).map_err(PeersError::from)?;
        let peers = Peers::new(&worker, source);
        let runtime = tokio::runtime::Handle::current();
        let coordinator =
            Coordinator::new(worker.clone(), peers.clone(), runtime, config.peers.query_workers);
        distribution.set_executor(Arc::new(coordinator))?;
        Ok(PeerService { listener, tls, view: PeerView { worker, peers } })
    }
}

fn options(config: &ServerConfig, engine: &Distribution, token: Option<Token>) -> WorkerOptions {
    let (peers, queries) = (&config.peers, &config.engine);
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    WorkerOptions {
        identity: Identity {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            storage: engine.storage().to_owned(),
        },
        token,
        files: engine.files(),
        result_files: engine.result_files(),
        functions: functions(),
        spread: Spread { bytes_per_partition: PARTITION_BYTES, ..Spread::default() },
        limits: WorkerLimits {
            queries: peers.queries,
            query_time: queries.query_limits.time,
            memory_bytes: bytes(peers.memory_bytes),
            query_memory_bytes: bytes(peers.query_memory_bytes),
            spill_bytes: queries.query_temp_bytes,
            ..WorkerLimits::default()
        },
        spill_folder: engine.spill_folder(),
    }
}

impl PeerService {
    /// What it knows of the others.
    pub(crate) fn view(&self) -> PeerView {
        self.view.clone()
    }

    /// Serves other workers and looks for them. When the drain begins, it takes no new queries, and ends with the last one.
    pub(crate) async fn run(self, drain: Drain) {
        let Self { listener, tls, view: PeerView { worker, peers } } = self;
        let (stop, stopped) = oneshot::channel::<()>();
        let served = worker.clone().serve(listener, tls, async {
            // It is dropped, never sent.
            let _ = stopped.await;
        });
        let served = async {
            if let Err(error) = served.await {
                tracing::error!("this worker takes no part in queries of several workers any more: {error}");
            }
        };
        let drained = async {
            drain.begun().await;
            worker.drain();
            while worker.status().queries > 0 {
                tokio::time::sleep(DRAIN_LOOK).await;
            }
            drop(stop);
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(served, drained) } => {}
            () = peers.watch(LOOK) => {}
        }
    }
}

impl PeerView {
    /// From now on, the parts that this worker takes in queries of recorded calls are recorded.
    pub(crate) fn record(&self, traces: Traces) {
        self.worker.observe(Arc::new(traces));
    }

    /// The workers, this one among them, as they were last found.
    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.peers.all().into_iter().map(described).collect()
    }

    /// What this worker holds for queries of several workers.
    pub(crate) fn status(&self) -> WorkerStatus {
        self.worker.status()
    }

    /// What it has done for them since its start.
    pub(crate) fn counts(&self) -> WorkerCounts {
        self.worker.counts()
    }
}

fn described(peer: polarway_distributed::Peer) -> Peer {
    use polarway_distributed::PeerState as Found;

    let (state, reason, queries) = match peer.state {
        Found::Ready { queries } => (PeerState::Ready, None, queries),
        Found::Draining => (PeerState::Draining, Some("it is about to end".to_owned()), 0),
        Found::Other(reason) => (PeerState::Other, Some(reason), 0),
        Found::Unreachable(reason) => (PeerState::Unreachable, Some(reason), 0),
    };
    let address = peer.url.authority().to_owned();
    Peer { address, state, reason, queries, is_own: peer.is_own }
}
