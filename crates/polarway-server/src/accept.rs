//! Accepts connections up to a maximum number, and prepares each for HTTP/2.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::connection::{Connection, Place};
use crate::farewell::{ENHANCE_YOUR_CALM, farewell};
use crate::greeting::{Refusal, greet};
use crate::limits::{Addresses, Limits};
use crate::metrics::Metrics;
use crate::seldom::Seldom;
use crate::tls::Tls;

/// How long to wait if a connection can't be accepted: usually there are too many.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections.
pub(crate) struct Door {
    listener: TcpListener,
    most: usize,
    places: Arc<Semaphore>,
    addresses: Addresses,
    handshake: Duration,
    idle: Option<Duration>,
    tls: Option<Arc<Tls>>,
    /// Connections on which HTTP/2 has not begun. Each has its own task, so that none waits for another. Each takes one of the
    /// places, so their number is limited. They end when this is dropped.
    greetings: JoinSet<Result<Connection, (SocketAddr, Refusal)>>,
    turned_away: Seldom,
    refused: Seldom,
    failures: Seldom,
    metrics: Arc<Metrics>,
}

impl Door {
    /// Accepts up to `most` connections at a time.
    pub(crate) fn new(
        listener: TcpListener,
        most: usize,
        limits: &Limits,
        tls: Option<Arc<Tls>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            listener,
            most,
            places: Arc::new(Semaphore::new(most)),
            addresses: Addresses::with_at_most(limits.connections_per_address),
            handshake: limits.handshake,
            idle: limits.idle,
            tls,
            greetings: JoinSet::new(),
            turned_away: Seldom::default(),
            refused: Seldom::default(),
            failures: Seldom::default(),
            metrics,
        }
    }

    /// The next connection. An error of `accept` is logged. If this is dropped before it is ready, no connection is lost.
    pub(crate) async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => match self.place(peer) {
                        Ok(place) => self.greet(stream, peer, place),
                        Err(why) => self.turn_away(stream, peer, why),
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

    /// A place for a connection, or the reason why there is none.
    fn place(&self, peer: SocketAddr) -> Result<Place, &'static str> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| "too many connections")?;
        let of_address = self.addresses.enter(peer.ip()).ok_or("too many connections from your address")?;
        Ok(Place::taken(permit, of_address, &self.metrics))
    }

    /// Does the steps before HTTP/2 in the background.
    fn greet(&mut self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let (deadline, idle) = (Instant::now() + self.handshake, self.idle);
        let tls = self.tls.clone();
        self.metrics.connections.accepted.increment(1);
        self.greetings.spawn(async move {
            let greeting = async {
                stream.set_nodelay(true).map_err(|_| Refusal::Gone)?;
                greet(stream, tls.as_deref(), deadline).await
            };
            match greeting.await {
                Ok(greeted) => Ok(Connection::new(greeted, peer, deadline, idle, place)),
                Err(refusal) => Err((peer, refusal)),
            }
        });
    }

    fn refused(&mut self, peer: SocketAddr, refusal: &Refusal) {
        match refusal {
            // Load balancers connect and disconnect to check whether the server listens.
            Refusal::Gone | Refusal::TooSlow => tracing::debug!(%peer, "{refusal}"),
            _ => {
                self.metrics.connections.handshakes_failed.increment(1);
                if let Some(count) = self.refused.count() {
                    tracing::warn!(%peer, count, "connections were refused; of the last one: {refusal}");
                }
            }
        }
    }

    /// Sends the reason, if that is possible without waiting, and closes the connection.
    fn turn_away(&mut self, stream: TcpStream, peer: SocketAddr, why: &str) {
        self.metrics.connections.refused.increment(1);
        // With TLS, it could not be sent without a handshake.
        if self.tls.is_none()
            && let Ok(stream) = stream.into_std()
        {
            let _ = (&stream).write(&farewell(ENHANCE_YOUR_CALM, why));
        }
        if let Some(count) = self.turned_away.count() {
            tracing::warn!(
                count,
                %peer,
                "connections were turned away; the last one: {why}. There may be {} in all, and {} from one address",
                self.most,
                self.addresses.most()
            );
        }
    }
}
