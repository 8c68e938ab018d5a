//! From a thread that blocks to a task that awaits: items through a short channel.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Items that wait for a slow reader.
const WAITING_ITEMS: usize = 2;

/// Items that a blocking thread makes, as a stream. Dropping it ends the thread's work.
pub(crate) struct BlockingStream<T> {
    receiver: mpsc::Receiver<Result<T>>,
}

impl<T: Send + 'static> BlockingStream<T> {
    /// Runs an iterator on a blocking thread of the current runtime.
    pub(crate) fn spawn(items: impl Iterator<Item = Result<T>> + Send + 'static) -> Self {
        Self::start(move || Ok(items))
    }

    /// Makes an iterator on a blocking thread of the current runtime, and runs it there. An error in making it is the
    /// stream's only item.
    pub(crate) fn start<I: Iterator<Item = Result<T>>>(
        make: impl FnOnce() -> Result<I> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_ITEMS);
        tokio::task::spawn_blocking(move || {
            // A panic must reach the reader as an error, not as an early end.
            let work = std::panic::AssertUnwindSafe(|| match make() {
                Ok(items) => {
                    for item in items {
                        if sender.blocking_send(item).is_err() {
                            return; // nobody reads any more
                        }
                    }
                }
                Err(error) => {
                    let _ = sender.blocking_send(Err(error));
                }
            });
            if let Err(panic) = std::panic::catch_unwind(work) {
                let _ = sender.blocking_send(Err(Error::from_panic(&*panic)));
            }
        });
        Self { receiver }
    }
}

impl<T> Stream for BlockingStream<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}
