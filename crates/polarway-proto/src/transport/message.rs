//! What may travel, and how large it may be.

use prost::Message;

use crate::v1::{self, Chunk, LoadResponse, QueryResponse, StoreRequest, store_request};

/// The longest message that is taken, in bytes: a chunk of 64 MiB and what stands around it.
pub const MESSAGE_BYTES: usize = (64 << 20) + PLAIN_BYTES;

/// The longest query that is taken, with the values of its parameters, in bytes.
pub const QUERY_BYTES: usize = 16 << 20;

/// The longest message without a chunk or a query that a server takes, and the most that may stand around a chunk, in
/// bytes: names, ids, numbers.
pub const PLAIN_BYTES: usize = 64 << 10;

/// A message of the protocol. It may carry a chunk among little else.
pub trait Framed: Message + Default + 'static {
    /// The number of the field that holds the chunk; 0 is none.
    const CHUNK_FIELD: u32 = 0;

    /// The most bytes that the message may have besides those of its chunk.
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

/// Messages that carry no chunk, with the most bytes that they may have.
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

// Servers bound the requests that strangers send; what they answer with has schemas and lists.
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
