//! The result of a query as an iterator, for tests that read it on their own thread.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, never, select_biased};
use polarway_query::{Closed, Error, InterruptHandle, Release, ResultEvent, ResultSink, StopSignal, Summary};

/// Steps that may wait for the reader, besides the one that is being made.
const STEPS_AHEAD: usize = 2;

/// How often a query that waits for its reader looks whether it was stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// The query's end.
pub(crate) struct Sink {
    events: Sender<ResultEvent>,
    failure: Sender<Error>,
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Events {
    events: Receiver<ResultEvent>,
    failure: Receiver<Error>,
}

pub(crate) fn channel() -> (Sink, Events) {
    let (sender, events) = bounded(STEPS_AHEAD);
    let (failure, failed) = bounded(1);
    (Sink { events: sender, failure }, Events { events, failure: failed })
}

impl ResultSink for Sink {
    fn push(&mut self, mut event: ResultEvent, stop: &StopSignal) -> Result<(), Closed> {
        loop {
            event = match self.events.send_timeout(event, PATIENCE) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(event)) if !stop.is_raised() => event,
                Err(_) => return Err(Closed),
            };
        }
    }

    fn releaser(&mut self) -> Release {
        let failure = self.failure.clone();
        Box::new(move |error| {
            let _ = failure.try_send(error); // nobody may be reading any more
        })
    }
}

impl Events {
    fn next(&mut self) -> ResultEvent {
        select_biased! {
            recv(self.failure) -> error => match error {
                Ok(error) => ResultEvent::Failed(error),
                Err(_) => {
                    // The query has ended: what it gave is all that comes.
                    self.failure = never();
                    self.next()
                }
            },
            recv(self.events) -> event => event.unwrap_or_else(|_| {
                // A bug ended its thread: that is how whoever waits hears of it.
                ResultEvent::Failed(Error::Internal("its thread ended early".to_owned()))
            }),
        }
    }
}

/// Rows as they come. Only a few batches are made ahead. Dropping it stops the query.
#[derive(Debug)]
pub(crate) struct QueryStream {
    schema: SchemaRef,
    events: Events,
    interrupt: InterruptHandle,
    summary: Option<Summary>,
    is_over: bool,
}

impl QueryStream {
    /// Waits until the query's columns are known, or it failed before that.
    pub(crate) fn open(mut events: Events, interrupt: InterruptHandle) -> Result<Self, Error> {
        match events.next() {
            ResultEvent::Columns(schema) => {
                Ok(Self { schema, events, interrupt, summary: None, is_over: false })
            }
            ResultEvent::Failed(error) => Err(error),
            other => panic!("{other:?} came before the columns"),
        }
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// What the query did; known once the stream has ended.
    pub(crate) fn summary(&self) -> Option<Summary> {
        self.summary.clone()
    }

    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.interrupt.clone()
    }
}

impl Iterator for QueryStream {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.events.next() {
            ResultEvent::Rows(batch) => Some(Ok(batch)),
            ResultEvent::End(summary) => {
                self.is_over = true;
                self.summary = Some(summary);
                None
            }
            ResultEvent::Failed(error) => {
                self.is_over = true;
                Some(Err(error))
            }
            ResultEvent::Columns(_) => panic!("the columns came twice"),
        }
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        if !self.is_over {
            self.interrupt.interrupt();
        }
    }
}
