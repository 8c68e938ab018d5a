//! What can go wrong with a query over several workers, by what its caller can do about it.

use polarway_query::CatalogError;

/// Why a query over several workers gave no result, or only a part of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No worker takes the query now. The same query may succeed later, or on one worker.
    #[error("no worker takes part in the query{}", listed(.0))]
    NoWorkers(Vec<Refusal>),
    /// Workers were lost until no more tries were left, or after rows had been returned. The same query may succeed if it is run
    /// again.
    #[error("the worker {address} was lost {}", if *.after_rows { "after rows had been returned" } else { "while it ran the query" })]
    WorkerLost {
        /// Its address.
        address: String,
        /// Whether rows had been returned: then the query was not run again.
        after_rows: bool,
    },
    /// Two workers can't reach each other, though both can be reached from here.
    #[error("the connection between two workers failed: {0}")]
    Connection(String),
    /// The query's deadline passed.
    #[error("the query did not end before its deadline")]
    Deadline,
    /// The query needs more memory or more spilled bytes than it may have.
    #[error("{0}")]
    OutOfMemory(String),
    /// A file of the query can't be read.
    #[error(transparent)]
    Files(CatalogError),
    /// The query failed on its data.
    #[error("{0}")]
    Execution(String),
    /// The query needs something that can't be spread over workers.
    #[error("{0}")]
    Unsupported(String),
    /// A setting that can't be used.
    #[error("{0}")]
    Configuration(String),
    /// A bug in this crate or in DataFusion.
    #[error("the query could not be run over several workers: {0}")]
    Internal(String),
}

/// A worker that does not take a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its address.
    pub address: String,
    /// Why not.
    pub reason: String,
}

fn listed(refusals: &[Refusal]) -> String {
    let each = refusals.iter().map(|refusal| format!("{} {}", refusal.address, refusal.reason));
    match refusals {
        [] => ": none is known".to_owned(),
        _ => format!(": {}", each.collect::<Vec<_>>().join("; ")),
    }
}

/// An error with its sources, in one line.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
