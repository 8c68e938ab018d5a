//! Connections: accepting them, and giving up on those that never speak.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a client may take for the first bytes of HTTP/2; from then on keepalive watches it.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The bytes with which each HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// How long a connection that is over may take until its client has closed it, too.
const LINGER: Duration = Duration::from_secs(5);

/// How long to wait when no connection can be accepted: mostly because there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections that come in. It never ends: an error of one `accept` is logged.
pub(crate) fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => match stream.set_nodelay(true) {
                    Ok(()) => return Some((Ok(Connection::new(stream)), listener)),
                    Err(error) => tracing::debug!(%error, "a connection was gone before it was used"),
                },
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
    })
}

/// A connection that fails when its first bytes take too long.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Until the preface is there.
    handshake: Option<Handshake>,
    /// Once all was sent.
    linger: Option<Pin<Box<Sleep>>>,
}

struct Handshake {
    deadline: Pin<Box<Sleep>>,
    missing_bytes: usize,
}

impl Connection {
    fn new(stream: TcpStream) -> Self {
        let deadline = Box::pin(sleep(HANDSHAKE));
        Self { stream, handshake: Some(Handshake { deadline, missing_bytes: PREFACE_BYTES }), linger: None }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Some(handshake) = &mut self.handshake {
            if read.is_pending() {
                return handshake
                    .deadline
                    .as_mut()
                    .poll(context)
                    .map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
            handshake.missing_bytes = handshake.missing_bytes.saturating_sub(buffer.filled().len() - before);
            if handshake.missing_bytes == 0 {
                self.handshake = None;
            }
        }
        read
    }
}

impl AsyncWrite for Connection {
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

    /// Says that no more will come, and waits until the client has heard all of it. A socket that is closed while there is
    /// something left to read from it resets the connection, and what is still on its way to the client is lost: of a
    /// client that was acknowledging what it read, up to megabytes.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let linger = match &mut this.linger {
            Some(linger) => linger,
            None => {
                ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
                this.linger.insert(Box::pin(sleep(LINGER)))
            }
        };
        let mut ignored = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut ignored);
            match Pin::new(&mut this.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return linger.as_mut().poll(context).map(Ok),
            }
        }
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

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}
