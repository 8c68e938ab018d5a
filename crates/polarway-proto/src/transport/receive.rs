//! Receiving: HTTP frames are joined into messages, each in its own memory.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use http_body::Body as _;
use prost::encoding::{WireType, decode_key, decode_varint};
use tonic::{Code, Status};

use super::send::IPC_FIELD;
use super::{End, Framed, MESSAGE_BYTES, MESSAGE_HEADER_BYTES};

/// The alignment that Arrow wants for the bytes of a chunk.
const ALIGNMENT: usize = 64;

/// The first capacity for a message: enough for a chunk of the size that clients use. It grows as more bytes arrive,
/// because the sender's length can't be trusted.
const FIRST_ROOM_BYTES: usize = 2 << 20;

/// How many bytes of a message are searched for the start of its chunk's bytes.
const PEEKED_BYTES: usize = 64;

/// The messages of a body, as they arrive. An error ends the stream.
///
/// A chunk's bytes are aligned so that Arrow can use them in place, whoever sent them.
#[derive(Debug)]
pub struct Received<M> {
    /// `None` once it has ended.
    body: Option<tonic::body::Body>,
    end: End,
    frames: Frames,
    message: Option<Unfinished>,
    most_bytes: usize,
    messages: PhantomData<fn() -> M>,
}

/// A message that is not complete yet.
#[derive(Debug)]
struct Unfinished {
    bytes: BytesMut,
    missing: usize,
    /// Where its chunk's bytes begin in the message.
    ipc_offset: usize,
}

impl<M: Framed> Received<M> {
    /// The messages of this body. `end` is how the sender ends it: a server's response ends with a status.
    pub fn new(body: tonic::body::Body, end: End) -> Self {
        let (frames, most_bytes) = (Frames::default(), MESSAGE_BYTES);
        Self { body: Some(body), end, frames, message: None, most_bytes, messages: PhantomData }
    }

    /// The same, for messages of at most this many bytes, and at most [`MESSAGE_BYTES`].
    #[must_use]
    pub fn at_most(self, bytes: usize) -> Self {
        Self { most_bytes: bytes.min(MESSAGE_BYTES), ..self }
    }

    /// The next message, if all its bytes have arrived.
    fn take_message(&mut self) -> Result<Option<M>, Status> {
        if self.message.is_none() {
            self.message = begin::<M>(&mut self.frames, self.most_bytes)?;
        }
        let Some(unfinished) = &mut self.message else { return Ok(None) };
        self.frames.move_into(unfinished);
        if unfinished.missing > 0 {
            return Ok(None);
        }
        let bytes = self.message.take().map(|finished| finished.bytes.freeze()).unwrap_or_default();
        let length = bytes.len();
        let message = M::decode(bytes).map_err(|error| Status::internal(error.to_string()))?;
        // The chunk shares its message's memory: the bytes around it are held as long as the chunk.
        let around = length - message.chunk().map_or(0, |chunk| chunk.ipc.len());
        if around > M::MOST_BYTES { Err(too_long(around, M::MOST_BYTES)) } else { Ok(Some(message)) }
    }

    /// The error, if any, that the end of the body means.
    fn ended(&self, trailers: Option<&HeaderMap>) -> Option<Status> {
        if self.message.is_some() || self.frames.length > 0 {
            return Some(Status::unavailable("the stream broke off in the middle of a message"));
        }
        match (self.end, trailers.and_then(Status::from_header_map)) {
            (_, Some(status)) if status.code() != Code::Ok => Some(status),
            (End::Status, None) => Some(Status::unavailable("the stream ended without a status")),
            _ => None,
        }
    }
}

impl<M: Framed> Stream for Received<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.take_message() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(status) => {
                    this.body = None;
                    this.frames = Frames::default();
                    return Poll::Ready(Some(Err(status)));
                }
            }
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            let failure = match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.frames.push(data);
                        continue;
                    }
                    Err(frame) => this.ended(frame.trailers_ref()),
                },
                Some(Err(status)) => Some(status),
                None => this.ended(None),
            };
            this.body = None;
            this.frames = Frames::default();
            this.message = None;
            return Poll::Ready(failure.map(Err));
        }
    }
}

/// Reads a message's header and allocates memory for it; `None` until enough bytes have arrived.
fn begin<M: Framed>(frames: &mut Frames, most_bytes: usize) -> Result<Option<Unfinished>, Status> {
    let Some(start) = frames.peek::<{ MESSAGE_HEADER_BYTES + PEEKED_BYTES }>() else { return Ok(None) };
    let Some((header, start)) = start.split_first_chunk::<MESSAGE_HEADER_BYTES>() else { return Ok(None) };
    let [is_compressed, length @ ..] = *header;
    if is_compressed != 0 {
        return Err(Status::internal(
            "a message says that it is compressed, and its stream does not say how",
        ));
    }
    let length = u32::from_be_bytes(length) as usize;
    if length > most_bytes {
        return Err(too_long(length, most_bytes));
    }
    if start.len() < length.min(PEEKED_BYTES) {
        return Ok(None);
    }
    let offset = ipc_offset::<M>(start);
    if offset.is_none() && length > M::MOST_BYTES {
        return Err(too_long(length, M::MOST_BYTES));
    }
    frames.skip(MESSAGE_HEADER_BYTES);
    let offset = offset.unwrap_or(0);
    let bytes = aligned(length.min(FIRST_ROOM_BYTES), offset);
    Ok(Some(Unfinished { bytes, missing: length, ipc_offset: offset }))
}

fn too_long(length: usize, limit: usize) -> Status {
    Status::out_of_range(format!("{length} bytes, where the limit is {limit} bytes"))
}

/// Capacity for this many bytes, so that the byte at `offset` is aligned as Arrow wants.
fn aligned(length: usize, offset: usize) -> BytesMut {
    let mut bytes = BytesMut::with_capacity(length + ALIGNMENT);
    let misaligned = (bytes.as_ptr() as usize + offset) % ALIGNMENT;
    let padding = (ALIGNMENT - misaligned) % ALIGNMENT;
    bytes.put_bytes(0, padding);
    bytes.advance(padding);
    bytes
}

impl Unfinished {
    /// Doubles the capacity for the message.
    fn grow(&mut self) {
        let length = (self.bytes.len() + self.missing).min(2 * self.bytes.len());
        let mut larger = aligned(length, self.ipc_offset);
        larger.put_slice(&self.bytes);
        self.bytes = larger;
    }
}

/// Where a chunk's bytes begin in its message, if its start shows that.
fn ipc_offset<M: Framed>(start: &[u8]) -> Option<usize> {
    let mut rest = start;
    // In each message, skip the fields before the wanted one.
    for field in [M::CHUNK_FIELD, IPC_FIELD] {
        loop {
            let (found, wire_type) = decode_key(&mut rest).ok()?;
            match wire_type {
                WireType::LengthDelimited => {
                    let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                    if found == field {
                        break;
                    }
                    rest = rest.get(length..)?;
                }
                WireType::Varint => {
                    decode_varint(&mut rest).ok()?;
                }
                WireType::ThirtyTwoBit => rest = rest.get(4..)?,
                WireType::SixtyFourBit => rest = rest.get(8..)?,
                WireType::StartGroup | WireType::EndGroup => return None,
            }
        }
    }
    Some(start.len() - rest.len())
}

/// Bytes that have arrived and were not taken yet.
#[derive(Debug, Default)]
struct Frames {
    frames: VecDeque<Bytes>,
    length: usize,
}

impl Frames {
    fn push(&mut self, frame: Bytes) {
        self.length += frame.len();
        if !frame.is_empty() {
            self.frames.push_back(frame);
        }
    }

    /// The first bytes, up to `N`; `None` if there are none.
    fn peek<const N: usize>(&self) -> Option<Vec<u8>> {
        let mut start = Vec::with_capacity(N.min(self.length));
        for frame in &self.frames {
            let room = N - start.len();
            start.extend_from_slice(&frame[..frame.len().min(room)]);
        }
        (!start.is_empty()).then_some(start)
    }

    fn skip(&mut self, mut count: usize) {
        self.length -= count;
        while let Some(first) = self.frames.front_mut() {
            let skipped = count.min(first.len());
            first.advance(skipped);
            count -= skipped;
            if !first.is_empty() {
                return;
            }
            self.frames.pop_front();
        }
    }

    /// Moves bytes into a message that lacks them.
    fn move_into(&mut self, message: &mut Unfinished) {
        while message.missing > 0
            && let Some(first) = self.frames.front()
        {
            let room = message.bytes.capacity() - message.bytes.len();
            if room == 0 {
                message.grow();
                continue;
            }
            let count = message.missing.min(first.len()).min(room);
            message.bytes.put_slice(&first[..count]);
            message.missing -= count;
            self.skip(count);
        }
    }
}

/// The status of a response without messages, for example a refused call or a proxy's answer; `None` if messages follow.
pub fn received_status<B>(response: &http::Response<B>) -> Option<Status> {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return (status.code() != Code::Ok).then_some(status);
    }
    match response.status() {
        StatusCode::OK => None,
        other => Some(Status::unavailable(format!("a proxy answered {other}"))),
    }
}
