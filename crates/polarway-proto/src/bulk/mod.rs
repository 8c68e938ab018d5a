//! Streams of chunks as bodies of HTTP: gRPC's frames, made and read without tonic's copies.
//!
//! tonic encodes each message into a buffer and collects each one that arrives in another. For messages that are a
//! megabyte of table and little else, those copies are most of the work. Here a chunk's bytes go out as they are, behind
//! the few that frame them ([`send`]), and come in with one copy, to memory that is aligned as Arrow wants it
//! ([`Received`]). What travels is the same: a peer that uses tonic, or any other gRPC, can't tell.

mod receive;
mod send;

use prost::Message;

pub use receive::{Received, received_status};
pub use send::{BulkBody, End, send};

use crate::v1::{
    Chunk, LoadRequest, LoadResponse, QueryRequest, QueryResponse, StoreRequest, StoreResponse, store_request,
};

/// The longest message that is taken, in bytes: a chunk of 64 MiB and what stands around it.
pub const MESSAGE_BYTES: usize = (64 << 20) + PLAIN_BYTES;

/// In front of each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
const HEADER_BYTES: usize = 5;

/// The longest query that is taken, with the values of its parameters, in bytes.
pub const QUERY_BYTES: usize = 16 << 20;

/// The longest message without a chunk or a query that a server takes, and the most that may stand around a chunk, in
/// bytes: names, ids, numbers.
pub const PLAIN_BYTES: usize = 64 << 10;

/// A message that may carry a chunk among little else.
pub trait Bulk: Message + Default {
    /// The number of the field that holds the chunk; 0 is none.
    const CHUNK_FIELD: u32 = 0;

    /// The most bytes that the message may have besides those of its chunk.
    const MOST_BYTES: usize = MESSAGE_BYTES;

    /// The chunk.
    fn chunk(&self) -> Option<&Chunk> {
        None
    }

    /// Takes the chunk out.
    fn take_chunk(&mut self) -> Option<Chunk> {
        None
    }
}

impl Bulk for LoadRequest {
    const MOST_BYTES: usize = PLAIN_BYTES;
}

impl Bulk for QueryRequest {
    const MOST_BYTES: usize = QUERY_BYTES;
}

impl Bulk for StoreResponse {}

impl Bulk for LoadResponse {
    const CHUNK_FIELD: u32 = 1;

    fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        self.chunk.take()
    }
}

impl Bulk for QueryResponse {
    const CHUNK_FIELD: u32 = 1;

    fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        self.chunk.take()
    }
}

impl Bulk for StoreRequest {
    const CHUNK_FIELD: u32 = 2;
    const MOST_BYTES: usize = PLAIN_BYTES;

    fn chunk(&self) -> Option<&Chunk> {
        match &self.part {
            Some(store_request::Part::Chunk(chunk)) => Some(chunk),
            _ => None,
        }
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        match self.part.take() {
            Some(store_request::Part::Chunk(chunk)) => Some(chunk),
            other => {
                self.part = other;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
