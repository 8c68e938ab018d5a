//! Messages and the bytes around them.
//!
//! A message is a marker, the length of its metadata, the metadata (padded so that the body starts at
//! a multiple of 64 bytes), and the body.

use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::writer::EncodedData;
use bytes::Bytes;

use crate::limits::within;
use crate::schema::parse_message;
use crate::{DecodeLimits, Error, Result};

const MARKER: [u8; 4] = [0xff; 4];
const PREFIX_BYTES: usize = 8;
const ALIGNMENT: usize = 64;

/// What ends a stream: a marker and a message of no length.
pub(crate) const END_OF_STREAM: [u8; PREFIX_BYTES] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// A message that is ready to be written.
pub(crate) struct MessageBytes {
    metadata: Vec<u8>,
    body: Vec<u8>,
}

impl From<EncodedData> for MessageBytes {
    fn from(encoded: EncodedData) -> Self {
        Self { metadata: encoded.ipc_message, body: encoded.arrow_data }
    }
}

impl MessageBytes {
    /// The end of a stream, as if it were a message.
    pub(crate) fn end_of_stream() -> Self {
        Self { metadata: Vec::new(), body: Vec::new() }
    }

    fn metadata_len(&self) -> usize {
        match self.metadata.len() {
            0 => 0,
            length => (PREFIX_BYTES + length).next_multiple_of(ALIGNMENT) - PREFIX_BYTES,
        }
    }

    /// How many bytes the message takes, with all that is around it.
    pub(crate) fn len(&self) -> usize {
        PREFIX_BYTES + self.metadata_len() + self.body.len()
    }

    /// The messages, one after another, in memory that is aligned as Arrow wants it.
    pub(crate) fn join(messages: &[Self]) -> Bytes {
        let bytes = messages.iter().map(Self::len).sum();
        let mut joined = MutableBuffer::with_capacity(bytes);
        for message in messages {
            joined.extend_from_slice(&MARKER);
            // A schema or a list of buffers of 2 GiB would have failed in the flatbuffer builder.
            joined.extend_from_slice(&(message.metadata_len() as u32).to_le_bytes());
            let metadata_end = joined.len() + message.metadata_len();
            joined.extend_from_slice(&message.metadata);
            joined.resize(metadata_end, 0);
            joined.extend_from_slice(&message.body);
        }
        into_bytes(joined.into())
    }
}

/// The buffer as `Bytes`, without a copy.
pub(crate) fn into_bytes(buffer: Buffer) -> Bytes {
    struct Owner(Buffer);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }
    Bytes::from_owner(Owner(buffer))
}

/// A whole message, as it was read.
pub(crate) struct Message {
    pub(crate) metadata: Buffer,
    pub(crate) body: Buffer,
}

/// Finds the messages in bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    state: State,
    /// What has come of a piece that is not complete yet. It grows with what comes, not with what is
    /// declared to come.
    partial: MutableBuffer,
    started: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Prefix,
    Metadata {
        length: usize,
    },
    Body {
        metadata: Buffer,
        length: usize,
    },
    Ended,
}

impl Framing {
    /// Takes the next message from the front of `input`; `None` when all of it is used up.
    pub(crate) fn next(&mut self, input: &mut Buffer, limits: &DecodeLimits) -> Result<Option<Message>> {
        loop {
            match &mut self.state {
                State::Prefix => {
                    let Some(prefix) = take(&mut self.partial, input, PREFIX_BYTES) else {
                        return Ok(None);
                    };
                    let (marker, length) = prefix.as_slice().split_at(MARKER.len());
                    if marker != MARKER {
                        return Err(if self.started {
                            Error::malformed("a message does not start with the marker of one")
                        } else {
                            Error::NotArrow
                        });
                    }
                    let length = length.iter().rev().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
                    let length = within("message metadata", length, limits.max_metadata_bytes)?;
                    self.started = true;
                    self.state = match length {
                        0 => State::Ended,
                        length => State::Metadata { length },
                    };
                }
                State::Metadata { length } => {
                    let length = *length;
                    let Some(metadata) = take(&mut self.partial, input, length) else {
                        return Ok(None);
                    };
                    let body = parse_message(&metadata, limits)?.bodyLength();
                    let body = within("a message body", body, limits.max_message_bytes)?;
                    within("a message", length.saturating_add(body) as u64, limits.max_message_bytes)?;
                    self.state = State::Body { metadata, length: body };
                }
                State::Body { metadata, length } => {
                    let Some(body) = take(&mut self.partial, input, *length) else {
                        return Ok(None);
                    };
                    let metadata = std::mem::take(metadata);
                    self.state = State::Prefix;
                    return Ok(Some(Message { metadata, body }));
                }
                State::Ended if input.is_empty() => return Ok(None),
                State::Ended => return Err(Error::AfterEnd),
            }
        }
    }

    /// What has come of a message that is not complete yet, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        let metadata = match &self.state {
            State::Body { metadata, .. } => metadata.len(),
            State::Prefix | State::Metadata { .. } | State::Ended => 0,
        };
        metadata + self.partial.len()
    }

    /// Whether the end of the stream has come.
    pub(crate) fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether everything so far was whole messages.
    pub(crate) fn at_border(&self) -> bool {
        self.ended() || (matches!(self.state, State::Prefix) && self.partial.is_empty())
    }
}

/// The first `wanted` bytes: a part of `input` where it holds them all, else gathered in `partial`.
fn take(partial: &mut MutableBuffer, input: &mut Buffer, wanted: usize) -> Option<Buffer> {
    if partial.is_empty() && input.len() >= wanted {
        let taken = input.slice_with_length(0, wanted);
        input.advance(wanted);
        return Some(taken);
    }
    let missing = (wanted - partial.len()).min(input.len());
    partial.extend_from_slice(&input[..missing]);
    input.advance(missing);
    (partial.len() == wanted).then(|| std::mem::take(partial).into())
}

/// The messages of bytes that this process made, each with its own part of the bytes.
pub(crate) fn split_messages(bytes: &Bytes) -> Result<Vec<(Message, Bytes)>> {
    let mut framing = Framing::default();
    let mut input = Buffer::from(bytes.clone());
    let mut messages = Vec::new();
    loop {
        let start = bytes.len() - input.len();
        let Some(message) = framing.next(&mut input, &DecodeLimits::trusting())? else {
            return Ok(messages);
        };
        let end = bytes.len() - input.len();
        messages.push((message, bytes.slice(start..end)));
    }
}
