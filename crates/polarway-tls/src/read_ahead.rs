//! A connection that is read in large pieces.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use crate::read_through::{ReadThrough, Reader};

/// How much is read at once, in bytes: four records of TLS. Larger pieces are no faster: glibc returns memory of their size to
/// the system when it is freed, and each new piece costs page faults.
const READ_BYTES: usize = 64 << 10;

/// Reads large pieces of a connection, and returns them in small parts. rustls reads 4 KiB at a time, each of which would be a
/// system call. The memory of the piece is freed while the connection is idle.
#[derive(Debug, Default)]
pub struct Ahead {
    /// What was read.
    piece: Vec<u8>,
    /// How much of it was returned.
    taken: usize,
}

/// A connection that is read in large pieces.
pub type ReadAhead<S> = ReadThrough<S, Ahead>;

impl<S: AsyncRead + Unpin> Reader<S> for Ahead {
    fn poll_read(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken == self.piece.len() {
            self.taken = 0;
            self.piece.clear();
            self.piece.reserve(READ_BYTES);
            let read = pin!(stream.read_buf(&mut self.piece)).poll(context);
            if read.is_pending() {
                self.piece = Vec::new();
            }
            ready!(read)?;
        }
        let rest = &self.piece[self.taken..];
        let part = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(part);
        self.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_read_in_small_pieces_is_whole_and_the_memory_is_given_back() {
        let sent: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
        let (near, mut far) = duplex(READ_BYTES);
        let mut near = ReadAhead::new(near, Ahead::default());
        let whole = sent.clone();
        let sending = tokio::spawn(async move {
            far.write_all(&whole).await.unwrap();
            far
        });
        let mut received = Vec::new();
        let mut small = [0; 4096];
        while received.len() < sent.len() {
            let count = near.read(&mut small).await.unwrap();
            assert!(count > 0);
            received.extend_from_slice(&small[..count]);
        }
        assert!(received == sent);
        let far = sending.await.unwrap();
        assert!(futures_now(near.read(&mut small)).await.is_none(), "nothing is there yet");
        assert_eq!(near.reader.piece.capacity(), 0);
        drop(far);
        assert_eq!(near.read(&mut small).await.unwrap(), 0, "the end is an end");
    }

    /// What a future has now, without waiting.
    async fn futures_now<F: Future>(future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}
