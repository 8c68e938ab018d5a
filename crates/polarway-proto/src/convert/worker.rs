//! What a process reports about itself.

use polarway_model::{CacheStats, ServerInfo};

use crate::{OLDEST_CLIENT_REVISION, v1};

impl From<CacheStats> for v1::GetCacheStatsResponse {
    fn from(stats: CacheStats) -> Self {
        let hit_rate = stats.hit_rate();
        let CacheStats { hits, misses, tables, bytes, capacity_bytes, evictions } = stats;
        Self { hits, misses, hit_rate, tables, bytes, capacity_bytes, evictions }
    }
}

impl From<v1::GetCacheStatsResponse> for CacheStats {
    fn from(message: v1::GetCacheStatsResponse) -> Self {
        let v1::GetCacheStatsResponse { hits, misses, hit_rate: _, tables, bytes, capacity_bytes, evictions } =
            message;
        Self { hits, misses, tables, bytes, capacity_bytes, evictions }
    }
}

impl From<ServerInfo> for v1::GetServerInfoResponse {
    fn from(info: ServerInfo) -> Self {
        let ServerInfo { server_version, protocol_revision, duckdb_version, worker_id, started_us } = info;
        let oldest_client_revision = OLDEST_CLIENT_REVISION;
        Self {
            server_version,
            protocol_revision,
            duckdb_version,
            worker_id,
            started_us,
            oldest_client_revision,
        }
    }
}

impl From<v1::GetServerInfoResponse> for ServerInfo {
    fn from(message: v1::GetServerInfoResponse) -> Self {
        let v1::GetServerInfoResponse {
            server_version,
            protocol_revision,
            duckdb_version,
            worker_id,
            started_us,
            oldest_client_revision: _,
        } = message;
        Self { server_version, protocol_revision, duckdb_version, worker_id, started_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_cache_arrives_as_itself() {
        let stats = CacheStats { hits: 3, misses: 1, tables: 2, bytes: 5, capacity_bytes: 8, evictions: 13 };
        let message = v1::GetCacheStatsResponse::from(stats);
        assert_eq!(message.hit_rate, 0.75);
        assert_eq!(CacheStats::from(message), stats);
    }
}
