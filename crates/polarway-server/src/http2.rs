//! HTTP/2: its settings, and how connections are served until the server shuts down.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use polarway_proto::transport::{CONNECTION_WINDOW_BYTES, FRAME_BYTES, SERVER_STREAM_WINDOW_BYTES};
use tokio::task::JoinSet;

use crate::accept::Door;
use crate::connection::Connection;
use crate::edge::Edge;
use crate::limits::Limits;

/// The largest headers of a request.
const HEADER_BYTES: u32 = 32 << 10;

/// How many calls of one connection HTTP/2 refuses or resets for errors of the client before it closes the connection. Such a call
/// costs the client a few bytes, and is not one that it gave up. It is hyper's default, and promised in docs/limits.md.
const MOST_RESETS: usize = 1_024;

/// How long a client may take to answer the ping.
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Serves connections until the shutdown, and then until they have ended. Dropping it ends them.
pub(crate) async fn serve(
    mut door: Door,
    edge: Arc<Edge>,
    limits: &Limits,
    shutdown: impl Future<Output = ()>,
) {
    let http2 = http2(limits);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let connection = tokio::select! {
            () = &mut shutdown => break,
            connection = door.next() => connection,
            Some(_) = connections.join_next() => continue,
        };
        connections.spawn(answer(http2.clone(), connection, Arc::clone(&edge)));
    }
    // Those that connect now must learn at once that nobody listens.
    drop(door);
    while connections.join_next().await.is_some() {}
}

fn http2(limits: &Limits) -> Builder<TokioExecutor> {
    let mut http2 = Builder::new(TokioExecutor::new());
    http2
        .timer(TokioTimer::new())
        // gRPC has no use for it.
        .auto_date_header(false)
        .initial_stream_window_size(SERVER_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(limits.calls_per_connection)
        .max_header_list_size(HEADER_BYTES)
        .max_local_error_reset_streams(MOST_RESETS)
        .keep_alive_interval(limits.keepalive)
        .keep_alive_timeout(KEEPALIVE_ANSWER);
    http2
}

/// Answers the calls of one connection.
async fn answer(http2: Builder<TokioExecutor>, connection: Connection, edge: Arc<Edge>) {
    let drain = edge.drain.clone();
    let calls = edge.of_connection(connection.peer());
    let mut serving = pin!(http2.serve_connection(TokioIo::new(connection), calls));
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        () = drain.begun() => {
            // The client learns that it should make its next calls elsewhere.
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection broke");
    }
}
