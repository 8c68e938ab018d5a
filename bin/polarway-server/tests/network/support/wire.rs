//! Messages of the protocol made by hand, to send what no client would send.

use futures::StreamExt as _;
use polarway_client::Table;
use polarway_ipc::{ChunkEncoder, EncodeOptions};
use polarway_proto::Reason;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{
    Chunk, Failure, QueryRequest, QueryResponse, StoreHeader, StoreRequest, StoreResponse, StoreTrailer,
    WriteMode, store_result,
};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::Server;

/// A connection that any gRPC client may use.
pub(crate) async fn channel(server: &Server) -> Channel {
    Endpoint::new(server.url()).unwrap().connect().await.unwrap()
}

/// The generated client, without the Rust client around it.
pub(crate) async fn raw(server: &Server) -> PolarwayServiceClient<Channel> {
    PolarwayServiceClient::new(channel(server).await).max_encoding_message_size(256 << 20)
}

/// Asks a query and gives all that was answered.
pub(crate) async fn ask(server: &Server, request: QueryRequest) -> Result<Vec<QueryResponse>, Status> {
    let mut responses = raw(server).await.query(request).await?.into_inner();
    let mut answered = Vec::new();
    while let Some(response) = responses.message().await? {
        answered.push(response);
    }
    Ok(answered)
}

/// A table as chunks.
fn chunks(table: &Table, options: EncodeOptions) -> Vec<Chunk> {
    let mut encoder = ChunkEncoder::new(table.schema(), options).unwrap();
    let mut chunks = Vec::new();
    for batch in table.batches() {
        chunks.extend(encoder.encode(batch).unwrap());
    }
    chunks.push(encoder.finish());
    chunks
        .into_iter()
        .map(|chunk| Chunk { ipc: chunk.ipc, first_row: chunk.first_row, rows: chunk.rows })
        .collect()
}

/// A correct upload as a list of parts, which a test can make wrong.
#[derive(Clone)]
pub(crate) struct Upload {
    pub(crate) parts: Vec<Part>,
}

impl Upload {
    pub(crate) fn of(name: &str, table: &Table) -> Self {
        Self::cut(name, table, EncodeOptions::default())
    }

    /// The same, in chunks as these options make them.
    pub(crate) fn cut(name: &str, table: &Table, options: EncodeOptions) -> Self {
        let chunks = chunks(table, options);
        let mut checksum = crc32fast::Hasher::new();
        for chunk in &chunks {
            checksum.update(&chunk.ipc);
        }
        let header = StoreHeader {
            name: name.to_owned(),
            mode: WriteMode::Overwrite.into(),
            last: true,
            ..StoreHeader::default()
        };
        let trailer = StoreTrailer { rows: table.num_rows() as u64, crc32: checksum.finalize() };
        let mut parts = vec![Part::Header(header)];
        parts.extend(chunks.into_iter().map(Part::Chunk));
        parts.push(Part::Trailer(trailer));
        Self { parts }
    }

    /// What its chunks take.
    pub(crate) fn bytes(&self) -> usize {
        let chunks = self.parts.iter().filter_map(|part| match part {
            Part::Chunk(chunk) => Some(chunk.ipc.len()),
            _ => None,
        });
        chunks.sum()
    }

    pub(crate) fn header(&mut self) -> &mut StoreHeader {
        match &mut self.parts[0] {
            Part::Header(header) => header,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn chunk(&mut self, index: usize) -> &mut Chunk {
        match &mut self.parts[1 + index] {
            Part::Chunk(chunk) => chunk,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn trailer(&mut self) -> &mut StoreTrailer {
        match self.parts.last_mut() {
            Some(Part::Trailer(trailer)) => trailer,
            other => panic!("{other:?}"),
        }
    }

    /// Another table behind this one.
    pub(crate) fn then(mut self, mut other: Self) -> Self {
        self.header().last = false;
        self.parts.append(&mut other.parts);
        self
    }

    pub(crate) async fn send(self, server: &Server) -> Result<StoreResponse, Status> {
        let requests = self.parts.into_iter().map(|part| StoreRequest { part: Some(part) });
        let request = Request::new(futures::stream::iter(requests.collect::<Vec<_>>()));
        Ok(raw(server).await.store(request).await?.into_inner())
    }

    /// Sends it, and the trailer only after something has happened.
    pub(crate) async fn send_with_pause(
        mut self,
        server: &Server,
        pause: impl Future<Output = ()> + Send + 'static,
    ) -> Result<StoreResponse, Status> {
        let trailer = self.parts.pop();
        let as_request = |part| StoreRequest { part: Some(part) };
        let before = futures::stream::iter(self.parts.into_iter().map(as_request));
        let last = futures::stream::once(async move {
            pause.await;
            StoreRequest { part: trailer }
        });
        let request = Request::new(before.chain(last));
        Ok(raw(server).await.store(request).await?.into_inner())
    }

    /// Sends it and gives why it was refused, as a whole or as its only table.
    pub(crate) async fn refused(self, server: &Server) -> Reason {
        match self.send(server).await {
            Err(status) => reason_of(&status),
            Ok(response) => match &response.results[..] {
                [result] => match &result.outcome {
                    Some(store_result::Outcome::Failure(failure)) => Reason::parse(&failure.reason).unwrap(),
                    other => panic!("{other:?}"),
                },
                results => panic!("{results:?}"),
            },
        }
    }
}

/// The reason in a status, which must have one that goes with its code.
#[track_caller]
pub(crate) fn reason_of(status: &Status) -> Reason {
    let failure = Failure::from(status);
    let Some(reason) = Reason::parse(&failure.reason) else { panic!("no reason in {status:?}") };
    assert_eq!(reason.code(), status.code());
    assert!(!failure.message.is_empty());
    reason
}
