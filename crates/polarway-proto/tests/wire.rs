//! What goes over the wire, seen as bytes.

use bytes::{Bytes, BytesMut};
use polarway_proto::v1::{
    At, Chunk, Failure, LoadHeader, LoadRequest, LoadResponse, QueryResponse, StoreHeader, StoreRequest,
    StoreResponse, StoreResult, StoreTrailer, WriteMode, at, store_request, store_result,
};
use polarway_proto::{FILE_DESCRIPTOR_SET, SERVICE};
use prost::Message;
use prost_types::FileDescriptorSet;

fn chunk() -> Chunk {
    Chunk { ipc: Bytes::from(vec![7; 1000]), first_row: 1 << 40, rows: 65_536 }
}

#[track_caller]
fn survives<M: Message + Default + PartialEq + std::fmt::Debug>(message: M) {
    assert_eq!(M::decode(Bytes::from(message.encode_to_vec())), Ok(message));
}

#[test]
fn messages_survive_their_bytes() {
    let header = StoreHeader {
        name: "flights".to_owned(),
        mode: WriteMode::Append as i32,
        request_id: "01985f2e-3c1d-7a6b-9f00-5a4b3c2d1e0f/0".to_owned(),
        expected_version: Some(0),
        last: true,
    };
    let trailer = StoreTrailer { rows: u64::MAX, crc32: u32::MAX };
    for part in [
        store_request::Part::Header(header),
        store_request::Part::Chunk(chunk()),
        store_request::Part::Trailer(trailer),
    ] {
        survives(StoreRequest { part: Some(part) });
    }
    let failure =
        Failure::new(tonic::Code::Aborted, "VERSION_CONFLICT", "it is at 4").with_metadata("at", "4");
    let outcome = store_result::Outcome::Failure(failure);
    survives(StoreResponse { results: vec![StoreResult { outcome: Some(outcome) }, StoreResult::default()] });
    survives(LoadRequest { at: Some(At { at: Some(at::At::AsOfUs(-1)) }), ..LoadRequest::default() });
    let columns = vec!["b".to_owned(), String::new(), "a".to_owned()];
    survives(LoadRequest { columns, end_row: Some(0), ..LoadRequest::default() });
    let header = LoadHeader { version: 3, rows: 70_000, time_us: 1_700_000_000_000_000 };
    survives(LoadResponse { chunk: Some(chunk()), header: Some(header) });
}

#[test]
fn an_expected_version_of_0_is_not_an_absent_one() {
    let expecting = StoreHeader { expected_version: Some(0), ..StoreHeader::default() };
    assert_ne!(expecting.encode_to_vec(), StoreHeader::default().encode_to_vec());
}

#[test]
fn a_heartbeat_has_no_bytes() {
    assert_eq!(LoadResponse::default().encoded_len(), 0);
    assert_eq!(QueryResponse::default().encoded_len(), 0);
    assert_eq!(StoreRequest::default().encoded_len(), 0);
}

#[test]
fn the_bytes_of_a_table_are_not_copied_on_arrival() {
    let mut wire = BytesMut::new();
    LoadResponse { chunk: Some(chunk()), header: None }.encode(&mut wire).unwrap();
    let wire = wire.freeze();
    let received = LoadResponse::decode(wire.clone()).unwrap().chunk.unwrap().ipc;
    assert!(wire.as_ptr_range().contains(&received.as_ptr()));
}

#[test]
fn fields_of_a_later_revision_are_skipped() {
    let mut wire = chunk().encode_to_vec();
    wire.extend([0xa2, 0x06, 3, 1, 2, 3]); // field 100, three bytes
    assert_eq!(Chunk::decode(Bytes::from(wire)).unwrap(), chunk());
}

#[test]
fn truncated_and_random_messages_are_errors_and_no_panics() {
    let whole = StoreRequest { part: Some(store_request::Part::Chunk(chunk())) }.encode_to_vec();
    for length in 1..whole.len() {
        assert!(StoreRequest::decode(&whole[..length]).is_err(), "{length}");
    }
    assert!(StoreRequest::decode(&[0xff; 64][..]).is_err());
    // A chunk that claims more bytes than there are.
    assert!(StoreRequest::decode(&[0x12, 0xff, 0xff, 0xff, 0xff, 0x0f][..]).is_err());
}

#[test]
fn the_descriptors_list_the_service_and_all_its_methods() {
    let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let services: Vec<_> = descriptors
        .file
        .iter()
        .flat_map(|file| {
            file.service.iter().map(|service| (format!("{}.{}", file.package(), service.name()), service))
        })
        .collect();
    let [(name, service)] = services.as_slice() else { panic!("there is not just one service") };
    assert_eq!(name, SERVICE);
    let methods: Vec<_> = service.method.iter().map(|method| method.name()).collect();
    let expect = [
        "Store",
        "Load",
        "Query",
        "CreateHandle",
        "GetHandle",
        "ListHandles",
        "ExtendHandle",
        "DropHandle",
        "ListDatasets",
        "GetDataset",
        "ListVersions",
        "DeleteDataset",
        "ListQueries",
        "CancelQuery",
        "GetCacheStats",
        "GetServerInfo",
    ];
    assert_eq!(methods, expect);
}

#[test]
fn the_descriptors_are_complete() {
    let descriptors = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let names: Vec<_> = descriptors.file.iter().map(|file| file.name()).collect();
    for import in descriptors.file.iter().flat_map(|file| &file.dependency) {
        assert!(names.contains(&import.as_str()), "{import} is not among {names:?}");
    }
}
