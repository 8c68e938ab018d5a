//! About the worker that answers.

use std::time::SystemTime;

use polarway_core::{Action, Target, duckdb_version};
use polarway_model::ServerInfo;
use polarway_proto::PROTOCOL_REVISION;
use polarway_proto::v1::{Failure, GetCacheStatsResponse, GetServerInfoResponse};
use uuid::Uuid;

use crate::call::Call;
use crate::convert;
use crate::peers::PeerView;

/// What distinguishes this worker from others.
pub(crate) struct Worker {
    id: Uuid,
    started: SystemTime,
    peers: Option<PeerView>,
}

impl Worker {
    /// A worker that starts now.
    pub(crate) fn starting_now(peers: Option<PeerView>) -> Self {
        Self { id: Uuid::now_v7(), started: SystemTime::now(), peers }
    }

    /// Its id, which differs from those of other workers and of earlier starts.
    pub(crate) fn id(&self) -> String {
        self.id.to_string()
    }

    /// What clients may know about it.
    pub(crate) fn info(&self, call: &Call) -> Result<GetServerInfoResponse, Failure> {
        let allowed = call.engine.authorize(Action::Read, Target::Engine);
        allowed.map_err(|error| call.failure(&error))?;
        // The addresses of workers are for those who see all of the engine.
        let sees_all = call.engine.authorize(Action::Read, Target::Statistics).is_ok();
        let peers = self.peers.as_ref().filter(|_| sees_all).map(PeerView::peers).unwrap_or_default();
        let info = ServerInfo {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_revision: PROTOCOL_REVISION,
            duckdb_version: duckdb_version(),
            worker_id: self.id(),
            started_us: convert::time_us(self.started),
            peers,
        };
        Ok(info.into())
    }
}

/// The counts of the engine's cache.
pub(crate) fn cache_stats(call: &Call) -> Result<GetCacheStatsResponse, Failure> {
    Ok(call.engine.cache_stats().map_err(|error| call.failure(&error))?.into())
}
