//! How much of a stream may be under way: HTTP/2's windows and frames, for both ends of a connection.

/// What a stream to a server may be sent before it is read, and all that one which nobody reads can hold there: enough for a
/// gigabyte in a second over a network that answers within two milliseconds.
pub const SERVER_STREAM_WINDOW_BYTES: u32 = 2 << 20;

/// The same at a client, which has few streams: enough to move gigabytes in a second.
pub const CLIENT_STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// What all streams of a connection may hold together. It is the most that HTTP/2 allows: streams that nobody reads must
/// not keep the others waiting.
pub const CONNECTION_WINDOW_BYTES: u32 = i32::MAX as u32;

/// The largest frames: few of them for a chunk.
pub const FRAME_BYTES: u32 = 1 << 20;
