//! About the process that answers.

/// How a cache is doing. Counts are since its process was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Look-ups that found the table, or found it on its way.
    pub hits: u64,
    /// Look-ups that did not.
    pub misses: u64,
    /// Tables in the cache.
    pub tables: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// What they may take, in bytes; 0 is a cache that is off.
    pub capacity_bytes: u64,
    /// Tables that had to go to make room.
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
}
