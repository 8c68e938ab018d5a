//! Connections to the workers, and which of them to ask.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Uri;
use polarway_proto::client::PolarwayServiceClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_client::HealthClient;

/// A message holds a chunk of 64 MiB at the most, and what stands around it.
const MESSAGE_BYTES: usize = (64 << 20) + (64 << 10);

/// What a stream may be sent before it is read: enough to move gigabytes in a second, and all that a stream which nobody
/// reads can hold.
const STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// The most that HTTP/2 allows: streams that nobody reads must not keep the others of a connection waiting.
const CONNECTION_WINDOW_BYTES: u32 = i32::MAX as u32;

/// The largest frames: few of them for a chunk.
const FRAME_BYTES: u32 = 1 << 20;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection in use that is silent for this long is asked whether it is alive, and has as long again to answer.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// The workers that a client knows. All of them serve the same tables; one is asked until it fails.
pub(crate) struct Workers {
    channels: Vec<Channel>,
    current: AtomicUsize,
    token: Option<MetadataValue<Ascii>>,
}

/// A worker that was picked for a call.
pub(crate) struct Worker {
    index: usize,
    channel: Channel,
}

impl Workers {
    pub(crate) fn new(uris: Vec<Uri>, token: Option<MetadataValue<Ascii>>) -> Self {
        let channels = uris.into_iter().map(|uri| endpoint(uri).connect_lazy()).collect::<Vec<_>>();
        // Many clients with one list of workers should not all begin with the first.
        let current = AtomicUsize::new(fastrand::usize(..channels.len().max(1)));
        Self { channels, current, token }
    }

    pub(crate) fn count(&self) -> usize {
        self.channels.len()
    }

    /// The worker to ask now.
    pub(crate) fn pick(&self) -> Worker {
        let index = self.current.load(Ordering::Relaxed) % self.channels.len();
        Worker { index, channel: self.channels[index].clone() }
    }

    /// A worker did not do: the next one is asked from now on, unless another call has moved on already.
    pub(crate) fn pass_over(&self, worker: &Worker) {
        let next = (worker.index + 1) % self.channels.len();
        let _ = self.current.compare_exchange(worker.index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A request with what each request carries.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }
}

impl Worker {
    pub(crate) fn service(&self) -> PolarwayServiceClient<Channel> {
        PolarwayServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES)
            .max_encoding_message_size(MESSAGE_BYTES)
    }

    pub(crate) fn health(&self) -> HealthClient<Channel> {
        HealthClient::new(self.channel.clone())
    }
}

fn endpoint(uri: Uri) -> Endpoint {
    Endpoint::from(uri)
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
}
