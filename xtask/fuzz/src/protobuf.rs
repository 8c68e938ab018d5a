//! The protocol's messages: each request as prost decodes it, and bodies of calls as the server takes them apart.

use std::convert::Infallible;
use std::path::Path;

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use polarway_ipc::{ChunkDecoder, DecodeLimits, EncodeOptions, EncodedTable};
use polarway_proto::transport::{End, Framed, Received};
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{
    CancelQueryRequest, Chunk, CreateHandleRequest, DeleteDatasetRequest, DropHandleRequest,
    ExtendHandleRequest, GetCacheStatsRequest, GetDatasetRequest, GetHandleRequest, GetServerInfoRequest,
    ListDatasetsRequest, ListHandlesRequest, ListQueriesRequest, ListVersionsRequest, LoadRequest,
    LoadResponse, QueryRequest, QueryResponse, StoreHeader, StoreRequest, StoreResponse, StoreTrailer,
};
use prost::Message;

use crate::tables::tables;

/// The kinds of input: a message of one of the types, or a body.
const MESSAGES: [fn(&[u8]); 16] = [
    message::<CancelQueryRequest>,
    message::<CreateHandleRequest>,
    message::<DeleteDatasetRequest>,
    message::<DropHandleRequest>,
    message::<ExtendHandleRequest>,
    message::<GetCacheStatsRequest>,
    message::<GetDatasetRequest>,
    message::<GetHandleRequest>,
    message::<GetServerInfoRequest>,
    message::<ListDatasetsRequest>,
    message::<ListHandlesRequest>,
    message::<ListQueriesRequest>,
    message::<ListVersionsRequest>,
    message::<LoadRequest>,
    message::<QueryRequest>,
    message::<StoreRequest>,
];
const BODIES: [fn(&[u8]); 5] =
    [upload, body::<LoadRequest>, body::<QueryRequest>, body::<LoadResponse>, body::<QueryResponse>];

/// Decodes a message or a body; the first byte says which.
///
/// # Panics
/// When a message is another one once it was encoded again.
pub fn check(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    let kinds = MESSAGES.len() + BODIES.len();
    match usize::from(*kind) % kinds {
        kind if kind < MESSAGES.len() => MESSAGES[kind](bytes),
        kind => BODIES[kind - MESSAGES.len()](bytes),
    }
}

fn message<M: Message + Default + PartialEq>(bytes: &[u8]) {
    let Ok(message) = M::decode(bytes) else { return };
    let again = M::decode(&message.encode_to_vec()[..]).unwrap();
    // A NaN is no equal of itself.
    assert_eq!(again.encode_to_vec(), message.encode_to_vec());
}

fn body<M: Framed>(bytes: &[u8]) {
    let messages = received::<M>(bytes);
    for message in &messages {
        assert!(M::decode(&message.encode_to_vec()[..]).is_ok());
    }
}

/// A body of an upload, whose chunks are decoded as well.
fn upload(bytes: &[u8]) {
    let limits =
        DecodeLimits { max_decoded_bytes: 1 << 20, max_plain_bytes: 1 << 20, ..DecodeLimits::default() };
    let mut decoder = ChunkDecoder::new(limits);
    for request in received::<StoreRequest>(bytes) {
        if let Some(Part::Chunk(chunk)) = request.part
            && decoder.decode(chunk.ipc).is_err()
        {
            return;
        }
    }
}

/// What comes of a body that arrives in pieces, whose lengths its own first bytes tell.
fn received<M: Framed>(bytes: &[u8]) -> Vec<M> {
    let (lengths, rest) = bytes.split_at(bytes.len().min(8));
    let mut rest = Bytes::copy_from_slice(rest);
    let mut pieces = Vec::new();
    for length in lengths {
        pieces.push(rest.split_to(rest.len().min(usize::from(*length))));
    }
    pieces.push(rest);
    let frames = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    let body = http_body_util::StreamBody::new(futures::stream::iter(frames));
    let received = Received::<M>::new(tonic::body::Body::new(body), End::Status);
    futures::executor::block_on(received.filter_map(async |message| message.ok()).collect())
}

/// Writes requests and an upload into a folder.
///
/// # Panics
/// When they can't be written.
pub fn write_seeds(folder: &Path) {
    let header = StoreHeader { name: "t".to_owned(), request_id: "id".to_owned(), ..StoreHeader::default() };
    let query = QueryRequest { sql: "SELECT $1".to_owned(), ..QueryRequest::default() };
    let load = LoadRequest { name: "t".to_owned(), ..LoadRequest::default() };
    let batches = &tables(1)[0];
    let table = EncodedTable::encode(&batches[0].schema(), batches, EncodeOptions::default()).unwrap();
    let chunks = table.chunks().iter().map(|chunk| {
        Part::Chunk(Chunk { ipc: chunk.ipc.clone(), first_row: chunk.first_row, rows: chunk.rows })
    });
    let trailer = Part::Trailer(StoreTrailer { rows: table.rows(), crc32: 1 });
    let parts = [Part::Header(header)].into_iter().chain(chunks).chain([trailer]);
    let requests: Vec<Vec<u8>> =
        parts.map(|part| StoreRequest { part: Some(part) }.encode_to_vec()).collect();
    let framed = |message: &Vec<u8>| [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat();
    let upload: Vec<u8> =
        [5, 1, 200, 3, 0, 7, 90, 255].into_iter().chain(requests.iter().flat_map(framed)).collect();
    let mut seeds: Vec<(usize, Vec<u8>)> = requests.into_iter().map(|request| (15, request)).collect();
    seeds.extend([(14, query.encode_to_vec()), (13, load.encode_to_vec()), (MESSAGES.len(), upload)]);
    seeds.push((MESSAGES.len() + 3, StoreResponse::default().encode_to_vec()));
    for (number, (kind, bytes)) in seeds.into_iter().enumerate() {
        let seed = [&[kind as u8][..], &bytes].concat();
        std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}
