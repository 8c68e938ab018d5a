//! A query as its executor sees it: where its result goes, and what stops it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use polarway_model::EngineUsed;

use crate::batches::bytes;
use crate::error::Error;
use crate::plan::PlanLimits;
use crate::queue::activity::Activity;
use crate::queue::admission::Admission;
use crate::queue::control::{Control, Interrupt, StopSignal};
use crate::queue::registry::Registered;
use crate::sink::{Closed, ResultEvent, ResultSink};
use crate::status::{Phase, QueryOutcome};
use crate::supposition::{Decision, SharedSink, Supposition};

/// Takes a query's result from its executor, within the query's limits, and tells the executor when to stop.
pub struct Output {
    activity: Registered,
    admission: Arc<Admission>,
    sink: SharedSink,
    stop: StopSignal,
    limits: PlanLimits,
    columns: Option<SchemaRef>,
    has_rows: bool,
    /// Set while the plan may be the wrong one.
    supposition: Option<Arc<Supposition>>,
}

impl Output {
    pub(crate) fn new(
        activity: Registered,
        admission: Arc<Admission>,
        sink: Box<dyn ResultSink>,
        limits: PlanLimits,
    ) -> Self {
        let stop = StopSignal(Arc::clone(&activity.control));
        let sink = Arc::new(Mutex::new(sink));
        Self { activity, admission, sink, stop, limits, columns: None, has_rows: false, supposition: None }
    }

    /// Whether the query may continue. An executor checks this between its steps.
    ///
    /// # Errors
    /// Why the query was stopped. [`Error::Interrupted`] also where this plan is no longer the query's.
    pub fn check(&self) -> Result<(), Error> {
        self.activity.control.check()?;
        self.supposition.as_ref().map_or(Ok(()), |supposition| supposition.check())
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
        if self.columns.is_some() {
            return Ok(());
        }
        self.columns = Some(Arc::clone(schema));
        if let Some(supposition) = &self.supposition
            && supposition.hold_back(schema)?
        {
            return Ok(());
        }
        self.push(ResultEvent::Columns(Arc::clone(schema))).map_err(|_| Error::Interrupted)
    }

    /// The columns that were delivered.
    pub(crate) fn schema(&self) -> Option<SchemaRef> {
        self.columns.clone()
    }

    /// Delivers the next rows. While the reader is slow, this waits.
    ///
    /// # Errors
    /// The result is larger than allowed, or no longer wanted.
    pub fn rows(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.await_decision()?;
        let (rows, size) = self.activity.count(batch.num_rows() as u64, bytes(&batch) as u64);
        self.check_rows(rows)?;
        self.check_bytes(size)?;
        self.has_rows = true;
        self.push(ResultEvent::Rows(batch)).map_err(|_| Error::Interrupted)
    }

    /// Notes how many rows a result has that became a table and is not delivered.
    ///
    /// # Errors
    /// These are more than allowed.
    pub fn kept_rows(&mut self, rows: u64) -> Result<(), Error> {
        self.check_rows(rows)?;
        self.activity.set_size(rows, 0);
        Ok(())
    }

    /// Notes how much of a result workers have written that is not delivered, in all.
    ///
    /// # Errors
    /// The query was stopped, or this is more than allowed.
    pub(crate) fn written(&mut self, rows: u64, bytes: u64) -> Result<(), Error> {
        self.check()?;
        self.activity.set_size(rows, bytes);
        self.check_rows(rows)?;
        self.check_bytes(bytes)
    }

    /// Notes which engine runs the query.
    pub(crate) fn ran_on(&self, engine: EngineUsed) {
        self.activity.ran_on(engine);
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

    fn check_bytes(&self, bytes: u64) -> Result<(), Error> {
        match bytes > self.limits.result_bytes {
            true => Err(Error::QueryTooLarge(format!(
                "the result has more than the {} bytes that are allowed; select fewer rows or columns, or aggregate",
                self.limits.result_bytes
            ))),
            false => Ok(()),
        }
    }

    /// Passes a step to the reader. If the reader was so slow that the slot went to another query, waits for a new slot.
    fn push(&mut self, event: ResultEvent) -> Result<(), Closed> {
        let is_last = matches!(event, ResultEvent::End(_) | ResultEvent::Failed(_));
        self.activity.seat.lock().wait();
        let pushed = self.sink.lock().push(event, &self.stop);
        let has_slot = self.activity.seat.lock().go_on();
        if !has_slot && pushed.is_ok() && !is_last {
            self.admission.come_back(self.activity.shared());
        }
        pushed
    }

    /// From now on the plan may be the wrong one: the result is held back until the decision.
    pub(crate) fn suppose(&mut self) -> Decision {
        let supposition = Arc::new(Supposition::default());
        self.supposition = Some(Arc::clone(&supposition));
        Decision::new(supposition, Arc::clone(&self.sink), self.stop.clone())
    }

    /// The plan has run, and whether it was the right one is known: the next one is the right one in any case.
    pub(crate) fn settle(&mut self) -> bool {
        let is_right = self.supposition.take().is_none_or(|supposition| supposition.check().is_ok());
        if !is_right {
            self.columns = None;
        }
        is_right
    }

    fn await_decision(&self) -> Result<(), Error> {
        let Some(supposition) = self.supposition.as_ref().filter(|supposition| !supposition.is_decided())
        else {
            return self.check();
        };
        self.enter(Phase::Resolving);
        supposition.wait();
        self.enter(Phase::Running);
        self.check()
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
