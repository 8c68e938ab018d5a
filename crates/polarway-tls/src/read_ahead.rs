//! A connection that is read in large pieces.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// How much is read at once, in bytes: four records of TLS. Larger pieces are no faster: glibc returns memory of their size to
/// the system when it is freed, and each new piece costs page faults.
const READ_BYTES: usize = 64 << 10;

/// Reads large pieces of a connection, and returns them in small parts. rustls reads 4 KiB at a time, each of which would be a
/// system call. The memory of the piece is freed while the connection is idle. Writes pass through.
#[derive(Debug)]
pub struct ReadAhead<S> {
    stream: S,
    /// What was read.
    piece: Vec<u8>,
    /// How much of it was returned.
    taken: usize,
}

impl<S> ReadAhead<S> {
    /// A connection of which nothing is read yet.
    pub fn new(stream: S) -> Self {
        Self { stream, piece: Vec::new(), taken: 0 }
    }

    /// The connection itself, for everything except reading.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The connection itself. Bytes that were read ahead are not in it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The connection itself. Bytes that were read ahead are lost.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.taken == this.piece.len() {
            this.taken = 0;
            this.piece.clear();
            this.piece.reserve(READ_BYTES);
            let read = pin!(this.stream.read_buf(&mut this.piece)).poll(context);
            if read.is_pending() {
                this.piece = Vec::new();
            }
            ready!(read)?;
        }
        let rest = &this.piece[this.taken..];
        let part = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
        let mut near = ReadAhead::new(near);
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
        assert_eq!(near.piece.capacity(), 0);
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
