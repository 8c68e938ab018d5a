use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use prost::Message as _;
use tonic::{Code, Status};

use super::send::frame;
use super::*;
use crate::v1::store_request::Part;
use crate::v1::{
    Chunk, LoadHeader, LoadRequest, LoadResponse, QueryRequest, StoreHeader, StoreRequest, StoreTrailer,
};

fn chunk(bytes: usize) -> Chunk {
    Chunk { ipc: (0..bytes).map(|n| n as u8).collect::<Vec<_>>().into(), first_row: 70_000, rows: 300 }
}

fn load(bytes: usize) -> LoadResponse {
    LoadResponse { chunk: Some(chunk(bytes)), header: Some(LoadHeader { version: 3, rows: 9, time_us: -1 }) }
}

/// A body with these pieces as frames.
fn body(pieces: Vec<Bytes>, end: Option<Status>) -> tonic::body::Body {
    let frames = pieces.into_iter().map(|piece| Ok::<_, Status>(http_body::Frame::data(piece)));
    let trailers = end.map(|status| {
        let mut trailers = http::HeaderMap::new();
        status.add_header(&mut trailers).unwrap();
        Ok(http_body::Frame::trailers(trailers))
    });
    tonic::body::Body::new(http_body_util::StreamBody::new(stream::iter(frames.chain(trailers))))
}

fn wire<M: Framed>(message: M) -> Vec<u8> {
    let (head, ipc) = frame(message);
    [head, ipc].concat()
}

/// The same message as any other gRPC library encodes it.
fn plain_wire<M: Framed>(message: &M) -> Vec<u8> {
    let encoded = message.encode_to_vec();
    [&[0][..], &(encoded.len() as u32).to_be_bytes(), &encoded].concat()
}

async fn receive<M: Framed>(body: tonic::body::Body) -> Vec<Result<M, Code>> {
    Received::<M>::new(body, End::Status)
        .map(|message| message.map_err(|status| status.code()))
        .collect()
        .await
}

#[test]
fn a_framed_message_is_that_message_to_any_protobuf() {
    for bytes in [0, 1, 127, 128, 20_000, 1 << 20] {
        let wire = wire(load(bytes));
        assert_eq!(wire[1..5], ((wire.len() - 5) as u32).to_be_bytes());
        assert_eq!(LoadResponse::decode(&wire[5..]).unwrap(), load(bytes));
    }
    let trailer = StoreTrailer { rows: 3, crc32: 7 };
    for part in [Part::Header(StoreHeader::default()), Part::Chunk(chunk(9)), Part::Trailer(trailer)] {
        let request = StoreRequest { part: Some(part) };
        assert_eq!(StoreRequest::decode(&wire(request.clone())[5..]).unwrap(), request);
    }
    assert_eq!(wire(StoreRequest::default()), [0; 5], "a heartbeat is a header alone");
}

#[tokio::test]
async fn messages_arrive_whole_and_aligned_however_they_were_cut_and_whoever_framed_them() {
    let messages = [load(1), load(100_000), LoadResponse::default(), load(64), load(1 << 20)];
    let ours: Vec<u8> = messages.iter().flat_map(|message| wire(message.clone())).collect();
    let others: Vec<u8> = messages.iter().flat_map(plain_wire).collect();
    for bytes in [ours, others] {
        for size in [1, 3, 7, 63, 64, 65, 1000, 1 << 20, usize::MAX] {
            if size < 63 && bytes.len() > 1 << 20 && size > 7 {
                continue;
            }
            let pieces = bytes.chunks(size).map(Bytes::copy_from_slice).collect();
            let received = receive::<LoadResponse>(body(pieces, Some(Status::ok("")))).await;
            for (received, sent) in received.iter().zip(&messages) {
                let received = received.as_ref().unwrap();
                assert_eq!(received, sent);
                if let Some(chunk) = &received.chunk {
                    assert_eq!(chunk.ipc.as_ptr() as usize % 64, 0, "cut at {size}");
                }
            }
            assert_eq!(received.len(), messages.len());
        }
    }
}

#[tokio::test]
async fn a_message_that_is_given_room_as_it_comes_arrives_whole_and_aligned() {
    for size in [10_000, 1 << 20, usize::MAX] {
        let pieces = plain_wire(&load(5 << 20)).chunks(size).map(Bytes::copy_from_slice).collect();
        let received = receive::<LoadResponse>(body(pieces, Some(Status::ok("")))).await;
        assert_eq!(received, [Ok(load(5 << 20))]);
        let chunk = received.into_iter().next().unwrap().unwrap().chunk.unwrap();
        assert_eq!(chunk.ipc.as_ptr() as usize % 64, 0, "cut at {size}");
    }
}

#[tokio::test]
async fn what_is_sent_is_received() {
    let messages = stream::iter((0..10).map(|n| Ok(load(n * 1000))));
    let received = receive::<LoadResponse>(send(messages, End::Status)).await;
    let sent: Vec<_> = (0..10).map(|n| Ok(load(n * 1000))).collect();
    assert_eq!(received, sent);
}

#[tokio::test]
async fn an_error_in_mid_stream_arrives_as_that_error() {
    let messages = stream::iter([Ok(load(5)), Err(Status::aborted("files changed"))]);
    let received = receive::<LoadResponse>(send(messages, End::Status)).await;
    assert_eq!(received, [Ok(load(5)), Err(Code::Aborted)]);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let whole = wire(load(1000));
    for length in [1, 4, 5, 6, 20, whole.len() - 1] {
        let pieces = vec![Bytes::copy_from_slice(&whole[..length])];
        assert_eq!(receive::<LoadResponse>(body(pieces, None)).await, [Err(Code::Unavailable)], "{length}");
    }
    let without_status = body(vec![whole.into()], None);
    assert_eq!(receive::<LoadResponse>(without_status).await, [Ok(load(1000)), Err(Code::Unavailable)]);
}

#[tokio::test]
async fn what_is_no_message_is_refused_before_memory_is_taken_for_it() {
    let refused = async |bytes: &[u8]| {
        receive::<LoadResponse>(body(vec![Bytes::copy_from_slice(bytes)], Some(Status::ok("")))).await
    };
    assert_eq!(refused(&[0, 0xff, 0xff, 0xff, 0xff, 1]).await, [Err(Code::OutOfRange)]);
    assert_eq!(refused(&[1, 0, 0, 0, 1, 9]).await, [Err(Code::Internal)]);
    assert_eq!(refused(&[0, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]).await, [Err(Code::Internal)]);
}

#[tokio::test]
async fn any_start_of_a_message_is_looked_into_without_harm() {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..20_000 {
        let mut bytes = BytesMut::zeroed(5);
        for _ in 0..1 + random % 40 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes.extend_from_slice(&[random as u8]);
        }
        let length = (bytes.len() - 5) as u32;
        bytes[1..5].copy_from_slice(&length.to_be_bytes());
        let received = receive::<StoreRequest>(body(vec![bytes.freeze()], Some(Status::ok("")))).await;
        assert!(matches!(received[..], [Ok(_) | Err(Code::Internal)]), "{received:?}");
    }
}

#[tokio::test]
async fn a_header_is_refused_for_its_length_before_it_has_come() {
    let header = StoreHeader { name: "n".repeat(60 << 20), ..StoreHeader::default() };
    let whole = plain_wire(&StoreRequest { part: Some(Part::Header(header)) });
    let start = Bytes::copy_from_slice(&whole[..100]);
    let refused = receive::<StoreRequest>(body(vec![start], Some(Status::ok("")))).await;
    assert_eq!(refused, [Err(Code::OutOfRange)]);
    let longest = StoreHeader { name: "n".repeat(PLAIN_BYTES - 10), ..StoreHeader::default() };
    let message = StoreRequest { part: Some(Part::Header(longest)) };
    let taken = body(vec![plain_wire(&message).into()], Some(Status::ok("")));
    assert_eq!(receive::<StoreRequest>(taken).await, [Ok(message)]);
}

#[tokio::test]
async fn what_hides_beside_a_chunk_is_refused() {
    let mut encoded = StoreRequest { part: Some(Part::Chunk(chunk(100))) }.encode_to_vec();
    // An unknown field.
    prost::encoding::bytes::encode(99, &vec![0; PLAIN_BYTES], &mut encoded);
    let message = [&[0][..], &(encoded.len() as u32).to_be_bytes(), &encoded].concat();
    let refused = receive::<StoreRequest>(body(vec![message.into()], Some(Status::ok("")))).await;
    assert_eq!(refused, [Err(Code::OutOfRange)]);
}

#[tokio::test]
async fn a_request_for_a_load_or_a_query_has_a_limit_of_its_own() {
    let name = "n".repeat(PLAIN_BYTES);
    let load = plain_wire(&LoadRequest { name: name.clone(), ..LoadRequest::default() });
    assert_eq!(receive::<LoadRequest>(body(vec![load.into()], None)).await, [Err(Code::OutOfRange)]);
    let query = QueryRequest { sql: name, ..QueryRequest::default() };
    let taken = body(vec![plain_wire(&query).into()], Some(Status::ok("")));
    assert_eq!(receive::<QueryRequest>(taken).await, [Ok(query)]);
    let long = plain_wire(&QueryRequest { sql: "x".repeat(QUERY_BYTES), ..QueryRequest::default() });
    assert_eq!(receive::<QueryRequest>(body(vec![long.into()], None)).await, [Err(Code::OutOfRange)]);
}
