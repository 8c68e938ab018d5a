//! What a worker holds for queries at this moment: what a test, the metrics and the status page read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is alive. Each count falls when the thing itself is dropped, so zero means that nothing is left.
#[derive(Debug, Default)]
pub(crate) struct Census {
    queries: Arc<AtomicUsize>,
    runtimes: Arc<AtomicUsize>,
    tasks: Arc<AtomicUsize>,
    files: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

/// One thing that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn count(counter: &Arc<AtomicUsize>) -> Counted {
    counter.fetch_add(1, Ordering::AcqRel);
    Counted(Arc::clone(counter))
}

impl Census {
    /// A query that this worker takes part in, until its coordinator leaves it.
    pub(crate) fn query(&self) -> Counted {
        count(&self.queries)
    }

    /// The memory of a query: it lives as long as any of its operators.
    pub(crate) fn runtime(&self) -> Counted {
        count(&self.runtimes)
    }

    /// A call that carries a plan or its rows.
    pub(crate) fn task(&self) -> Counted {
        count(&self.tasks)
    }

    pub(crate) fn file(&self) -> Counted {
        count(&self.files)
    }

    pub(crate) fn read(&self) -> Counted {
        count(&self.reads)
    }

    /// A file of a kept result that is being written.
    pub(crate) fn write(&self) -> Counted {
        count(&self.writes)
    }

    pub(crate) fn queries(&self) -> usize {
        self.queries.load(Ordering::Acquire)
    }

    pub(crate) fn status(&self, memory_bytes: usize, spilled_bytes: u64, is_draining: bool) -> WorkerStatus {
        let read = |counter: &Arc<AtomicUsize>| counter.load(Ordering::Acquire);
        WorkerStatus {
            queries: read(&self.queries),
            runtimes: read(&self.runtimes),
            tasks: read(&self.tasks),
            files: read(&self.files),
            reads: read(&self.reads),
            writes: read(&self.writes),
            memory_bytes,
            spilled_bytes,
            is_draining,
        }
    }
}

/// What a worker holds for queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerStatus {
    /// Queries that it takes part in.
    pub queries: usize,
    /// Queries of which an operator is still alive: it may outlive its query by a moment.
    pub runtimes: usize,
    /// Calls in flight that carry plans or rows.
    pub tasks: usize,
    /// Open files.
    pub files: usize,
    /// Reads that hold a thread.
    pub reads: usize,
    /// Files of kept results that are being written.
    pub writes: usize,
    /// Memory that operators have reserved.
    pub memory_bytes: usize,
    /// What is spilled to disk.
    pub spilled_bytes: u64,
    /// Whether it takes no new queries.
    pub is_draining: bool,
}

impl WorkerStatus {
    /// Whether nothing of any query is left.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Self { is_draining: self.is_draining, ..Self::default() }
    }
}
