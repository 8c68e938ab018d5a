//! A query as its executor sees it: where its result goes, and what stops it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::batches::bytes;
use crate::error::Error;
use crate::plan::PlanLimits;
use crate::queue::activity::Activity;
use crate::queue::admission::Admission;
use crate::queue::control::{Control, Interrupt, StopSignal};
use crate::queue::registry::Registered;
use crate::sink::{Closed, ResultEvent, ResultSink};
use crate::status::{Phase, QueryOutcome};

/// Takes a query's result from its executor, within the query's limits, and tells the executor when to stop.
pub struct Output {
    activity: Registered,
    admission: Arc<Admission>,
    sink: Box<dyn ResultSink>,
    stop: StopSignal,
    limits: PlanLimits,
    has_columns: bool,
    has_rows: bool,
}

impl Output {
    pub(crate) fn new(
        activity: Registered,
        admission: Arc<Admission>,
        sink: Box<dyn ResultSink>,
        limits: PlanLimits,
    ) -> Self {
        let stop = StopSignal(Arc::clone(&activity.control));
        Self { activity, admission, sink, stop, limits, has_columns: false, has_rows: false }
    }

    /// Whether the query may continue. An executor checks this between its steps.
    ///
    /// # Errors
    /// Why the query was stopped.
    pub fn check(&self) -> Result<(), Error> {
        self.activity.control.check()
    }

    /// From now on a stop calls `interrupt`, on any thread, until [`detach`](Self::detach) is called. An earlier stop does not:
    /// [`check`](Self::check) reports it.
    pub fn attach(&self, interrupt: Arc<dyn Interrupt>) {
        self.activity.control.attach(interrupt);
    }

    /// From now on a stop no longer calls what was passed to [`attach`](Self::attach).
    pub fn detach(&self) {
        self.activity.control.detach();
    }

    /// Notes what the query is doing from now on.
    pub fn enter(&self, phase: Phase) {
        self.activity.enter(phase);
    }

    /// Delivers the columns of the result, once: when a plan runs again, they are not delivered again.
    ///
    /// # Errors
    /// The result is no longer wanted.
    pub fn columns(&mut self, schema: &SchemaRef) -> Result<(), Error> {
        if self.has_columns {
            return Ok(());
        }
        self.has_columns = true;
        self.push(ResultEvent::Columns(Arc::clone(schema))).map_err(|_| Error::Interrupted)
    }

    /// Delivers the next rows. While the reader is slow, this waits.
    ///
    /// # Errors
    /// The result is larger than allowed, or no longer wanted.
    pub fn rows(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let (rows, size) = self.activity.count(batch.num_rows() as u64, bytes(&batch) as u64);
        self.check_rows(rows)?;
        if size > self.limits.result_bytes {
            return Err(Error::QueryTooLarge(format!(
                "the result has more than the {} bytes that are allowed; select fewer rows or columns, or aggregate",
                self.limits.result_bytes
            )));
        }
        self.has_rows = true;
        self.push(ResultEvent::Rows(batch)).map_err(|_| Error::Interrupted)
    }

    /// Notes how many rows a result has that became a table and is not delivered.
    ///
    /// # Errors
    /// These are more than allowed.
    pub fn kept_rows(&mut self, rows: u64) -> Result<(), Error> {
        self.check_rows(rows)?;
        self.activity.set_rows(rows);
        Ok(())
    }

    /// Whether rows were delivered: then the plan can't run again.
    #[must_use]
    pub fn has_rows(&self) -> bool {
        self.has_rows
    }

    fn check_rows(&self, rows: u64) -> Result<(), Error> {
        match rows > self.limits.result_rows {
            true => Err(Error::QueryTooLarge(format!(
                "the result has more than the {} rows that are allowed; end the query in LIMIT, or aggregate",
                self.limits.result_rows
            ))),
            false => Ok(()),
        }
    }

    /// Passes a step to the reader. If the reader was so slow that the slot went to another query, waits for a new slot.
    fn push(&mut self, event: ResultEvent) -> Result<(), Closed> {
        let is_last = matches!(event, ResultEvent::End(_) | ResultEvent::Failed(_));
        self.activity.seat.lock().wait();
        let pushed = self.sink.push(event, &self.stop);
        let has_slot = self.activity.seat.lock().go_on();
        if !has_slot && pushed.is_ok() && !is_last {
            self.admission.come_back(self.activity.shared());
        }
        pushed
    }

    /// Delivers the end of the result.
    pub(crate) fn end(&mut self, outcome: Result<(), Error>) -> Result<(), Closed> {
        self.activity.report(match &outcome {
            Ok(()) => QueryOutcome::Succeeded,
            Err(_) if self.activity.control.is_stopped() => QueryOutcome::Stopped,
            Err(_) => QueryOutcome::Failed,
        });
        self.push(match outcome {
            Ok(()) => ResultEvent::End(self.activity.summary()),
            Err(error) => ResultEvent::Failed(error),
        })
    }

    /// The query is over: a later stop is not reported.
    pub(crate) fn finish(&self) {
        self.activity.control.finish();
    }

    /// The query's entry in the registry.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.activity.control
    }
}
