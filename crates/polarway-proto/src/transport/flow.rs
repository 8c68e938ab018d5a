//! Flow control: the HTTP/2 windows and frame sizes of both ends of a connection.

/// How much may be sent on a stream to a server before it is read, and so the most that an unread stream holds there:
/// enough for a gigabyte per second at a round trip of two milliseconds.
pub const SERVER_STREAM_WINDOW_BYTES: u32 = 2 << 20;

/// The same for a client, which has few streams: enough for gigabytes per second.
pub const CLIENT_STREAM_WINDOW_BYTES: u32 = 16 << 20;

/// The most that all streams of a connection may hold together. It is the maximum of HTTP/2: unread streams must not block
/// the others.
pub const CONNECTION_WINDOW_BYTES: u32 = i32::MAX as u32;

/// The largest frames: a chunk needs few of them.
pub const FRAME_BYTES: u32 = 1 << 20;
