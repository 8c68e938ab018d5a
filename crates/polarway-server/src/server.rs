//! The life cycle of a server: bind, open the engine, serve, shut down.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics::NoopRecorder;
use polarway_core::{Polarway, memory_limit};
use polarway_proto::{FILE_DESCRIPTOR_SET, SERVICE};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::server::HealthReporter;

use crate::accept::Door;
use crate::auth::{AuthError, Authenticator, Gate, Reflection};
use crate::config::ServerConfig;
use crate::drain::Drain;
use crate::edge::Edge;
use crate::http::{self, Pages};
use crate::http2;
use crate::metrics::{Exporter, Metrics};
use crate::open_files;
use crate::peers::{PeerListener, PeerService, PeersError};
use crate::readiness::{Part, Readiness};
use crate::service::Service;
use crate::slow_queries::SlowQueries;
use crate::tls::{Tls, TlsError};
use crate::traces::Traces;

/// How long calls that were ended may take to send the reason to their callers.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The health service's name for whether results can be kept under handles.
pub(crate) const HANDLES: &str = "polarway.v1.handles";

/// How often the storages are checked.
const STORAGE_CHECK: Duration = Duration::from_secs(5);

/// The health service's name for whether queries can be answered.
pub(crate) const QUERIES: &str = "polarway.v1.queries";

/// How often this is checked.
const QUERIES_CHECK: Duration = Duration::from_secs(1);

/// A server that listens but does not answer yet; [`run`](Self::run) starts that.
pub struct Server {
    listener: TcpListener,
    local_addr: SocketAddr,
    http: Option<TcpListener>,
    tls: Option<Tls>,
    config: ServerConfig,
    engine: Polarway,
    authenticator: Arc<Authenticator>,
    exporter: Option<Exporter>,
    slow_queries: Option<Arc<SlowQueries>>,
    peers: Option<PeerService>,
}

/// Why a server did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The server can't listen on the address.
    #[error("can't listen on {address}{}", advice(.source, .flag))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The flag that chooses its port.
        flag: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The signals that end a server can't be received.
    #[error("can't listen to signals")]
    Signals(#[source] io::Error),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Workers can't run queries together.
    #[error(transparent)]
    Peers(#[from] PeersError),
    /// The engine can't be opened.
    #[error(transparent)]
    Engine(#[from] polarway_core::Error),
    /// Tokens can't be checked.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The protocol's description for reflection can't be read.
    #[error("the protocol's description is damaged")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The machine gives no random bytes, which the status page needs to recognize its own forms.
    #[error("the machine gives no random bytes")]
    Random(#[source] io::Error),
    /// The URL of the collector of traces can't be used.
    #[error("the collector of --otlp-endpoint can't be used")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
}

fn advice(error: &io::Error, flag: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(": another program does. Choose another port with {flag}, or 0 for any that is free")
        }
        io::ErrorKind::PermissionDenied => {
            format!(": ports below 1024 need root's rights. Choose another with {flag}")
        }
        io::ErrorKind::AddrNotAvailable => {
            ": this machine has no such address. Choose another with --bind".to_owned()
        }
        _ => String::new(),
    }
}

impl Server {
    /// Listens, and opens the engine. Clients that connect before it is open wait.
    ///
    /// # Errors
    /// If the server can't listen on the address, a file that it needs can't be used, or the engine can't be opened.
    pub async fn start(config: ServerConfig) -> Result<Self, StartError> {
        let front = Front::open(&config).await?;
        let slow_queries = config.slow_query.map(|slow| Arc::new(SlowQueries::from(slow)));
        let mut engine = Polarway::builder(config.engine.clone());
        if let Some(slow_queries) = &slow_queries {
            engine = engine.query_observer(Arc::clone(slow_queries) as _);
        }
        if let Some(exporter) = &front.exporter {
            engine = engine.recorder(exporter.recorder());
        }
        let engine = engine.open().await?;
        tell_of_memory();
        front.before(engine, config, slow_queries)
    }

    /// The same with an engine that the caller has opened, for example with its own components. The engine's part of the
    /// configuration is ignored; the engine's metrics go to its own recorder alone, and slow queries to its own observer.
    ///
    /// # Errors
    /// If the server can't listen on the address, or a file that it needs can't be used.
    pub async fn over(engine: Polarway, config: ServerConfig) -> Result<Self, StartError> {
        Front::open(&config).await?.before(engine, config, None)
    }

    /// The address that the server listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `shutdown` is ready. Then health reports it, no connection is accepted any more, and running calls may
    /// finish within the configured time. Those that don't are ended with the reason that the server is shutting down.
    ///
    /// # Errors
    /// If the collector of traces can't be used, or the machine gives no random bytes.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
        let Self {
            listener, http, tls, config, engine, authenticator, exporter, slow_queries, peers, ..
        } = self;
        let view = peers.as_ref().map(PeerService::view);
        let _watched = engine.watch_for_standstill();
        let tls = tls.map(Arc::new);
        if let Some(tls) = &tls {
            tls.tell_of_expiry();
        }
        let metrics = Arc::new(match &exporter {
            Some(exporter) => Metrics::new(&*exporter.recorder()),
            None => Metrics::new(&NoopRecorder),
        });
        let readiness = Readiness::starting();
        // They end with this function.
        let mut beside = JoinSet::new();
        if let Some((http, exporter)) = http.zip(exporter) {
            beside.spawn(exporter.clone().keep_small());
            let pages = Pages {
                engine: engine.clone(),
                metrics: Arc::clone(&metrics),
                exporter,
                readiness: readiness.clone(),
                authenticator: Arc::clone(&authenticator),
                tls: tls.clone(),
                slow_queries,
                peers: view.clone(),
            };
            let routes = http::routes(pages).map_err(|error| StartError::Random(error.into()))?;
            beside.spawn(http::serve(http, routes));
        }
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status(SERVICE, ServingStatus::Serving).await;
        let mut watches = JoinSet::new();
        watches.spawn(watch_cold_tier(engine.clone(), readiness.clone()));
        watches.spawn(watch_handles(engine.clone(), health.clone(), readiness.clone()));
        watches.spawn(watch_queries(engine.clone(), health.clone(), readiness.clone()));
        let drain = Drain::new();
        let traces = config.otlp_endpoint.as_deref().map(Traces::to).transpose()?;
        if let Some((view, traces)) = view.as_ref().zip(traces.as_ref()) {
            view.record(traces.clone());
        }
        let edge = Edge {
            service: Service::new(engine, &config, Arc::clone(&metrics), view),
            others: others(health_service, config.auth.reflection)?,
            gate: Gate::new(authenticator, config.auth.reflection),
            patience: config.upload_silence,
            drain: drain.clone(),
            metrics: Arc::clone(&metrics),
            traces: traces.clone(),
        };

        let shutdown = async {
            shutdown.await;
            readiness.set(Part::Service, Some("it is shutting down".to_owned()));
            tracing::info!("shutting down: running calls have {:?} to finish", config.drain_timeout);
            // Otherwise it could report after this that the server serves.
            watches.shutdown().await;
            say_not_serving(&health).await;
            drain.begin();
        };
        let door = Door::new(listener, most_connections(&config), &config.limits, tls, metrics);
        let serving = http2::serve(door, Arc::new(edge), &config.limits, shutdown);
        let among_peers = async {
            if let Some(peers) = peers {
                peers.run(drain.clone()).await;
            }
        };
        let too_long = async {
            drain.begun().await;
            tokio::time::sleep(config.drain_timeout).await;
            tracing::warn!("calls are still running and are ended");
            drain.cut_off();
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            ((), ()) = async { tokio::join!(serving, among_peers) } => {}
            () = too_long => {}
        }
        if let Some(traces) = traces {
            traces.finish().await;
        }
        Ok(())
    }
}

/// What callers meet: addresses on which nobody answers yet, and what is needed to know the callers.
struct Front {
    listener: TcpListener,
    local_addr: SocketAddr,
    http: Option<TcpListener>,
    tls: Option<Tls>,
    authenticator: Arc<Authenticator>,
    exporter: Option<Exporter>,
    peers: Option<PeerListener>,
}

impl Front {
    async fn open(config: &ServerConfig) -> Result<Self, StartError> {
        let tls = Tls::start(&config.tls)?;
        let authenticator = Arc::new(Authenticator::new(&config.auth)?);
        let (listener, local_addr) = bind(config.bind, "--grpc-port").await?;
        tracing::info!("listening on {local_addr}");
        let mut http = None;
        if config.metrics {
            let address = SocketAddr::new(config.bind.ip(), config.metrics_port);
            let (listener, local_addr) = bind(address, "--metrics-port").await?;
            tracing::info!("metrics and probes on http://{local_addr}");
            http = Some(listener);
        }
        let peers = PeerListener::bind(config, local_addr).await?;
        let exporter = config.metrics.then(Exporter::new);
        Ok(Self { listener, local_addr, http, tls, authenticator, exporter, peers })
    }

    /// The server of this engine.
    fn before(
        self,
        engine: Polarway,
        config: ServerConfig,
        slow_queries: Option<Arc<SlowQueries>>,
    ) -> Result<Server, StartError> {
        let Self { listener, local_addr, http, tls, authenticator, exporter, peers } = self;
        let peers = peers.map(|peers| peers.open(&config, &engine)).transpose()?;
        Ok(Server {
            listener,
            local_addr,
            http,
            tls,
            config,
            engine,
            authenticator,
            exporter,
            slow_queries,
            peers,
        })
    }
}

/// Listens on an address. `flag` is the one that chooses its port.
pub(crate) async fn bind(
    address: SocketAddr,
    flag: &'static str,
) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Bind { address, flag, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local_addr = listener.local_addr().map_err(failed)?;
    Ok((listener, local_addr))
}

fn tell_of_memory() {
    let memory = memory_limit();
    if !memory.is_of_container {
        tracing::info!(
            "no container bounds this process: a query may take most of this machine's {:.0} GB before it is stopped; for \
             strangers' queries, give it a memory limit of its own",
            memory.bytes as f64 / 1e9
        );
    }
}

/// Records whether the cold tier can be reached.
async fn watch_cold_tier(engine: Polarway, readiness: Readiness) {
    loop {
        let _ = readiness.check(Part::ColdTier, engine.check_cold_tier()).await;
        tokio::time::sleep(STORAGE_CHECK).await;
    }
}

/// Reports whether results can be kept. A worker without its state folder still answers all other calls, and all workers
/// that share the folder have lost it too.
async fn watch_handles(engine: Polarway, health: HealthReporter, readiness: Readiness) {
    let mut was_well = true;
    loop {
        let checked = readiness.check(Part::Handles, engine.check_handles()).await;
        let status = match &checked {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        health.set_service_status(HANDLES, status).await;
        match checked {
            Err(error) if was_well => tracing::warn!(%error, "results can't be kept"),
            Ok(()) if !was_well => tracing::info!("results can be kept again"),
            _ => {}
        }
        was_well = status == ServingStatus::Serving;
        tokio::time::sleep(STORAGE_CHECK).await;
    }
}

/// Reports whether queries can be answered. If not, the whole worker is unhealthy: other workers have their own engine, so
/// a load balancer should use them.
async fn watch_queries(engine: Polarway, health: HealthReporter, readiness: Readiness) {
    let mut was_well = None;
    loop {
        let Ok(condition) = engine.query_engine().await else { return };
        let is_well = condition.problem.is_none();
        readiness.set(Part::Queries, condition.problem.clone());
        if was_well != Some(is_well) {
            let status = match is_well {
                true => ServingStatus::Serving,
                false => ServingStatus::NotServing,
            };
            health.set_service_status(QUERIES, status).await;
            say_of_the_whole(&health, status).await;
            match &condition.problem {
                Some(problem) => tracing::error!("queries can't be answered: {problem}"),
                None if was_well.is_some() => tracing::info!("queries can be answered again"),
                None => {}
            }
            was_well = Some(is_well);
        }
        tokio::time::sleep(QUERIES_CHECK).await;
    }
}

async fn say_not_serving(health: &HealthReporter) {
    for part in [HANDLES, QUERIES] {
        health.set_service_status(part, ServingStatus::NotServing).await;
    }
    say_of_the_whole(health, ServingStatus::NotServing).await;
}

async fn say_of_the_whole(health: &HealthReporter, status: ServingStatus) {
    // The empty name means the whole server.
    for whole in [SERVICE, ""] {
        health.set_service_status(whole, status).await;
    }
}

/// The configured number, or fewer: the connections must leave enough file descriptors for the files they use.
fn most_connections(config: &ServerConfig) -> usize {
    let room = open_files::raise_limit().and_then(|files| usize::try_from(files / 2).ok());
    match room {
        Some(room) if room < config.connections => {
            tracing::warn!(
                "this process may have {} files open, so there may be {room} connections and not {}",
                2 * room,
                config.connections
            );
            room
        }
        _ => config.connections,
    }
}

/// The services that are not ours.
fn others(health: HealthServer<impl Health>, shown: Reflection) -> Result<Routes, StartError> {
    let routes = Routes::new(health);
    let routes = match shown {
        Reflection::Off => routes,
        Reflection::Public | Reflection::Authenticated => {
            routes.add_service(reflection().build_v1()?).add_service(reflection().build_v1alpha()?)
        }
    };
    Ok(routes.prepare())
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
