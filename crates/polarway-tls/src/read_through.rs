//! A connection with its own way of being read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How a connection is read.
pub trait Reader<S> {
    /// Reads as [`AsyncRead::poll_read`] does.
    ///
    /// # Errors
    /// Those of the stream.
    fn poll_read(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;
}

/// A stream that is read through a [`Reader`]. Writes pass unchanged.
#[derive(Debug)]
pub struct ReadThrough<S, R> {
    stream: S,
    pub(crate) reader: R,
}

impl<S, R> ReadThrough<S, R> {
    /// Reads this stream through this reader.
    pub fn new(stream: S, reader: R) -> Self {
        Self { stream, reader }
    }

    /// The stream itself, for everything except reading.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// The stream itself. Bytes that the reader holds are not in it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream itself. Bytes that the reader holds are lost.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Unpin, R: Reader<S> + Unpin> AsyncRead for ReadThrough<S, R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.reader.poll_read(&mut this.stream, context, buffer)
    }
}

impl<S: AsyncWrite + Unpin, R: Unpin> AsyncWrite for ReadThrough<S, R> {
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
