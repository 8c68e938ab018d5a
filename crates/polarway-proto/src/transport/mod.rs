//! Messages as HTTP bodies: gRPC frames, written and read without tonic's copies; and what both ends must agree on besides.
//!
//! tonic encodes each message into a buffer, and collects each received message in another. For messages that are mostly a
//! megabyte of table, those copies are most of the work. Here a chunk's bytes are sent as they are, after a few bytes that
//! frame them ([`send`]), and are received with one copy, into memory that is aligned for Arrow ([`Received`]). The bytes
//! on the wire are the same: a peer that uses tonic or another gRPC library sees no difference.
//!
//! Messages are never compressed as a whole ([`ENCODING`]): a small one could become large before its size was counted.
//! Only a table's chunk is worth compressing, and the chunk says whether it is compressed.

mod flow;
mod message;
mod receive;
mod send;
mod timeout;

use http::HeaderName;

pub use flow::{
    CLIENT_STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES, FRAME_BYTES, SERVER_STREAM_WINDOW_BYTES,
};
pub use message::{Framed, MESSAGE_BYTES, PLAIN_BYTES, QUERY_BYTES};
pub use receive::{Received, received_status};
pub use send::{End, send};
pub use timeout::{TIMEOUT_HEADER, decode_timeout, encode_timeout};

/// The header with the compression of a peer's messages.
pub const ENCODING_HEADER: HeaderName = HeaderName::from_static("grpc-encoding");

/// The header with the compressions of messages that a server supports.
pub const ACCEPTED_ENCODINGS_HEADER: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// The only supported one: no compression.
pub const ENCODING: &str = "identity";

/// The bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
pub const MESSAGE_HEADER_BYTES: usize = 5;

#[cfg(test)]
mod tests;
