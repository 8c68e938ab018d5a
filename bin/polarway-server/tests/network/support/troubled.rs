//! Workers that fail: they speak HTTP/2, so that connections to them look healthy, as they do through a balancer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::server::SendResponse;
use polarway_proto::Reason;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tonic::Status;

/// What a worker does with each call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// It takes the call and never answers.
    Silent,
    /// It closes the connection when the call comes, as a worker does that dies.
    Dies,
    /// It has no room now, and says when to come back.
    Busy,
}

impl Trouble {
    pub(crate) const ALL: [Self; 3] = [Self::Silent, Self::Dies, Self::Busy];
}

/// An address that refuses connections, and that no other program is given, until this is dropped.
pub(crate) struct Nobody(TcpSocket);

impl Nobody {
    pub(crate) fn new() -> Self {
        // Bound, and not listening.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

/// A worker in trouble, until it is dropped.
pub(crate) struct Troubled {
    address: String,
    calls: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Troubled {
    pub(crate) async fn start(trouble: Trouble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, trouble, Arc::clone(&counter)));
            }
        });
        Self { address, calls, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many calls have come.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Drop for Troubled {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(connection: TcpStream, trouble: Trouble, calls: Arc<AtomicUsize>) {
    let Ok(mut connection) = h2::server::handshake(connection).await else { return };
    let mut unanswered = Vec::new();
    while let Some(Ok((request, mut response))) = connection.accept().await {
        calls.fetch_add(1, Ordering::Relaxed);
        match trouble {
            Trouble::Silent => unanswered.push((request, response)),
            Trouble::Dies => return,
            Trouble::Busy => turn_away(&mut response),
        }
    }
}

fn turn_away(response: &mut SendResponse<bytes::Bytes>) {
    let busy = Reason::ResourceExhausted.failure("no room now").with_retry_delay(Duration::from_millis(20));
    let head = Status::from(busy).into_http::<()>();
    // A client that is gone already needs no answer.
    let _ = response.send_response(head, true);
}
