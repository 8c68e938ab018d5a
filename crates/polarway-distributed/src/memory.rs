//! The memory of queries: a bound for each, shared fairly among its operators, under one for all of a worker.

use std::fmt::{Display, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

use crate::census::{Census, Counted};

/// The memory of all queries of a worker.
#[derive(Debug)]
pub(crate) struct WorkerMemory {
    limit: usize,
    used: AtomicUsize,
}

impl WorkerMemory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    fn try_take(&self, bytes: usize) -> Result<()> {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits);
        taken.map(drop).map_err(|used| {
            DataFusionError::ResourcesExhausted(format!(
                "the queries of this worker hold {used} of its {} bytes, {bytes} more are needed",
                self.limit
            ))
        })
    }
}

/// The memory of one query on one worker. It is counted until the last operator has dropped it.
#[derive(Debug)]
pub(crate) struct QueryMemory {
    pool: FairSpillPool,
    worker: Arc<WorkerMemory>,
    _counted: Counted,
}

impl QueryMemory {
    pub(crate) fn new(limit: usize, worker: &Arc<WorkerMemory>, census: &Census) -> Self {
        let limit = limit.min(worker.limit);
        Self { pool: FairSpillPool::new(limit), worker: Arc::clone(worker), _counted: census.runtime() }
    }
}

impl Display for QueryMemory {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.pool)
    }
}

impl MemoryPool for QueryMemory {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.pool.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.pool.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.worker.used.fetch_add(additional, Ordering::AcqRel);
        self.pool.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.pool.shrink(reservation, shrink);
        self.worker.used.fetch_sub(shrink, Ordering::AcqRel);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.worker.try_take(additional)?;
        self.pool.try_grow(reservation, additional).inspect_err(|_| {
            self.worker.used.fetch_sub(additional, Ordering::AcqRel);
        })
    }

    fn reserved(&self) -> usize {
        self.pool.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.pool.memory_limit()
    }
}
