//! Connections: accepts up to a maximum number, and closes those that never send anything.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, stream};
use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::metrics::Metrics;
use crate::seldom::Seldom;

/// How long a client may take to send the first bytes of HTTP/2; after that, keepalive applies.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The bytes with which each HTTP/2 connection begins (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;

/// How long to wait for the client to close a connection that we have closed.
const LINGER: Duration = Duration::from_secs(5);

/// How long to wait if a connection can't be accepted: usually there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// What a refused connection is sent (RFC 9113, sections 6.5 and 6.8): an empty SETTINGS frame, and a GOAWAY with
/// ENHANCE_YOUR_CALM, which says that no request will be answered, and why.
const FAREWELL: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x1c\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo many connections";

/// The incoming connections, up to `most` at a time. The stream never ends: an error of `accept` is logged.
pub(crate) fn connections(
    listener: TcpListener,
    most: usize,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold(Door::new(listener, most, metrics), |mut door| async move {
        let connection = door.next().await;
        Some((Ok(connection), door))
    })
}

/// Accepts connections.
struct Door {
    listener: TcpListener,
    most: usize,
    places: Arc<Semaphore>,
    turned_away: Seldom,
    failures: Seldom,
    metrics: Arc<Metrics>,
}

impl Door {
    fn new(listener: TcpListener, most: usize, metrics: Arc<Metrics>) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self { listener, most, places, turned_away: Seldom::default(), failures: Seldom::default(), metrics }
    }

    async fn next(&mut self) -> Connection {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => match Arc::clone(&self.places).try_acquire_owned() {
                    Ok(place) => match stream.set_nodelay(true) {
                        Ok(()) => {
                            self.metrics.connections.accepted.increment(1);
                            let place = Place::taken(place, &self.metrics);
                            return Connection::new(stream, place);
                        }
                        Err(error) => tracing::debug!(%error, "a connection was gone before it was used"),
                    },
                    Err(_) => self.turn_away(stream),
                },
                Err(error) => {
                    if let Some(count) = self.failures.count() {
                        tracing::warn!(%error, count, "a connection could not be accepted");
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Sends the reason, if that is possible without waiting, and closes the connection.
    fn turn_away(&mut self, stream: TcpStream) {
        self.metrics.connections.refused.increment(1);
        if let Ok(stream) = stream.into_std() {
            let _ = (&stream).write(FAREWELL);
        }
        if let Some(count) = self.turned_away.count() {
            tracing::warn!(
                count,
                "connections were turned away: there are {}, as many as there may be",
                self.most
            );
        }
    }
}

/// A connection that fails if its first bytes take too long.
pub(crate) struct Connection {
    stream: TcpStream,
    /// `None` once the preface has arrived.
    handshake: Option<Handshake>,
    /// Set once everything was sent.
    linger: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

/// A connection's permit: it counts as one of the connections.
struct Place {
    open: Gauge,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn taken(permit: OwnedSemaphorePermit, metrics: &Metrics) -> Self {
        let open = metrics.connections.open.clone();
        open.increment(1.0);
        Self { open, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

struct Handshake {
    deadline: Pin<Box<Sleep>>,
    missing_bytes: usize,
}

impl Connection {
    fn new(stream: TcpStream, place: Place) -> Self {
        let deadline = Box::pin(sleep(HANDSHAKE));
        let handshake = Some(Handshake { deadline, missing_bytes: PREFACE_BYTES });
        Self { stream, handshake, linger: None, _place: place }
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

    /// Closes the sending side, and waits until the client has received everything. Closing a socket with unread input
    /// resets the connection, and data on its way to the client is lost: up to megabytes if the client was sending
    /// acknowledgements.
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
