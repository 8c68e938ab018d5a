//! A time limit within which a request must arrive completely.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use polarway_proto::Reason;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::body::Body;

use crate::body::{Filter, NextFrame, poll_frame};
use crate::foreign;

/// Whether the request is a stream of a service that is not ours. It may take long, as our uploads may.
pub(crate) fn is_foreign_stream(path: &str) -> bool {
    path.starts_with(foreign::REFLECTION)
}

/// Makes the body of a request fail if it is not complete in time: until then, its bytes take up memory.
pub(crate) struct TimeLimit {
    patience: Duration,
    began: Instant,
    /// Set once bytes were missing: most requests arrive complete.
    timer: Option<Pin<Box<Sleep>>>,
}

impl TimeLimit {
    /// For a request that must be complete when this time has passed since it began.
    pub(crate) fn new(began: Instant, patience: Duration) -> Self {
        Self { patience, began, timer: None }
    }
}

impl Filter for TimeLimit {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        if let Poll::Ready(frame) = poll_frame(body, context) {
            return Poll::Ready(frame);
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(self.began + self.patience)));
        timer.as_mut().poll(context).map(|()| {
            let message = format!("the request was not whole after {:?}: send it again", self.patience);
            Some(Err(Reason::UploadStalled.failure(message).into()))
        })
    }
}
