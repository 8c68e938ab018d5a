//! Ends calls before their answers do: when their token ends, or when the server does.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Frame, SizeHint};
use polarway_proto::v1::Failure;
use tonic::Status;
use tonic::body::Body;

/// The bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const HEADER_BYTES: usize = 5;

/// What may end calls.
pub(crate) trait Ending: Send + Sync + Unpin + 'static {
    /// Makes sure that the call may go on.
    ///
    /// # Errors
    /// It must end, for this reason.
    fn check(&self) -> Result<(), Failure>;

    /// Waits until the call must end, and tells why.
    fn ended(&self) -> BoxFuture<'static, Failure>;
}

/// Answers a call until it must end, and then with the reason for that.
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
        Ok(answered) => Ok(answered?.map(|body| Body::new(Watched::new(body, watch)))),
        Err(failure) => Ok(Status::from(failure).into_http()),
    }
}

/// Ends a request when its call must end. Whoever reads it may outlive the call: the service of reflection has a task for that,
/// and its connection would stay open.
pub(crate) fn read_within<E: Ending>(ending: E, request: Request<Body>) -> Request<Body> {
    request.map(|body| Body::new(Read { body, watch: Watch { ending, ended: None } }))
}

/// The body of a request, which fails if its call must end.
struct Read<E> {
    body: Body,
    watch: Watch<E>,
}

impl<E: Ending> http_body::Body for Read<E> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => Poll::Ready(frame),
            Poll::Pending => self.watch.poll(context).map(|failure| Some(Err(failure.into()))),
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

/// The body of an answer. If it must end, it does so behind the message that it is at, with a status.
struct Watched<E> {
    /// `None` once it has ended.
    body: Option<Body>,
    watch: Watch<E>,
    message: Message,
}

impl<E> Watched<E> {
    fn new(body: Body, watch: Watch<E>) -> Self {
        Self { body: Some(body), watch, message: Message::default() }
    }

    fn end(&mut self, failure: Failure) -> Option<Result<Frame<Bytes>, Status>> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        Some(Status::from(failure).add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
    }
}

impl<E: Ending> http_body::Body for Watched<E> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.body.is_some()
            && this.message.is_whole()
            && let Err(failure) = this.watch.ending.check()
        {
            return Poll::Ready(this.end(failure));
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame
                    && let Some(data) = frame.data_ref()
                {
                    this.message.read(data);
                }
                Poll::Ready(frame)
            }
            // A message that has begun comes to its end, since all of it is there.
            Poll::Pending if this.message.is_whole() => {
                this.watch.poll(context).map(|failure| this.end(failure))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// How far the messages of a body have come: a status that came in the middle of one would not be understood.
#[derive(Default)]
struct Message {
    header: [u8; HEADER_BYTES],
    /// How much of the header has come.
    header_bytes: usize,
    /// What is missing of the message behind its header.
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
