//! Bodies whose frames pass through something that counts, delays or ends them.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

/// The next frame of a body, its failure, or `None` at its end.
pub(crate) type NextFrame = Option<Result<Frame<Bytes>, Status>>;

/// What the frames of a body pass through.
pub(crate) trait Filter: Send + Unpin + 'static {
    /// The next frame for the reader, from those of `body`.
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame>;

    /// Whether a frame is held back, which the reader gets even if `body` has no more.
    fn holds_frame(&self) -> bool {
        false
    }
}

/// A body whose frames pass through this filter. Its size is unknown, since the filter may end it early.
pub(crate) fn filtered(body: Body, filter: impl Filter) -> Body {
    Body::new(Filtered { body, filter })
}

/// The next frame of a body.
pub(crate) fn poll_frame(body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
    http_body::Body::poll_frame(Pin::new(body), context)
}

struct Filtered<F> {
    body: Body,
    filter: F,
}

impl<F: Filter> http_body::Body for Filtered<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<NextFrame> {
        let this = &mut *self;
        this.filter.poll_frame(&mut this.body, context)
    }

    fn is_end_stream(&self) -> bool {
        !self.filter.holds_frame() && self.body.is_end_stream()
    }
}
