//! Messages as they were before Arrow 0.15 (2019): the length of their metadata comes first, without a mark before it.

use std::io::{self, Cursor, Read};

use bytes::{BufMut as _, Bytes, BytesMut};

/// What stands before a message since then.
pub(super) const MARK: [u8; 4] = [0xff; 4];

const LENGTH_BYTES: usize = 4;

/// Metadata is shorter than this; what says otherwise is no message.
const MOST_METADATA: u32 = 1 << 28;

/// Where the metadata of a message ends that starts with these bytes.
pub(super) fn metadata_end(start: &[u8]) -> Option<usize> {
    let mark = if start.starts_with(&MARK) { MARK.len() } else { 0 };
    let length = start.get(mark..)?.first_chunk::<LENGTH_BYTES>()?;
    Some(mark + LENGTH_BYTES + u32::from_le_bytes(*length) as usize)
}

/// A message with the mark, whether it had it or not.
pub(super) fn with_mark(message: Bytes) -> Bytes {
    if message.starts_with(&MARK) {
        return message;
    }
    let mut marked = BytesMut::with_capacity(MARK.len() + message.len());
    marked.put_slice(&MARK);
    marked.put_slice(&message);
    marked.freeze()
}

/// A stream of such messages, each with the mark.
pub(super) struct Marked<R> {
    input: R,
    /// The mark, the length and the metadata of the message that is read.
    start: Cursor<Vec<u8>>,
    body_left: u64,
}

impl<R: Read> Marked<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, start: Cursor::default(), body_left: 0 }
    }

    /// Goes to the next message. What is none is handed on as it is, for the decoder to say so.
    fn next_message(&mut self) -> io::Result<()> {
        let mut start = Vec::new();
        self.input.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut start)?;
        if let Ok(length) = <[u8; LENGTH_BYTES]>::try_from(&start[..]) {
            let length = u32::from_le_bytes(length);
            if length <= MOST_METADATA {
                self.input.by_ref().take(length.into()).read_to_end(&mut start)?;
            }
            // The end of a stream is a length of nothing.
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
