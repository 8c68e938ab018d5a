//! Ends calls early: when their token expires or is withdrawn, or when the server shuts down.

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use polarway_proto::v1::Failure;
use tonic::Status;
use tonic::body::Body;

use crate::body::{Filter, NextFrame, filtered, poll_frame};

/// The bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const HEADER_BYTES: usize = 5;

/// Something that may end a call early.
pub(crate) trait Ending: Send + Sync + Unpin + 'static {
    /// Checks that the call may go on.
    ///
    /// # Errors
    /// The reason why it must end.
    fn check(&self) -> Result<(), Failure>;

    /// Waits until the call must end. Returns the reason.
    fn ended(&self) -> BoxFuture<'static, Failure>;
}

/// Answers a call. If the call must end early, the answer ends with the reason.
pub(crate) async fn answer_within<E: Ending>(
    ending: E,
    answer: impl Future<Output = Result<Response<Body>, Infallible>>,
) -> Result<Response<Body>, Infallible> {
    let mut watch = Watch { ending, ended: None };
    let mut answer = pin!(answer);
    let answered = std::future::poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answered) => Poll::Ready(Ok(answered)),
        Poll::Pending => watch.poll(context).map(Err),
    });
    match answered.await {
        Ok(answered) => {
            Ok(answered?.map(|body| filtered(body, AnswerEnd { watch, message: Message::default() })))
        }
        Err(failure) => Ok(Status::from(failure).into_http()),
    }
}

/// Ends a request when its call must end. Its reader may outlive the call: the reflection service reads in its own task, which
/// would keep the connection open.
pub(crate) fn read_within<E: Ending>(ending: E, request: Request<Body>) -> Request<Body> {
    request.map(|body| filtered(body, RequestEnd(Watch { ending, ended: None })))
}

/// Makes the body of a request fail if its call must end.
struct RequestEnd<E>(Watch<E>);

impl<E: Ending> Filter for RequestEnd<E> {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        match poll_frame(body, context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => self.0.poll(context).map(|failure| Some(Err(failure.into()))),
        }
    }
}

/// Waits for the end.
struct Watch<E> {
    ending: E,
    /// Set once something is waited for: most answers are there at once.
    ended: Option<BoxFuture<'static, Failure>>,
}

impl<E: Ending> Watch<E> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        self.ended.get_or_insert_with(|| self.ending.ended()).as_mut().poll(context)
    }
}

/// Ends the body of an answer if its call must end: after the current message, with a status.
struct AnswerEnd<E> {
    watch: Watch<E>,
    message: Message,
}

impl<E: Ending> Filter for AnswerEnd<E> {
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
    header: [u8; HEADER_BYTES],
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
            let taken = (HEADER_BYTES - self.header_bytes).min(data.len());
            self.header[self.header_bytes..][..taken].copy_from_slice(&data[..taken]);
            self.header_bytes += taken;
            data = &data[taken..];
            if self.header_bytes == HEADER_BYTES {
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
