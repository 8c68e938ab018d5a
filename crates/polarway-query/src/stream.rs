//! A running query as its caller sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use crossbeam_channel::{Receiver, Sender, at, never, select_biased};
use parking_lot::Mutex;

use crate::error::Error;
use crate::native::Connection;

/// What the query's thread sends. An end or a failure is the last thing it sends.
pub(crate) enum Event {
    Started(SchemaRef),
    Batch(RecordBatch),
    Ended,
    Failed(Error),
}

/// What the caller and the query's thread share to stop the query.
#[derive(Debug)]
pub(crate) struct Control {
    is_stopped: AtomicBool,
    /// Dropped to wake whoever waits.
    waker: Mutex<Option<Sender<()>>>,
    stopped: Receiver<()>,
    /// The connection while the query is on it.
    connection: Mutex<Option<Connection>>,
    deadline: Option<Instant>,
}

impl Control {
    pub(crate) fn new(deadline: Option<Instant>) -> Arc<Self> {
        let (waker, stopped) = crossbeam_channel::bounded(0);
        Arc::new(Self {
            is_stopped: AtomicBool::new(false),
            waker: Mutex::new(Some(waker)),
            stopped,
            connection: Mutex::new(None),
            deadline,
        })
    }

    fn stop(&self) {
        // First the flag, then the interrupt: a query that starts between the two sees the flag.
        self.is_stopped.store(true, Ordering::SeqCst);
        drop(self.waker.lock().take());
        if let Some(connection) = self.connection.lock().as_ref() {
            connection.interrupt();
        }
    }

    /// Whether the query may go on.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_past_deadline() {
            return Err(Error::Deadline);
        }
        if self.is_stopped.load(Ordering::SeqCst) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    fn is_past_deadline(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// From now on a stop interrupts this connection.
    pub(crate) fn attach(&self, connection: &Connection) {
        *self.connection.lock() = Some(connection.clone());
    }

    /// From now on the connection belongs to others.
    pub(crate) fn detach(&self) {
        *self.connection.lock() = None;
    }

    /// Hands an event to the caller, waiting until there is room.
    pub(crate) fn send(&self, events: &Sender<Event>, event: Event) -> Result<(), Error> {
        select_biased! {
            send(events, event) -> sent => sent.map_err(|_| Error::Interrupted),
            recv(self.stopped) -> _ => Err(Error::Interrupted),
            recv(self.timer()) -> _ => Err(Error::Deadline),
        }
    }

    /// Waits for the next event.
    pub(crate) fn receive(&self, events: &Receiver<Event>) -> Result<Event, Error> {
        self.check()?;
        select_biased! {
            recv(events) -> event => event.map_err(|_| Error::Internal("its thread ended early".to_owned())),
            recv(self.stopped) -> _ => Err(Error::Interrupted),
            recv(self.timer()) -> _ => Err(Error::Deadline),
        }
    }

    fn timer(&self) -> Receiver<Instant> {
        self.deadline.map_or_else(never, at)
    }
}

/// Stops a query from any thread; cheap to clone, and harmless once the query has ended.
#[derive(Debug, Clone)]
pub struct InterruptHandle(Arc<Control>);

impl InterruptHandle {
    /// Stops the query. Its caller gets [`Error::Interrupted`] at once; DuckDB may hear it a little later.
    pub fn interrupt(&self) {
        self.0.stop();
    }
}

/// The result of a query, batch by batch, while DuckDB makes it.
///
/// Only a few batches are made ahead: a slow reader slows the query down. Dropping the stream stops the query.
/// After an error, or the end, it gives nothing more.
#[derive(Debug)]
pub struct QueryStream {
    schema: SchemaRef,
    events: Receiver<Event>,
    control: Arc<Control>,
    is_over: bool,
}

impl QueryStream {
    pub(crate) fn new(schema: SchemaRef, events: Receiver<Event>, control: Arc<Control>) -> Self {
        Self { schema, events, control, is_over: false }
    }

    /// Waits until the query's columns are known, or it failed before that.
    pub(crate) fn wait_for_schema(&mut self) -> Result<(), Error> {
        match self.control.receive(&self.events)? {
            Event::Started(schema) => self.schema = schema,
            Event::Failed(error) => return Err(error),
            Event::Batch(_) | Event::Ended => {
                return Err(Error::Internal("it gave rows before its columns".to_owned()));
            }
        }
        Ok(())
    }

    /// The columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// What stops the query from another thread.
    #[must_use]
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(Arc::clone(&self.control))
    }
}

impl Iterator for QueryStream {
    type Item = Result<RecordBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let item = match self.control.receive(&self.events) {
            Ok(Event::Batch(batch)) => return Some(Ok(batch)),
            Ok(Event::Ended) => None,
            Ok(Event::Failed(error)) | Err(error) => Some(Err(error)),
            Ok(Event::Started(_)) => Some(Err(Error::Internal("it started twice".to_owned()))),
        };
        self.is_over = true;
        self.control.stop();
        item
    }
}

impl std::iter::FusedIterator for QueryStream {}

impl Drop for QueryStream {
    fn drop(&mut self) {
        if !self.is_over {
            self.control.stop();
        }
    }
}
