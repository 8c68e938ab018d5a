//! Passes a query's columns, rows and summary from its own thread to the task that awaits them.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{FutureExt as _, Stream, StreamExt as _};
use polarway_query::{Closed, InterruptHandle, Release, ResultEvent, ResultSink, StopSignal, Summary};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, ErrorKind, Result};

/// Items that wait for a slow reader.
const ITEMS_AHEAD: usize = 2;

/// How often a query that waits for its reader checks whether it was stopped.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a query returns, with rows as `T`.
pub(crate) enum Event<T> {
    Columns(SchemaRef),
    Item(T),
    /// With the last item, if there is one left, so that the reader is woken only once.
    End(Option<T>, Summary),
}

/// The form in which rows are returned.
pub(crate) trait Form: Send + 'static {
    type Item: Send + 'static;

    /// Whether the columns are an event of their own. Otherwise, the first item has them.
    const TELLS_COLUMNS: bool;

    /// Called with the columns, before any rows.
    fn begin(&mut self, schema: &SchemaRef) -> Result<()>;

    /// The items for some rows.
    fn rows(&mut self, batch: RecordBatch) -> Result<Vec<Self::Item>>;

    /// The item after the last rows.
    fn end(&mut self) -> Option<Self::Item>;
}

/// Makes a sink for the query's thread, and the receivers for the task.
pub(crate) fn channel<F: Form>(form: F) -> (EventSink<F>, Receivers<F::Item>) {
    let (sender, items) = mpsc::channel(ITEMS_AHEAD);
    let (failure, failed) = oneshot::channel();
    let sink = EventSink { form, sender, failure: Some(failure), runtime: Handle::current() };
    (sink, Receivers { items, failed: failed.fuse() })
}

/// The query's side of the channel.
pub(crate) struct EventSink<F: Form> {
    form: F,
    sender: mpsc::Sender<Result<Event<F::Item>>>,
    failure: Option<oneshot::Sender<Error>>,
    runtime: Handle,
}

impl<F: Form> EventSink<F> {
    fn send(&self, event: Result<Event<F::Item>>, stop: &StopSignal) -> Result<(), Closed> {
        let permit = match self.sender.try_reserve() {
            Ok(permit) => permit,
            Err(mpsc::error::TrySendError::Closed(())) => return Err(Closed),
            Err(mpsc::error::TrySendError::Full(())) => loop {
                if stop.is_raised() {
                    return Err(Closed);
                }
                let reserved = async { tokio::time::timeout(PATIENCE, self.sender.reserve()).await };
                match self.runtime.block_on(reserved) {
                    Ok(Ok(permit)) => break permit,
                    Ok(Err(_)) => return Err(Closed),
                    Err(_) => {}
                }
            },
        };
        permit.send(event);
        Ok(())
    }

    fn events(&mut self, event: ResultEvent) -> Result<Vec<Event<F::Item>>> {
        Ok(match event {
            ResultEvent::Columns(schema) => {
                self.form.begin(&schema)?;
                if F::TELLS_COLUMNS { vec![Event::Columns(schema)] } else { Vec::new() }
            }
            ResultEvent::Rows(batch) => self.form.rows(batch)?.into_iter().map(Event::Item).collect(),
            ResultEvent::End(summary) => vec![Event::End(self.form.end(), summary)],
            ResultEvent::Failed(error) => return Err(error.into()),
        })
    }
}

impl<F: Form> ResultSink for EventSink<F> {
    fn push(&mut self, event: ResultEvent, stop: &StopSignal) -> Result<(), Closed> {
        match self.events(event) {
            Ok(events) => events.into_iter().try_for_each(|event| self.send(Ok(event), stop)),
            Err(error) => {
                self.send(Err(error), stop)?;
                Err(Closed)
            }
        }
    }

    fn releaser(&mut self) -> Release {
        let failure = self.failure.take();
        Box::new(move |error| {
            if let Some(failure) = failure {
                let _ = failure.send(error.into());
            }
        })
    }
}

/// The task's side of the channel, before the query runs.
pub(crate) struct Receivers<T> {
    items: mpsc::Receiver<Result<Event<T>>>,
    failed: futures::future::Fuse<oneshot::Receiver<Error>>,
}

impl<T: Send + 'static> Receivers<T> {
    /// Combines them with the query that has the sink.
    pub(crate) fn of(self, query: InterruptHandle) -> QueryEvents<T> {
        QueryEvents { receivers: self, query, is_over: false }
    }
}

/// The events of a query. Dropping it stops the query.
pub(crate) struct QueryEvents<T> {
    receivers: Receivers<T>,
    query: InterruptHandle,
    is_over: bool,
}

impl<T: Send + 'static> QueryEvents<T> {
    /// Waits for the columns.
    pub(crate) async fn columns(&mut self) -> Result<SchemaRef> {
        match self.next().await {
            Some(Ok(Event::Columns(schema))) => Ok(schema),
            Some(Err(error)) => Err(error),
            _ => Err(Error::new(ErrorKind::Internal, "a query gave rows before its columns")),
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<Event<T>>> {
        // Without a failure only the other channel counts: it ends when the query does.
        if let Poll::Ready(Ok(error)) = self.receivers.failed.poll_unpin(context) {
            return Poll::Ready(Err(error));
        }
        self.receivers.items.poll_recv(context).map(|event| {
            event.unwrap_or_else(|| {
                Err(Error::new(ErrorKind::Internal, "a bug in Polarway: a query's thread ended early"))
            })
        })
    }
}

impl<T: Send + 'static> Stream for QueryEvents<T> {
    type Item = Result<Event<T>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        self.poll_event(context).map(|event| {
            self.is_over = matches!(event, Ok(Event::End(..)) | Err(_));
            Some(event)
        })
    }
}

impl<T> Drop for QueryEvents<T> {
    fn drop(&mut self) {
        if !self.is_over {
            self.query.interrupt();
        }
    }
}
