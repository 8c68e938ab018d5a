//! The configuration of a server: plain data.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use polarway_core::{BucketUrl, EngineChoice, Provider};

use crate::auth::AuthConfig;
use crate::limits::Limits;
use crate::logging::LogFormat;
use crate::peers::PeersConfig;
use crate::tls::TlsFiles;

/// The configuration of a server. Create one with [`ServerConfig::new`] and change its fields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The address to listen on; port 0 picks a free port.
    pub bind: SocketAddr,
    /// The engine's configuration.
    pub engine: polarway_core::Config,
    /// The buckets that may keep handles.
    pub handle_buckets: HandleBuckets,
    /// Which workers run a query that does not choose.
    pub query_engine: EngineChoice,
    /// Queries that several workers run together.
    pub peers: PeersConfig,
    /// How callers are identified.
    pub auth: AuthConfig,
    /// The form of the log's lines. It applies only if the server is its own process.
    pub log_format: LogFormat,
    /// A query that takes longer, waiting included, is logged and listed as slow; `None` is none.
    pub slow_query: Option<Duration>,
    /// The URL of a collector that gets a trace of each call over OTLP (gRPC), such as `http://localhost:4317`.
    pub otlp_endpoint: Option<String>,
    /// Whether the server measures itself, and has an HTTP port for operators: metrics and probes.
    pub metrics: bool,
    /// That port, at the IP address of `bind`; port 0 picks a free port.
    pub metrics_port: u16,
    /// The certificate and key of TLS; without them, the server speaks in the clear.
    pub tls: TlsFiles,
    /// The most connections at a time; at most half the number of files that this process may have open.
    pub connections: usize,
    /// The limits for callers.
    pub limits: Limits,
    /// How long an upload may send nothing, not even a heartbeat, before it fails; and how long the request of any other
    /// call may take to arrive.
    pub upload_silence: Duration,
    /// How long running calls may take to finish when the server shuts down. Then they are ended.
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// A server on all addresses, port 50052, with an engine whose files are in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 50052)),
            engine: polarway_core::Config::new(data_dir),
            handle_buckets: HandleBuckets::default(),
            query_engine: EngineChoice::Auto,
            peers: PeersConfig::default(),
            auth: AuthConfig::default(),
            log_format: LogFormat::Text,
            slow_query: Some(Duration::from_secs(10)),
            otlp_endpoint: None,
            metrics: false,
            metrics_port: 9090,
            tls: TlsFiles::default(),
            connections: 4096,
            limits: Limits::default(),
            upload_silence: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The buckets that may keep handles. The settings of a server name one for each cloud, and which one is used.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct HandleBuckets {
    /// The cloud whose bucket keeps the handles; `None` if a directory or the memory does.
    pub chosen: Option<Provider>,
    /// The one of S3.
    pub s3: Option<BucketUrl>,
    /// The one of Azure.
    pub azure: Option<BucketUrl>,
    /// The one of Google.
    pub gcs: Option<BucketUrl>,
}

impl HandleBuckets {
    /// Where the handles are, if a cloud was chosen: under the prefix of its bucket, or a usual one.
    ///
    /// # Errors
    /// No bucket of this cloud is named.
    pub(crate) fn place(&self) -> Result<Option<BucketUrl>, Provider> {
        const PREFIX: &str = "polarway-handles";

        let Some(provider) = self.chosen else { return Ok(None) };
        let bucket = match provider {
            Provider::S3 => &self.s3,
            Provider::Azure => &self.azure,
            Provider::Gcs => &self.gcs,
        };
        let placed = bucket.clone().and_then(|bucket| bucket.or_prefix(PREFIX).ok());
        placed.map(Some).ok_or(provider)
    }
}
