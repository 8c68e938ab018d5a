//! What stops a query, and how its caller is released while its thread is still at work.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::error::Error;

/// Why a query was stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StopReason {
    /// Its caller cancelled it, or someone stopped it by its id.
    Cancelled,
    /// Its deadline passed.
    Deadline,
    /// It got no free slot within this time.
    Waited(Duration),
    /// It waited, and so many of its owner's did that it had to make room for another owner's.
    Displaced,
    /// Its reader took nothing for this time while others waited.
    Reader(Duration),
    /// The process ran short of memory.
    Memory,
    /// Its DuckDB was replaced, and the time to finish there has passed.
    Replaced,
}

impl From<StopReason> for Error {
    fn from(reason: StopReason) -> Self {
        match reason {
            StopReason::Cancelled => Self::Interrupted,
            StopReason::Deadline => Self::Deadline,
            StopReason::Waited(wait) => Self::Busy(format!(
                "other queries held the server for {:.1} s; try again when fewer run",
                wait.as_secs_f64()
            )),
            StopReason::Displaced => Self::Busy(
                "too many queries wait, and more of this caller's than of others'; try again when fewer do".to_owned(),
            ),
            StopReason::Reader(silence) => Self::ReaderTooSlow(format!(
                "the result was not read for {:.1} s while other queries waited; read it faster, select less, or keep it \
                 under a handle and load that",
                silence.as_secs_f64()
            )),
            StopReason::Replaced => Self::Replaced(
                "another query broke the query engine, and this one did not end soon enough after that; run it again"
                    .to_owned(),
            ),
            StopReason::Memory => Self::QueryTooLarge(
                "the server's memory ran short, and this was the newest large query; select fewer rows or columns"
                    .to_owned(),
            ),
        }
    }
}

/// Reports to the reader of a query's result that the query was stopped, and why. It must not block.
pub type Release = Box<dyn FnOnce(Error) + Send>;

/// Something that runs for a query and can be stopped.
pub trait Interrupt: Send + Sync {
    /// Makes it end soon. It is called on any thread, and must not block.
    fn interrupt(&self);
}

/// What a query's caller, its thread and its watch share.
pub(crate) struct Control {
    stopped: OnceLock<StopReason>,
    /// Reports a stop to the caller; empty once the query has ended or was stopped.
    release: Mutex<Option<Release>>,
    /// What is running for the query now, if anything.
    running: Mutex<Option<Arc<dyn Interrupt>>>,
    deadline: Option<Instant>,
}

impl Control {
    pub(crate) fn new(deadline: Option<Instant>, release: Release) -> Self {
        Self {
            stopped: OnceLock::new(),
            release: Mutex::new(Some(release)),
            running: Mutex::new(None),
            deadline,
        }
    }

    /// Stops the query; the first reason counts. Has no effect on a query that has ended.
    pub(crate) fn stop(&self, reason: StopReason) {
        // First the flag, then the interrupt: a query that starts between the two sees the flag.
        if self.stopped.set(reason).is_err() {
            return;
        }
        self.interrupt_running();
        let release = self.release.lock().take();
        if let Some(release) = release {
            release(reason.into());
        }
    }

    /// Whether the query may go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.stop_if_late(Instant::now());
        self.stopped.get().map_or(Ok(()), |reason| Err((*reason).into()))
    }

    /// Stops a query whose deadline has passed.
    pub(crate) fn stop_if_late(&self, now: Instant) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            self.stop(StopReason::Deadline);
        }
    }

    /// Interrupts again what runs for a query that was stopped: an interrupt that comes between two of DuckDB's statements is lost.
    pub(crate) fn interrupt_if_stopped(&self) {
        if self.is_stopped() {
            self.interrupt_running();
        }
    }

    /// Makes what is running for the query end soon. The query itself is not stopped.
    pub(crate) fn interrupt_running(&self) {
        if let Some(running) = self.running.lock().as_ref() {
            running.interrupt();
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// From now on a stop interrupts `running`.
    pub(crate) fn attach(&self, running: Arc<dyn Interrupt>) {
        *self.running.lock() = Some(running);
    }

    /// From now on a stop interrupts nothing.
    pub(crate) fn detach(&self) {
        *self.running.lock() = None;
    }

    /// The query has reported its end: a later stop is not reported. A stop just before may not have been reported yet, and
    /// there may have been no room for what the query reported.
    pub(crate) fn finish(&self) {
        let release = self.release.lock().take();
        if let (Some(release), Some(reason)) = (release, self.stopped.get()) {
            release((*reason).into());
        }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

/// Whether a query was stopped, for the sink that takes its result.
#[derive(Debug, Clone)]
pub struct StopSignal(pub(crate) Arc<Control>);

impl StopSignal {
    /// Whether the rest of the result is no longer wanted.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.0.is_stopped()
    }
}

/// Stops a query from any thread; cheap to clone. Has no effect once the query has ended.
#[derive(Debug, Clone)]
pub struct InterruptHandle(pub(crate) Arc<Control>);

impl InterruptHandle {
    /// Stops the query. Its caller gets [`Error::Interrupted`] at once; DuckDB may react a little later.
    pub fn interrupt(&self) {
        self.0.stop(StopReason::Cancelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_told_of_a_stop_that_came_while_its_query_ended() {
        let (told, hears) = std::sync::mpsc::channel();
        let control = Control::new(None, Box::new(move |error| told.send(error).unwrap()));
        // The state when the query's thread sees a stop before `stop` has finished.
        control.stopped.set(StopReason::Cancelled).unwrap();
        control.finish();
        assert!(matches!(hears.recv(), Ok(Error::Interrupted)));
    }
}
