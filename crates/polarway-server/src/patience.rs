//! A time limit within which a request must arrive completely.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use polarway_proto::{Method, Reason};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;

/// The service whose requests are streams and may take long, as our uploads may.
const REFLECTION: &str = "/grpc.reflection.";

/// Whether the request is a stream of a service that is not ours.
pub(crate) fn is_foreign_stream(path: &str) -> bool {
    path.starts_with(REFLECTION)
}

/// Makes a request fail if it is not complete after this time: until then, its bytes take up memory.
pub(crate) fn whole_within(request: Request<Body>, patience: Duration) -> Request<Body> {
    let path = request.uri().path();
    if Method::of_path(path).is_some_and(Method::is_upload) || is_foreign_stream(path) {
        return request;
    }
    let deadline = Instant::now() + patience;
    request.map(|body| Body::new(Timed { body, patience, deadline, timer: None }))
}

struct Timed {
    body: Body,
    patience: Duration,
    deadline: Instant,
    /// Set once bytes were missing: most requests arrive complete.
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(this.deadline)));
        timer.as_mut().poll(context).map(|()| {
            let message = format!("the request was not whole after {:?}: send it again", this.patience);
            Some(Err(Reason::UploadStalled.failure(message).into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
