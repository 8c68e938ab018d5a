//! A connection as HTTP/2 sees it: bytes, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::greeting::{Greeted, LINGER, PREFACE_BYTES};
use crate::limits::{AddressPlace, ConnectionCalls, Peer};
use crate::metrics::Metrics;

/// A connection that fails if its first bytes take too long, or if it has no calls for too long.
pub(crate) struct Connection {
    stream: Greeted,
    peer: SocketAddr,
    /// `None` once the preface has arrived.
    preface: Option<Preface>,
    /// Set once everything was sent.
    linger: Option<Pin<Box<Sleep>>>,
    calls: ConnectionCalls,
    idle: Option<Idle>,
    _place: Place,
}

/// Ends a connection on which there was no call for too long.
struct Idle {
    most: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Idle {
    /// Ready when the connection was idle for too long. The timer is reset only when it fires, so that a call costs nothing here.
    fn poll(&mut self, calls: &ConnectionCalls, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            let end = calls.idle_since().unwrap_or(now) + self.most;
            if end <= now {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}

/// A connection's permit: it counts as one of the connections.
pub(crate) struct Place {
    open: Gauge,
    _permit: OwnedSemaphorePermit,
    _of_address: AddressPlace,
}

impl Place {
    /// Counts the connection as open until this is dropped.
    pub(crate) fn taken(permit: OwnedSemaphorePermit, of_address: AddressPlace, metrics: &Metrics) -> Self {
        let open = metrics.connections.open.clone();
        open.increment(1.0);
        Self { open, _permit: permit, _of_address: of_address }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

struct Preface {
    deadline: Pin<Box<Sleep>>,
    missing_bytes: usize,
}

impl Connection {
    /// A connection that is closed if its first bytes have not arrived by `deadline`, or if it has no call for `idle`.
    pub(crate) fn new(
        stream: Greeted,
        peer: SocketAddr,
        deadline: Instant,
        idle: Option<Duration>,
        place: Place,
    ) -> Self {
        let deadline = Box::pin(sleep_until(deadline));
        let preface = Some(Preface { deadline, missing_bytes: PREFACE_BYTES });
        let idle = idle.map(|most| Idle { most, timer: Box::pin(sleep(most)) });
        Self { stream, peer, preface, linger: None, calls: ConnectionCalls::none(), idle, _place: place }
    }

    /// What its calls know about it.
    pub(crate) fn peer(&self) -> Peer {
        Peer { address: self.peer, calls: self.calls.clone() }
    }
}

impl Greeted {
    fn socket_mut(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_mut().0.get_mut(),
        }
    }
}

/// Calls a method of the stream, with or without TLS.
macro_rules! stream {
    ($connection:expr, $method:ident, $($argument:expr),*) => {
        match &mut $connection.stream {
            Greeted::Plain(stream) => Pin::new(stream).$method($($argument),*),
            Greeted::Tls(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.calls.are_abused() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = stream!(self, poll_read, context, buffer);
        if let Some(preface) = &mut self.preface {
            if read.is_pending() {
                return preface.deadline.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()));
            }
            preface.missing_bytes = preface.missing_bytes.saturating_sub(buffer.filled().len() - before);
            if preface.missing_bytes == 0 {
                self.preface = None;
            }
        }
        let this = &mut *self;
        if read.is_pending()
            && let Some(idle) = &mut this.idle
        {
            // An end of the input: HTTP/2 then closes the connection, since it has no calls.
            return idle.poll(&this.calls, context).map(Ok);
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
        stream!(self, poll_write, context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        stream!(self, poll_flush, context)
    }

    /// Closes the sending side, and waits until the client has received everything. Closing a socket with unread input
    /// resets the connection, and data on its way to the client is lost: up to megabytes if the client was sending
    /// acknowledgements.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let linger = match &mut this.linger {
            Some(linger) => linger,
            None => {
                ready!(stream!(this, poll_shutdown, context))?;
                this.linger.insert(Box::pin(sleep(LINGER)))
            }
        };
        let mut ignored = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut ignored);
            match Pin::new(this.stream.socket_mut()).poll_read(context, &mut buffer) {
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
        stream!(self, poll_write_vectored, context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Greeted::Plain(stream) => stream.is_write_vectored(),
            Greeted::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
