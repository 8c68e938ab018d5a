//! Ends calls early: when their token expires or is withdrawn, or when the server shuts down.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{self, BoxFuture};
use http::HeaderMap;
use http_body::{Body as _, Frame};
use polarway_proto::Reason;
use polarway_proto::transport::MESSAGE_HEADER_BYTES;
use polarway_proto::v1::Failure;
use tokio::time::{Instant, sleep_until};
use tonic::Status;
use tonic::body::Body;
use tracing::Span;

use crate::auth::Session;
use crate::body::{Filter, NextFrame, poll_frame};
use crate::drain::CutOff;

/// How long after its deadline a method may end its answer by itself.
const FOR_THE_METHOD: Duration = Duration::from_millis(250);

/// What may end a call early.
#[derive(Clone)]
struct Ending {
    cut_off: CutOff,
    /// The session of its token, if that may end.
    session: Option<Arc<Session>>,
    /// When the stream of its answer ends, if it has a deadline.
    deadline: Option<Instant>,
}

impl Ending {
    fn check(&self) -> Result<(), Failure> {
        self.cut_off.check()?;
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(too_late());
        }
        self.session.as_ref().map_or(Ok(()), |session| session.check())
    }

    /// Waits until the call must end. Returns the reason.
    async fn ended(self) -> Failure {
        let session = async {
            match &self.session {
                Some(session) => session.ended().await,
                None => future::pending().await,
            }
        };
        let deadline = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => future::pending().await,
            }
            too_late()
        };
        tokio::select! {
            failure = self.cut_off.ended() => failure,
            failure = session => failure,
            failure = deadline => failure,
        }
    }
}

pub(crate) fn too_late() -> Failure {
    Reason::DeadlineExceeded.failure("the call's deadline passed")
}

/// Waits for the end of a call.
pub(crate) struct Watch {
    ending: Ending,
    /// Set once something is waited for: most answers are there at once.
    ended: Option<BoxFuture<'static, Failure>>,
}

impl Watch {
    /// For a call that ends when its server cuts it off.
    pub(crate) fn new(cut_off: CutOff) -> Self {
        Self { ending: Ending { cut_off, session: None, deadline: None }, ended: None }
    }

    /// The call ends with its session, too.
    pub(crate) fn end_with(&mut self, session: &Arc<Session>) {
        if session.may_end() {
            self.ending.session = Some(Arc::clone(session));
            self.ended = None;
        }
    }

    /// The stream of its answer ends soon after its deadline: the method itself may say better what it was doing then.
    pub(crate) fn end_after(&mut self, deadline: Instant) {
        self.ending.deadline = Some(deadline + FOR_THE_METHOD);
        self.ended = None;
    }

    /// Works on the call, in its span.
    ///
    /// # Errors
    /// The reason why the call must end before the work is done.
    pub(crate) async fn during<T>(
        &mut self,
        span: &Span,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Failure> {
        future::poll_fn(|context| match span.in_scope(|| work.as_mut().poll(context)) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => self.poll(context).map(Err),
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        self.ended.get_or_insert_with(|| Box::pin(self.ending.clone().ended())).as_mut().poll(context)
    }
}

/// Ends the body of a request when its call must end. Its reader may outlive the call: the reflection service reads in its own
/// task, which would keep the connection open.
pub(crate) struct RequestEnd(pub(crate) Watch);

impl Filter for RequestEnd {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        match poll_frame(body, context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => self.0.poll(context).map(|failure| Some(Err(failure.into()))),
        }
    }
}

/// Ends the body of an answer if its call must end: after the current message, with a status.
pub(crate) struct AnswerEnd {
    watch: Watch,
    message: Message,
}

impl From<Watch> for AnswerEnd {
    fn from(watch: Watch) -> Self {
        Self { watch, message: Message::default() }
    }
}

impl Filter for AnswerEnd {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        if self.message.is_whole()
            && !body.is_end_stream()
            && let Err(failure) = self.watch.ending.check()
        {
            return Poll::Ready(end(body, failure));
        }
        match poll_frame(body, context) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(data) = frame.data_ref()
                {
                    self.message.read(data);
                }
                Poll::Ready(frame)
            }
            // A message that has begun is sent completely, since all of it is there.
            Poll::Pending if self.message.is_whole() => {
                self.watch.poll(context).map(|failure| end(body, failure))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// The last frame of a body that ends with this failure.
fn end(body: &mut Body, failure: Failure) -> NextFrame {
    *body = Body::empty();
    let mut trailers = HeaderMap::new();
    Some(Status::from(failure).add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
}

/// How much of the current message has been sent: a client would not understand a status in the middle of a message.
#[derive(Default)]
struct Message {
    header: [u8; MESSAGE_HEADER_BYTES],
    /// How much of the header has been sent.
    header_bytes: usize,
    /// How much of the message after its header is missing.
    missing_bytes: usize,
}

impl Message {
    fn is_whole(&self) -> bool {
        self.header_bytes == 0 && self.missing_bytes == 0
    }

    fn read(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.missing_bytes > 0 {
                let taken = self.missing_bytes.min(data.len());
                self.missing_bytes -= taken;
                data = &data[taken..];
                continue;
            }
            let taken = (MESSAGE_HEADER_BYTES - self.header_bytes).min(data.len());
            self.header[self.header_bytes..][..taken].copy_from_slice(&data[..taken]);
            self.header_bytes += taken;
            data = &data[taken..];
            if self.header_bytes == MESSAGE_HEADER_BYTES {
                let [_, a, b, c, d] = self.header;
                self.missing_bytes = u32::from_be_bytes([a, b, c, d]) as usize;
                self.header_bytes = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_when_all_of_it_has_come_however_it_is_cut() {
        let bytes = [&[0, 0, 0, 0, 3, 1, 2, 3][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 1, 0], &[7; 256]].concat();
        for step in [1, 2, 3, 5, 7, 8, 13, 300] {
            let mut message = Message::default();
            let mut read = 0;
            for part in bytes.chunks(step) {
                message.read(part);
                read += part.len();
                let is_whole = [0, 8, 13, bytes.len()].contains(&read);
                assert_eq!(message.is_whole(), is_whole, "{read} in steps of {step}");
            }
        }
    }
}
