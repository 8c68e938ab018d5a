//! The HTTP port for operators and their tools: metrics, probes and a status page.
//!
//! It has a listener of its own. Everybody who reaches it may send it anything, so connections are few, short and small. Each has
//! one request. If there are too many connections, the oldest one is closed: clients that send or read nothing do not block others.

mod html;
mod pages;
mod status;
mod visitor;

use std::collections::VecDeque;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

pub(crate) use pages::{Pages, routes};
use visitor::Peer;

/// The most connections at a time.
const MOST_CONNECTIONS: usize = 64;

/// How long the head of a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// How long a connection may last in all.
const WHOLE_TIME: Duration = Duration::from_secs(30);

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 16 << 10;

/// The most headers of a request.
const MOST_HEADERS: usize = 64;

/// How long to wait if a connection can't be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers requests as long as it is polled. Dropping it closes all connections.
pub(crate) async fn serve(listener: TcpListener, routes: Router) {
    let mut open = Open::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let routes = routes.clone().layer(Extension(Peer(peer)));
                let connection = tokio::spawn(answer(stream, routes));
                open.add(connection.abort_handle());
            }
            Err(error) => {
                tracing::debug!(%error, "an HTTP connection could not be accepted");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Answers the one request of a connection.
async fn answer(stream: TcpStream, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    match timeout(WHOLE_TIME, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection broke"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Open(VecDeque<AbortHandle>);

impl Open {
    fn add(&mut self, connection: AbortHandle) {
        self.0.retain(|connection| !connection.is_finished());
        if self.0.len() >= MOST_CONNECTIONS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        self.0.push_back(connection);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        for connection in &self.0 {
            connection.abort();
        }
    }
}
