//! Queries that several workers run together.

use metrics::{Counter, Gauge, Recorder};
use polarway_distributed::{WorkerCounts, WorkerStatus};
use polarway_model::{Peer, PeerState};

use super::list;

/// The states in which this worker may find another.
const STATES: [PeerState; 4] =
    [PeerState::Ready, PeerState::Draining, PeerState::Other, PeerState::Unreachable];

/// What is read of the queries of several workers. Without other workers all of it stays 0.
pub(crate) struct Together {
    /// Each state with the number of workers in it.
    workers: [(PeerState, Gauge); STATES.len()],
    parts: Gauge,
    memory_bytes: Gauge,
    spilled_bytes: Gauge,
    tries: Counter,
    plans_taken: Counter,
    plans_refused: Counter,
    sent_bytes: Counter,
    received_bytes: Counter,
}

impl Together {
    pub(super) fn new(recorder: &dyn Recorder) -> Self {
        let moved = |direction: &str| list::MOVED_BETWEEN_WORKERS.register_counter(recorder, &[direction]);
        let plans = |outcome: &str| list::PLANS.register_counter(recorder, &[outcome]);
        Self {
            workers: STATES.map(|state| (state, list::WORKERS.register_gauge(recorder, &[state.name()]))),
            parts: list::PARTS.register_gauge(recorder, &[]),
            memory_bytes: list::DISTRIBUTED_MEMORY_BYTES.register_gauge(recorder, &[]),
            spilled_bytes: list::DISTRIBUTED_SPILLED_BYTES.register_gauge(recorder, &[]),
            tries: list::TRIES.register_counter(recorder, &[]),
            plans_taken: plans("taken"),
            plans_refused: plans("refused"),
            sent_bytes: moved("sent"),
            received_bytes: moved("received"),
        }
    }

    /// Sets what is read and not counted.
    pub(crate) fn sample(&self, peers: &[Peer], status: &WorkerStatus, counts: &WorkerCounts) {
        for (state, gauge) in &self.workers {
            gauge.set(peers.iter().filter(|peer| peer.state == *state).count() as f64);
        }
        self.parts.set(status.queries as f64);
        self.memory_bytes.set(status.memory_bytes as f64);
        self.spilled_bytes.set(status.spilled_bytes as f64);
        self.tries.absolute(counts.tries);
        self.plans_taken.absolute(counts.plans);
        self.plans_refused.absolute(counts.plans_refused);
        self.sent_bytes.absolute(counts.sent_bytes);
        self.received_bytes.absolute(counts.received_bytes);
    }
}
