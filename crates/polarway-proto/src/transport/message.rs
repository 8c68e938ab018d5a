//! Which messages may be sent, and how large they may be.

use prost::Message;

use crate::v1::{self, Chunk, LoadResponse, QueryResponse, StoreRequest, store_request};

/// The longest message that is accepted, in bytes: a chunk of 64 MiB and the bytes around it.
pub const MESSAGE_BYTES: usize = (64 << 20) + PLAIN_BYTES;

/// The longest query that is accepted, with its parameter values, in bytes.
pub const QUERY_BYTES: usize = 16 << 20;

/// The longest message without a chunk or a query that a server accepts, and the most around a chunk, in bytes: names,
/// ids, numbers.
pub const PLAIN_BYTES: usize = 64 << 10;

/// A message of the protocol. It may carry a chunk and a few small fields.
pub trait Framed: Message + Default + 'static {
    /// The number of the field with the chunk; 0 means none.
    const CHUNK_FIELD: u32 = 0;

    /// The most bytes of the message, without those of its chunk.
    const MOST_BYTES: usize;

    /// The chunk.
    fn chunk(&self) -> Option<&Chunk> {
        None
    }

    /// Takes the chunk out.
    fn take_chunk(&mut self) -> Option<Chunk> {
        None
    }
}

/// Messages without a chunk, with their maximum size in bytes.
macro_rules! without_chunk {
    ($most_bytes:ident: $($message:ident)*) => {
        $(impl Framed for v1::$message {
            const MOST_BYTES: usize = $most_bytes;
        })*
    };
}

without_chunk! { QUERY_BYTES: QueryRequest CreateHandleRequest }

without_chunk! { PLAIN_BYTES:
    LoadRequest GetHandleRequest ListHandlesRequest ExtendHandleRequest DropHandleRequest ListDatasetsRequest
    GetDatasetRequest ListVersionsRequest DeleteDatasetRequest ListQueriesRequest CancelQueryRequest
    GetCacheStatsRequest GetServerInfoRequest
}

// Servers limit the requests of untrusted clients; responses contain schemas and lists.
without_chunk! { MESSAGE_BYTES:
    StoreResponse CreateHandleResponse GetHandleResponse ListHandlesResponse ExtendHandleResponse DropHandleResponse
    ListDatasetsResponse GetDatasetResponse ListVersionsResponse DeleteDatasetResponse ListQueriesResponse
    CancelQueryResponse GetCacheStatsResponse GetServerInfoResponse
}

impl Framed for LoadResponse {
    const CHUNK_FIELD: u32 = 1;
    const MOST_BYTES: usize = MESSAGE_BYTES;

    fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        self.chunk.take()
    }
}

impl Framed for QueryResponse {
    const CHUNK_FIELD: u32 = 1;
    const MOST_BYTES: usize = MESSAGE_BYTES;

    fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    fn take_chunk(&mut self) -> Option<Chunk> {
        self.chunk.take()
    }
}

impl Framed for StoreRequest {
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
