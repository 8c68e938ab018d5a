//! Messages in the format before Arrow 0.15 (2019): they begin with their metadata's length, without a marker.

use std::io::{self, Cursor, Read};

use bytes::{BufMut as _, Bytes, BytesMut};

/// The marker before a message since Arrow 0.15.
pub(super) const MARK: [u8; 4] = [0xff; 4];

const LENGTH_BYTES: usize = 4;

/// Metadata is shorter than this; a larger length is not a message.
const MOST_METADATA: u32 = 1 << 28;

/// The end of the metadata of a message with these first bytes.
pub(super) fn metadata_end(start: &[u8]) -> Option<usize> {
    let mark = if start.starts_with(&MARK) { MARK.len() } else { 0 };
    let length = start.get(mark..)?.first_chunk::<LENGTH_BYTES>()?;
    Some(mark + LENGTH_BYTES + u32::from_le_bytes(*length) as usize)
}

/// A message with the marker, which is added if missing.
pub(super) fn with_mark(message: Bytes) -> Bytes {
    if message.starts_with(&MARK) {
        return message;
    }
    let mut marked = BytesMut::with_capacity(MARK.len() + message.len());
    marked.put_slice(&MARK);
    marked.put_slice(&message);
    marked.freeze()
}

/// A stream of such messages, with the marker added to each.
pub(super) struct Marked<R> {
    input: R,
    /// The marker, the length and the metadata of the current message.
    start: Cursor<Vec<u8>>,
    body_left: u64,
}

impl<R: Read> Marked<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, start: Cursor::default(), body_left: 0 }
    }

    /// Reads the next message. Invalid bytes are passed on unchanged, so that the decoder reports them.
    fn next_message(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        self.input.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut start)?;
        if let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(&start[..]) {
            let length = u32::from_le_bytes(length);
            if length <= MOST_METADATA {
                self.input.by_ref().take(length.into()).read_to_end(&mut start)?;
            }
            // A length of zero ends the stream.
            let body = match arrow_ipc::root_as_message(&start[LENGTH_BYTES..]) {
                Ok(message) => u64::try_from(message.bodyLength()).ok(),
                Err(_) => (length == 0).then_some(0),
            };
            if let Some(body) = body {
                self.body_left = body;
                start.splice(..0, MARK);
            }
        }
        self.start = Cursor::new(start);
        Ok(())
    }
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.start.read(buffer)? {
                0 if self.body_left == 0 => self.next_message()?,
                0 => {
                    let read = self.input.by_ref().take(self.body_left).read(buffer)?;
                    self.body_left -= read as u64;
                    return Ok(read);
                }
                read => return Ok(read),
            }
            if self.start.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}
