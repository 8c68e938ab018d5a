//! Sending: a few bytes that frame a chunk, then the chunk itself.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http_body::{Body, Frame};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};
use tonic::Status;

use super::{Framed, MESSAGE_HEADER_BYTES};

/// The number of a chunk's field with its bytes.
pub(super) const IPC_FIELD: u32 = 1;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A server's response ends with a status.
    Status,
    /// A client's request ends without a status.
    Nothing,
}

/// These messages as a body. An error ends it: with its status from a server, by breaking off from a client.
pub fn send<M, S>(messages: S, end: End) -> tonic::body::Body
where
    M: Framed,
    S: Stream<Item = Result<M, Status>> + Send + Unpin + 'static,
{
    tonic::body::Body::new(Frames { messages: Some(messages), chunk: Bytes::new(), end })
}

/// The body that [`send`] makes.
struct Frames<S> {
    /// `None` once they have ended.
    messages: Option<S>,
    /// The chunk bytes that the last frame announced, still to be sent.
    chunk: Bytes,
    end: End,
}

impl<M, S> Body for Frames<S>
where
    M: Framed,
    S: Stream<Item = Result<M, Status>> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.chunk.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.chunk)))));
        }
        let Some(messages) = &mut self.messages else { return Poll::Ready(None) };
        let status = match ready!(Pin::new(messages).poll_next(context)) {
            Some(Ok(message)) => {
                let (head, chunk) = frame(message);
                self.chunk = chunk;
                return Poll::Ready(Some(Ok(Frame::data(head))));
            }
            Some(Err(status)) => Some(status),
            None => None,
        };
        self.messages = None;
        Poll::Ready(match (self.end, status) {
            (End::Status, status) => {
                let mut trailers = HeaderMap::new();
                let added = status.unwrap_or_else(|| Status::ok("")).add_header(&mut trailers);
                Some(added.map(|()| Frame::trailers(trailers)))
            }
            (End::Nothing, Some(status)) => Some(Err(status)),
            (End::Nothing, None) => None,
        })
    }
}

/// A message as two parts: the bytes before its chunk's bytes, and those bytes. Protobuf leaves the order of fields open:
/// here the chunk is last in its message, and its bytes are last in the chunk.
pub(super) fn frame<M: Framed>(mut message: M) -> (Bytes, Bytes) {
    let chunk = message.take_chunk();
    let mut head = BytesMut::with_capacity(MESSAGE_HEADER_BYTES + message.encoded_len() + 64);
    head.put_bytes(0, MESSAGE_HEADER_BYTES);
    message.encode_raw(&mut head);
    let mut ipc = Bytes::new();
    if let Some(mut chunk) = chunk {
        ipc = std::mem::take(&mut chunk.ipc);
        let ipc_field = if ipc.is_empty() { 0 } else { 1 + encoded_len_varint(ipc.len() as u64) + ipc.len() };
        encode_key(M::CHUNK_FIELD, WireType::LengthDelimited, &mut head);
        encode_varint((chunk.encoded_len() + ipc_field) as u64, &mut head);
        chunk.encode_raw(&mut head);
        if !ipc.is_empty() {
            encode_key(IPC_FIELD, WireType::LengthDelimited, &mut head);
            encode_varint(ipc.len() as u64, &mut head);
        }
    }
    let length = head.len() - MESSAGE_HEADER_BYTES + ipc.len();
    // Chunks are far below 4 GiB: a longer one gets a length that the receiver refuses.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    head[1..MESSAGE_HEADER_BYTES].copy_from_slice(&length.to_be_bytes());
    (head.freeze(), ipc)
}
