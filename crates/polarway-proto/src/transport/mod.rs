//! Messages as bodies of HTTP: gRPC's frames, made and read without tonic's copies; and what both ends agree on besides.
//!
//! tonic encodes each message into a buffer and collects each one that arrives in another. For messages that are a
//! megabyte of table and little else, those copies are most of the work. Here a chunk's bytes go out as they are, behind
//! the few that frame them ([`send`]), and come in with one copy, to memory that is aligned as Arrow wants it
//! ([`Received`]). What travels is the same: a peer that uses tonic, or any other gRPC, can't tell.
//!
//! Messages are never compressed as a whole ([`ENCODING`]): a small one could become a large one before anybody had counted
//! it. What is worth compressing is a table's chunk, which says so itself.

mod flow;
mod message;
mod receive;
mod send;
mod timeout;

pub use flow::{
    CLIENT_STREAM_WINDOW_BYTES, CONNECTION_WINDOW_BYTES, FRAME_BYTES, SERVER_STREAM_WINDOW_BYTES,
};
pub use message::{Framed, MESSAGE_BYTES, PLAIN_BYTES, QUERY_BYTES};
pub use receive::{Received, received_status};
pub use send::{End, send};
pub use timeout::{TIMEOUT_HEADER, decode_timeout, encode_timeout};

/// The header in which a peer says how its messages are compressed.
pub const ENCODING_HEADER: &str = "grpc-encoding";

/// The header in which a server says which compressions of messages it understands.
pub const ACCEPTED_ENCODINGS_HEADER: &str = "grpc-accept-encoding";

/// The only one: messages are as they are.
pub const ENCODING: &str = "identity";

/// In front of each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const HEADER_BYTES: usize = 5;

#[cfg(test)]
mod tests;
