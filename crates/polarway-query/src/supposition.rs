//! A plan over the tables that its names most likely mean, which runs while the catalog is asked. Nothing of its result is delivered
//! before the answer is known.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::queue::control::StopSignal;
use crate::sink::{ResultEvent, ResultSink};

/// Where a result goes. Two threads deliver: the one that decides about a supposition, and then the query's own.
pub(crate) type SharedSink = Arc<Mutex<Box<dyn ResultSink>>>;

/// What the thread that runs the plan knows of the answer.
#[derive(Debug, Default)]
pub(crate) struct Supposition {
    state: Mutex<State>,
    decided: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_right: Option<bool>,
    /// The columns of the result, which are delivered with the decision.
    columns: Option<SchemaRef>,
}

impl Supposition {
    /// Whether the plan may go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.state.lock().is_right {
            Some(false) => Err(Error::Interrupted),
            Some(true) | None => Ok(()),
        }
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.state.lock().is_right.is_some()
    }

    /// Waits for the decision.
    pub(crate) fn wait(&self) {
        self.decided.wait_while(&mut self.state.lock(), |state| state.is_right.is_none());
    }

    /// Keeps the columns for the decision. Returns `false` if it was made: then they can be delivered.
    pub(crate) fn hold_back(&self, columns: &SchemaRef) -> Result<bool, Error> {
        let mut state = self.state.lock();
        match state.is_right {
            None => {
                state.columns = Some(Arc::clone(columns));
                Ok(true)
            }
            Some(true) => Ok(false),
            Some(false) => Err(Error::Interrupted),
        }
    }
}

/// The other side: the decision about a supposition. Dropping it decides against.
pub(crate) struct Decision {
    supposition: Arc<Supposition>,
    sink: SharedSink,
    stop: StopSignal,
}

impl Decision {
    pub(crate) fn new(supposition: Arc<Supposition>, sink: SharedSink, stop: StopSignal) -> Self {
        Self { supposition, sink, stop }
    }

    /// The plan is the right one.
    pub(crate) fn confirm(self) {
        let mut state = self.supposition.state.lock();
        if let Some(columns) = state.columns.take() {
            // A reader who is gone ends the query with its next rows.
            let _ = self.sink.lock().push(ResultEvent::Columns(columns), &self.stop);
        }
        state.is_right = Some(true);
        self.supposition.decided.notify_all();
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        let mut state = self.supposition.state.lock();
        if state.is_right.is_none() {
            state.is_right = Some(false);
            self.supposition.decided.notify_all();
            drop(state);
            // First the answer, then the interrupt: a plan that starts between the two sees the answer.
            self.stop.0.interrupt_running();
        }
    }
}
