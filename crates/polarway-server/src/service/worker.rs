//! About the worker that answers.

use std::time::{SystemTime, UNIX_EPOCH};

use polarway_core::{Polarway, duckdb_version};
use polarway_proto::PROTOCOL_REVISION;
use polarway_proto::v1::{GetCacheStatsResponse, GetServerInfoResponse};
use uuid::Uuid;

/// What tells this worker from others.
pub(crate) struct Worker {
    id: Uuid,
    started: SystemTime,
}

impl Worker {
    pub(crate) fn starting_now() -> Self {
        Self { id: Uuid::now_v7(), started: SystemTime::now() }
    }

    pub(crate) fn info(&self) -> GetServerInfoResponse {
        let since_epoch = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        GetServerInfoResponse {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_revision: PROTOCOL_REVISION,
            duckdb_version: duckdb_version(),
            worker_id: self.id.to_string(),
            started_us: i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX),
        }
    }
}

pub(crate) fn cache_stats(engine: &Polarway) -> GetCacheStatsResponse {
    let stats = engine.cache_stats();
    GetCacheStatsResponse {
        hits: stats.hits,
        misses: stats.misses,
        hit_rate: stats.hit_rate(),
        tables: stats.tables as u64,
        bytes: stats.bytes,
        capacity_bytes: stats.capacity_bytes,
        evictions: stats.evictions,
    }
}
