//! Runs a plan over the workers, and streams its rows to one reader.
//!
//! A try begins on each worker with a call that lasts as long as the try ([`Leases`]). When one of these calls fails, its worker
//! is lost. If no row was returned yet, the plan runs again over those that are left.

mod analysis;
mod attempt;
mod describe;
mod failure;
mod leases;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::logical_expr::LogicalPlan;
use futures::Stream;
use futures::stream::unfold;
use url::Url;
use uuid::Uuid;

use crate::error::Error;
use crate::keep::{Gathered, Kept};
use crate::service::Worker;
use attempt::Attempt;
use polarway_query::{CallIds, PinnedFiles};

/// How often a plan may run again after workers were lost.
const MORE_TRIES: usize = 2;

/// A query that can be run over several workers.
#[derive(Debug, Clone)]
pub struct Query {
    /// What it computes. Its tables are [`StoredScan`](crate::StoredScan)s over `files`.
    pub plan: LogicalPlan,
    /// The files that it reads.
    pub files: PinnedFiles,
    /// The memory that it may have on each worker; a worker may give it less.
    pub memory_bytes: usize,
    /// When it ends, whatever its state.
    pub deadline: Instant,
    /// Its id where it was asked, in the logs of all workers.
    pub id: Uuid,
    /// The call that it came by.
    pub call: Option<CallIds>,
    /// Whether its tasks report what they did: [`Rows::analysis`] says it.
    pub is_analyzed: bool,
    /// Who keeps its result, if its tasks may write it.
    pub kept: Option<Kept>,
}

/// The rows of a query. Dropping them ends it on all workers.
pub struct Rows {
    worker: Worker,
    query: Arc<Query>,
    workers: Vec<Url>,
    attempt: Option<Attempt>,
    tries_left: usize,
    has_rows: bool,
    is_over: bool,
    took_part: usize,
    analysis: Option<String>,
    gathered: Option<Gathered>,
}

impl Worker {
    /// Runs a query over these workers, of which this one may be one. Nothing happens until its rows are asked for.
    #[must_use]
    pub fn run(&self, query: Query, workers: Vec<Url>) -> Rows {
        Rows {
            worker: self.clone(),
            query: Arc::new(query),
            workers,
            attempt: None,
            tries_left: MORE_TRIES,
            has_rows: false,
            is_over: false,
            took_part: 0,
            analysis: None,
            gathered: None,
        }
    }
}

impl Rows {
    /// The next rows; `None` after the last ones, or after an error. Until it is called again, the query goes on only as far as
    /// the buffers of its connections take rows. Where its tasks keep the result, each batch is their figures.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, Error>> {
        if self.is_over {
            return None;
        }
        let deadline = tokio::time::sleep_until(self.query.deadline.into());
        let next = tokio::select! {
            biased;
            next = self.advance() => next,
            () = deadline => Err(Error::Deadline),
        };
        // Workers end the query then, too, and what they were doing fails in its own words.
        let is_late = Instant::now() >= self.query.deadline;
        let next = next.map_err(|error| if is_late { Error::Deadline } else { error });
        if !matches!(next, Ok(Some(_))) {
            self.is_over = true;
            if let Some(attempt) = self.attempt.take() {
                self.analysis = attempt.analysis();
                self.gathered = attempt.into_gathered();
            }
        }
        next.transpose()
    }

    /// How many workers the last try had; known once it has rows or has ended.
    #[must_use]
    pub fn workers(&self) -> u32 {
        u32::try_from(self.took_part).unwrap_or(u32::MAX)
    }

    /// What each worker did in each stage, for a reader; known after the last row, if the query asks for it.
    #[must_use]
    pub fn analysis(&self) -> Option<&str> {
        self.analysis.as_deref()
    }

    /// What the tasks of the last try have kept so far; `None` if it gives rows.
    pub(crate) fn gathered(&self) -> Option<&Gathered> {
        self.attempt.as_ref().map_or(self.gathered.as_ref(), Attempt::gathered)
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<RecordBatch, Error>> + Send {
        unfold(self, |mut rows| async { rows.next().await.map(|next| (next, rows)) })
    }

    async fn advance(&mut self) -> Result<Option<RecordBatch>, Error> {
        loop {
            let tried = match &mut self.attempt {
                Some(attempt) => attempt.next().await,
                None => match Attempt::start(&self.worker, &self.query, &self.workers).await {
                    Ok(attempt) => {
                        self.took_part = attempt.workers();
                        self.attempt = Some(attempt);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match tried {
                Ok(next) => {
                    self.has_rows |= next.is_some() && self.gathered().is_none();
                    return Ok(next);
                }
                Err(error) => self.try_again(error)?,
            }
        }
    }

    /// Prepares another try after a failure that another try may not meet.
    fn try_again(&mut self, error: Error) -> Result<(), Error> {
        let lost = self.attempt.take().map(|attempt| attempt.lost()).unwrap_or_default();
        let gone = match &error {
            Error::WorkerLost { address, .. } => Some(address.clone()),
            Error::Connection(_) => None,
            _ => return Err(error),
        };
        if self.has_rows || self.tries_left == 0 {
            return Err(match error {
                Error::WorkerLost { address, .. } => Error::WorkerLost { address, after_rows: self.has_rows },
                error => error,
            });
        }
        tracing::info!(%error, "a query over several workers runs again");
        self.tries_left -= 1;
        self.workers.retain(|url| !lost.contains(url) && gone.as_deref() != Some(&*address(url)));
        Ok(())
    }
}

/// The host and port of a worker.
pub(crate) fn address(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// How much longer a query may take.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
