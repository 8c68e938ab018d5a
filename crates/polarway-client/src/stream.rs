//! A stream of batches.

use std::pin::Pin;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use futures::{Stream, stream};

use crate::error::Result;

/// A source of batches.
pub(crate) trait Batches: Send + 'static {
    /// The next batch; `None` after the last.
    fn next(&mut self) -> impl Future<Output = Result<Option<RecordBatch>>> + Send;
}

/// Batches as a stream, which ends with the first error.
pub(crate) struct BatchStream(Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>);

impl BatchStream {
    /// The batches of this source.
    pub(crate) fn new(batches: impl Batches) -> Self {
        Self(Box::pin(stream::try_unfold(batches, async |mut batches| {
            Ok(batches.next().await?.map(|batch| (batch, batches)))
        })))
    }
}

impl Stream for BatchStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}
