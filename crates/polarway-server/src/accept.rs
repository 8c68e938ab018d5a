//! Connections: accepts up to a maximum number, and brings each to where HTTP/2 can begin.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, Place};
use crate::farewell::{ENHANCE_YOUR_CALM, farewell};
use crate::greeting::{Refusal, greet};
use crate::metrics::Metrics;
use crate::seldom::Seldom;
use crate::tls::Tls;

/// How long a client may take to send the first bytes of HTTP/2, the handshake of TLS included; after that, keepalive applies.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long to wait if a connection can't be accepted: usually there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// The incoming connections, up to `most` at a time. The stream never ends: an error of `accept` is logged.
pub(crate) fn connections(
    listener: TcpListener,
    most: usize,
    tls: Option<Tls>,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = io::Result<Connection>> {
    stream::unfold(Door::new(listener, most, tls, metrics), |mut door| async move {
        let connection = door.next().await;
        Some((Ok(connection), door))
    })
}

/// Accepts connections.
struct Door {
    listener: TcpListener,
    most: usize,
    places: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
    /// Connections on which HTTP/2 can't begin yet. Each has its own task, so that none waits for another, and one of the
    /// places, so that there are only so many. They end with the door.
    greetings: JoinSet<Result<Connection, (SocketAddr, Refusal)>>,
    turned_away: Seldom,
    refused: Seldom,
    failures: Seldom,
    metrics: Arc<Metrics>,
}

impl Door {
    fn new(listener: TcpListener, most: usize, tls: Option<Tls>, metrics: Arc<Metrics>) -> Self {
        Self {
            listener,
            most,
            places: Arc::new(Semaphore::new(most)),
            tls: tls.map(Arc::new),
            greetings: JoinSet::new(),
            turned_away: Seldom::default(),
            refused: Seldom::default(),
            failures: Seldom::default(),
            metrics,
        }
    }

    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => match Arc::clone(&self.places).try_acquire_owned() {
                        Ok(place) => self.greet(stream, peer, place),
                        Err(_) => self.turn_away(stream),
                    },
                    Err(error) => {
                        if let Some(count) = self.failures.count() {
                            tracing::warn!(%error, count, "a connection could not be accepted");
                        }
                        sleep(PAUSE).await;
                    }
                },
                Some(greeted) = self.greetings.join_next() => match greeted {
                    Ok(Ok(connection)) => return connection,
                    Ok(Err((peer, refusal))) => self.refused(peer, &refusal),
                    Err(error) => tracing::error!(%error, "a connection's handshake panicked"),
                },
            }
        }
    }

    /// Does what comes before HTTP/2, beside all else.
    fn greet(&mut self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let deadline = Instant::now() + HANDSHAKE;
        let tls = self.tls.clone();
        self.metrics.connections.accepted.increment(1);
        let place = Place::taken(place, &self.metrics);
        self.greetings.spawn(async move {
            let greeting = async {
                stream.set_nodelay(true).map_err(|_| Refusal::Gone)?;
                greet(stream, tls.as_deref(), deadline).await
            };
            match greeting.await {
                Ok(greeted) => Ok(Connection::new(greeted, deadline, place)),
                Err(refusal) => Err((peer, refusal)),
            }
        });
    }

    fn refused(&mut self, peer: SocketAddr, refusal: &Refusal) {
        match refusal {
            // Load balancers connect and leave, to see whether somebody listens.
            Refusal::Gone | Refusal::TooSlow => tracing::debug!(%peer, "{refusal}"),
            _ => {
                if let Some(count) = self.refused.count() {
                    tracing::warn!(%peer, count, "connections were refused; of the last one: {refusal}");
                }
            }
        }
    }

    /// Sends the reason, if that is possible without waiting, and closes the connection.
    fn turn_away(&mut self, stream: TcpStream) {
        self.metrics.connections.refused.increment(1);
        // Inside of TLS it could not be sent without a handshake.
        if self.tls.is_none()
            && let Ok(stream) = stream.into_std()
        {
            let _ = (&stream).write(&farewell(ENHANCE_YOUR_CALM, "too many connections"));
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
