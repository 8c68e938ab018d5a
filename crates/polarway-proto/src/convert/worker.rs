//! What a process reports about itself.

use polarway_model::{CacheStats, Peer, PeerState, ServerInfo};

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
        let ServerInfo { server_version, protocol_revision, duckdb_version, worker_id, started_us, peers } =
            info;
        Self {
            server_version,
            protocol_revision,
            duckdb_version,
            worker_id,
            started_us,
            oldest_client_revision: OLDEST_CLIENT_REVISION,
            peers: peers.into_iter().map(v1::Peer::from).collect(),
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
            peers,
        } = message;
        let peers = peers.into_iter().map(Peer::from).collect();
        Self { server_version, protocol_revision, duckdb_version, worker_id, started_us, peers }
    }
}

impl From<Peer> for v1::Peer {
    fn from(peer: Peer) -> Self {
        let Peer { address, state, reason, queries, is_own } = peer;
        let (state, reason) = (v1::PeerState::from(state).into(), reason.unwrap_or_default());
        Self { address, state, reason, queries, is_own }
    }
}

impl From<v1::Peer> for Peer {
    fn from(message: v1::Peer) -> Self {
        let state = v1::PeerState::try_from(message.state).map_or(PeerState::Unknown, PeerState::from);
        let v1::Peer { address, state: _, reason, queries, is_own } = message;
        Self { address, state, reason: Some(reason).filter(|reason| !reason.is_empty()), queries, is_own }
    }
}

impl From<PeerState> for v1::PeerState {
    fn from(state: PeerState) -> Self {
        match state {
            PeerState::Ready => Self::Ready,
            PeerState::Draining => Self::Draining,
            PeerState::Other => Self::Other,
            PeerState::Unreachable => Self::Unreachable,
            _ => Self::Unspecified,
        }
    }
}

impl From<v1::PeerState> for PeerState {
    fn from(state: v1::PeerState) -> Self {
        match state {
            v1::PeerState::Unspecified => Self::Unknown,
            v1::PeerState::Ready => Self::Ready,
            v1::PeerState::Draining => Self::Draining,
            v1::PeerState::Other => Self::Other,
            v1::PeerState::Unreachable => Self::Unreachable,
        }
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

    #[test]
    fn a_server_arrives_as_itself_with_its_peers_in_every_state() {
        use PeerState::{Draining, Other, Ready, Unknown, Unreachable};

        let peers = [Ready, Draining, Other, Unreachable, Unknown].map(|state| Peer {
            address: "worker-1:50053".to_owned(),
            state,
            reason: (state != Ready).then(|| "why not".to_owned()),
            queries: 3,
            is_own: state == Ready,
        });
        let info = ServerInfo {
            server_version: "0.1.0".to_owned(),
            protocol_revision: 5,
            duckdb_version: "1.5.6".to_owned(),
            worker_id: "w".to_owned(),
            started_us: -1,
            peers: peers.to_vec(),
        };
        assert_eq!(ServerInfo::from(v1::GetServerInfoResponse::from(info.clone())), info);
    }
}
