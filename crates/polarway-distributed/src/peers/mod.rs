//! Which workers there are, and which of them take queries now: asked again and again, and never written anywhere.

mod source;

pub use source::PeerSource;

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use parking_lot::RwLock;
use tonic::Status;
use url::Url;
use uuid::Uuid;

use crate::channels::is_of_connection;
use crate::error::causes;
use crate::run::address;
use crate::service::{Shared, Worker};
use crate::wire::PeerStatus;

/// How long a worker may take to say how it is.
const ANSWER: Duration = Duration::from_secs(2);

/// The workers of a fleet, as this one last found them.
#[derive(Debug, Clone)]
pub struct Peers {
    found: Arc<RwLock<Vec<Peer>>>,
    worker: Worker,
    source: Arc<PeerSource>,
}

/// A worker of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where it is called.
    pub url: Url,
    /// Whether it takes queries.
    pub state: PeerState,
    /// Whether it is this worker itself.
    pub is_own: bool,
}

/// Whether a worker takes queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerState {
    /// It does, and takes part in so many now.
    Ready {
        /// Queries that it takes part in.
        queries: u64,
    },
    /// It is about to end.
    Draining,
    /// It is of another version or has another storage.
    Other(String),
    /// It did not answer, or refused to.
    Unreachable(String),
}

impl Peers {
    /// The peers of a worker; none is known before the first [`refresh`](Self::refresh).
    #[must_use]
    pub fn new(worker: &Worker, source: PeerSource) -> Self {
        Self { found: Arc::default(), worker: worker.clone(), source: Arc::new(source) }
    }

    /// The workers that take queries, this one first.
    #[must_use]
    pub fn ready(&self) -> Vec<Url> {
        let found = self.found.read();
        let ready = found.iter().filter(|peer| matches!(peer.state, PeerState::Ready { .. }));
        let (own, others): (Vec<&Peer>, Vec<&Peer>) = ready.partition(|peer| peer.is_own);
        own.into_iter().chain(others).map(|peer| peer.url.clone()).collect()
    }

    /// All workers that were found, in the order of their addresses.
    #[must_use]
    pub fn all(&self) -> Vec<Peer> {
        self.found.read().clone()
    }

    /// Looks for the workers once. If their name can't be looked up, those that were known are asked again.
    pub async fn refresh(&self) {
        let urls = match self.source.urls().await {
            Ok(urls) => urls,
            Err(error) => {
                tracing::warn!(%error, "the workers can't be looked up");
                self.found.read().iter().map(|peer| peer.url.clone()).collect()
            }
        };
        let shared = &self.worker.0;
        shared.channels.retain(|url| urls.contains(url));
        let peers = join_all(urls.into_iter().map(|url| async move {
            let answer = tokio::time::timeout(ANSWER, shared.channels.status(&url)).await;
            let answer =
                answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("it did not answer in time")));
            judge(shared, url, answer)
        }));
        let peers = peers.await;
        let before = std::mem::replace(&mut *self.found.write(), peers.clone());
        for peer in &peers {
            tell(before.iter().find(|before| before.url == peer.url), peer);
        }
    }

    /// Looks for the workers until it is dropped, about as often as `interval` says: each process at other moments.
    pub async fn watch(self, interval: Duration) {
        loop {
            self.refresh().await;
            tokio::time::sleep(interval.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
        }
    }
}

/// Writes to the log when a worker begins or ceases to take queries.
fn tell(before: Option<&Peer>, now: &Peer) {
    let is_ready = |peer: &Peer| matches!(peer.state, PeerState::Ready { .. });
    if before.map(is_ready) == Some(is_ready(now)) {
        return;
    }
    let worker = address(&now.url);
    match &now.state {
        PeerState::Ready { .. } => {
            tracing::info!("the worker {worker} takes part in queries of several workers")
        }
        PeerState::Draining => {
            tracing::info!("the worker {worker} takes part in no new queries: it is about to end")
        }
        PeerState::Other(reason) | PeerState::Unreachable(reason) => {
            tracing::info!("the worker {worker} takes part in no queries of several workers: {reason}");
        }
    }
}

fn judge(own: &Shared, url: Url, answer: Result<PeerStatus, Status>) -> Peer {
    let status = match answer {
        Ok(status) => status,
        Err(status) => {
            let reason = match is_of_connection(&status) {
                true => causes(&status),
                false => status.message().to_owned(),
            };
            return Peer { url, state: PeerState::Unreachable(reason), is_own: false };
        }
    };
    let is_own = Uuid::from_slice(&status.instance).is_ok_and(|instance| instance == own.instance);
    let state = if status.version != own.identity.version {
        PeerState::Other(format!("{} is of version {}", address(&url), status.version))
    } else if status.storage != own.identity.storage {
        PeerState::Other(format!("{} has another storage of datasets", address(&url)))
    } else if status.is_draining {
        PeerState::Draining
    } else {
        PeerState::Ready { queries: status.queries }
    };
    Peer { url, state, is_own }
}
