//! A query's result as an iterator.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, select_biased};

use crate::activity::Summary;
use crate::control::{InterruptHandle, StopSignal};
use crate::error::Error;
use crate::sink::{Closed, Release, ResultEvent, ResultSink};

/// Steps that may wait for the reader, besides the one that is being made.
const STEPS_AHEAD: usize = 2;

/// How often a query that waits for its reader looks whether it was stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// The query's end of an iterator.
pub(crate) struct ChannelSink {
    events: Sender<ResultEvent>,
    failure: Sender<Error>,
}

/// The reader's end.
#[derive(Debug)]
pub(crate) struct Events {
    events: Receiver<ResultEvent>,
    failure: Receiver<Error>,
    /// Held, so that a failure is all that ever comes through that channel: its end is no news.
    _open: Sender<Error>,
}

pub(crate) fn channel() -> (ChannelSink, Events) {
    let (sender, receiver) = bounded(STEPS_AHEAD);
    let (failure, failed) = bounded(1);
    let open = failure.clone();
    (ChannelSink { events: sender, failure }, Events { events: receiver, failure: failed, _open: open })
}

impl ResultSink for ChannelSink {
    fn push(&mut self, event: ResultEvent, stop: &StopSignal) -> Result<(), Closed> {
        let mut event = event;
        while !stop.is_raised() {
            event = match self.events.send_timeout(event, PATIENCE) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(event)) => event,
                Err(SendTimeoutError::Disconnected(_)) => return Err(Closed),
            };
        }
        Err(Closed)
    }

    fn releaser(&mut self) -> Release {
        let failure = self.failure.clone();
        Box::new(move |error| {
            let _ = failure.try_send(error);
        })
    }
}

impl Events {
    fn next(&self) -> Result<ResultEvent, Error> {
        let ended_early = |_| Error::Internal("its thread ended early".to_owned());
        select_biased! {
            recv(self.failure) -> error => Err(error.unwrap_or_else(ended_early)),
            recv(self.events) -> event => event.map_err(ended_early),
        }
    }
}

/// The result of a query, batch by batch, while DuckDB makes it.
///
/// Only a few batches are made ahead: a slow reader slows the query down. Dropping the stream stops the query.
/// After an error, or the end, it gives nothing more.
#[derive(Debug)]
pub struct QueryStream {
    schema: SchemaRef,
    events: Events,
    interrupt: InterruptHandle,
    summary: Option<Summary>,
    is_over: bool,
}

impl QueryStream {
    /// Waits until the query's columns are known, or it failed before that.
    pub(crate) fn open(events: Events, interrupt: InterruptHandle) -> Result<Self, Error> {
        // Whatever ends this function before the columns are known stops the query.
        let schema = Arc::new(Schema::empty());
        let mut stream = Self { schema, events, interrupt, summary: None, is_over: false };
        match stream.events.next()? {
            ResultEvent::Columns(schema) => stream.schema = schema,
            ResultEvent::Failed(error) => return Err(error),
            ResultEvent::Rows(_) | ResultEvent::End(_) => {
                return Err(Error::Internal("it gave rows before its columns".to_owned()));
            }
        }
        Ok(stream)
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What the query did; known once the stream has ended.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// What stops the query from another thread.
    #[must_use]
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.interrupt.clone()
    }
}

impl Iterator for QueryStream {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = match self.events.next() {
            Ok(ResultEvent::Rows(batch)) => return Some(Ok(batch)),
            Ok(ResultEvent::End(summary)) => {
                self.summary = Some(summary);
                None
            }
            Ok(ResultEvent::Failed(error)) | Err(error) => Some(Err(error)),
            Ok(ResultEvent::Columns(_)) => Some(Err(Error::Internal("it started twice".to_owned()))),
        };
        self.is_over = true;
        self.interrupt.interrupt();
        item
    }
}

impl std::iter::FusedIterator for QueryStream {}

impl Drop for QueryStream {
    fn drop(&mut self) {
        if !self.is_over {
            self.interrupt.interrupt();
        }
    }
}
