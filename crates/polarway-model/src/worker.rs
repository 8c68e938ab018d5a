//! The state of a process.

/// The state of a cache. Its counts begin with the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups that found the table, or found that it was being read.
    pub hits: u64,
    /// Other look-ups.
    pub misses: u64,
    /// Tables in the cache.
    pub tables: u64,
    /// The size of these tables, in bytes.
    pub bytes: u64,
    /// The size that they may have, in bytes; 0 if the cache is off.
    pub capacity_bytes: u64,
    /// Tables that were removed to make room.
    pub evictions: u64,
}

impl CacheStats {
    /// The part of all look-ups that were hits, from 0 to 1; 0 before the first.
    pub fn hit_rate(&self) -> f64 {
        match self.hits.saturating_add(self.misses) {
            0 => 0.0,
            lookups => self.hits as f64 / lookups as f64,
        }
    }
}

/// A server process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// The version of the server program, such as `0.1.0`.
    pub server_version: String,
    /// The revision of the protocol that the server was built with.
    pub protocol_revision: u32,
    /// The version of DuckDB that runs the queries, such as `1.5.6`.
    pub duckdb_version: String,
    /// Tells the workers behind a load balancer apart. New at each start.
    pub worker_id: String,
    /// When the process was started: microseconds since 1970-01-01 UTC.
    pub started_us: i64,
    /// The workers that run queries together with this one, this one among them, as it last found them. Empty if it runs all
    /// queries alone, or if the caller may not see them.
    pub peers: Vec<Peer>,
}

/// A worker that runs queries together with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where the other workers call it: a host and a port.
    pub address: String,
    /// Whether it takes part in queries.
    pub state: PeerState,
    /// Why not, if it does not.
    pub reason: Option<String>,
    /// The queries of several workers that it takes part in.
    pub queries: u64,
    /// Whether it is the worker that answered.
    pub is_own: bool,
}

/// Whether a worker takes part in the queries of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerState {
    /// It does.
    Ready,
    /// It is about to end.
    Draining,
    /// It has another version, or another storage.
    Other,
    /// It did not answer, or refused to.
    Unreachable,
    /// A state that only a later version of Polarway has.
    Unknown,
}

impl PeerState {
    /// Its name, such as `ready`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Other => "other",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}
