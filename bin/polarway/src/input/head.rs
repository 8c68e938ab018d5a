//! The first lines of a text, which are inspected before all of it is read.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// The most bytes that are inspected.
const MOST_BYTES: usize = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text and its first lines. The inspected bytes are read again.
pub(super) struct Head<R> {
    pub(super) lines: Vec<u8>,
    rest: BufReader<R>,
}

impl<R: Read> Head<R> {
    /// Reads about this many lines, all of them whole; quotes may contain line breaks.
    pub(super) fn read(bytes: R, lines: usize) -> io::Result<Self> {
        let mut rest = BufReader::with_capacity(1 << 20, bytes);
        let mut head = Vec::new();
        let mut quotes = 0;
        let mut complete = 0;
        while complete < lines && head.len() < MOST_BYTES {
            let start = head.len();
            if rest.read_until(b'\n', &mut head)? == 0 {
                break;
            }
            quotes += head[start..].iter().filter(|byte| **byte == b'"').count();
            complete += usize::from(quotes % 2 == 0);
        }
        if head.starts_with(BYTE_ORDER_MARK) {
            head.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(Self { lines: head, rest })
    }

    /// The whole text, from its first line on.
    pub(super) fn whole(self) -> Chain<Cursor<Vec<u8>>, BufReader<R>> {
        Cursor::new(self.lines).chain(self.rest)
    }
}
