//! The body of a call that ends when its query does.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::body::Body;

use super::RunningQuery;

/// A body that passes frames on until its query ends. What it reads from is dropped at once then.
pub(super) struct Stoppable {
    inner: Option<Body>,
    query: Arc<RunningQuery>,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Whether its end needs a reason: a request just ends.
    is_answer: bool,
}

impl Stoppable {
    /// The body of a request: it just ends.
    pub(super) fn request(inner: Body, query: &Arc<RunningQuery>) -> Body {
        Body::new(Self::new(inner, query, false))
    }

    /// The body of an answer: its trailers say why it ended.
    pub(super) fn answer(inner: Body, query: &Arc<RunningQuery>) -> Body {
        Body::new(Self::new(inner, query, true))
    }

    fn new(inner: Body, query: &Arc<RunningQuery>, is_answer: bool) -> Self {
        let stopped = Box::pin(query.stopped().clone().cancelled_owned());
        Self { inner: Some(inner), query: Arc::clone(query), stopped, is_answer }
    }

    fn end(&mut self) -> Option<Result<Frame<Bytes>, Status>> {
        self.inner = None;
        if !std::mem::take(&mut self.is_answer) {
            return None;
        }
        let mut trailers = HeaderMap::new();
        // A status whose text no header can have ends the call as well, without words.
        let _ = self.query.ended().add_header(&mut trailers);
        Some(Ok(Frame::trailers(trailers)))
    }
}

impl http_body::Body for Stoppable {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.inner.is_some() && self.stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(self.end());
        }
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_end_stream())
    }
}
