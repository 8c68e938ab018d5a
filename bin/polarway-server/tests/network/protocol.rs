//! What any gRPC client finds: health, reflection, and clear words for calls that this protocol does not have.

use bytes::{Buf as _, BufMut as _};
use futures::StreamExt as _;
use polarway_proto::v1::{GetDatasetRequest, LoadRequest, QueryRequest};
use polarway_proto::{PROTOCOL_REVISION, Reason};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::support::{Server, channel, raw, reason_of, wide};

/// Bytes as they are, where the protocol has messages.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&bytes);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

/// Calls a method by its path with these bytes.
async fn call(server: &Server, path: &'static str, message: &[u8]) -> Result<Vec<u8>, Status> {
    let mut grpc = tonic::client::Grpc::new(channel(server).await);
    grpc.ready().await.unwrap();
    let request = Request::new(message.to_vec());
    Ok(grpc.unary(request, PathAndQuery::from_static(path), Raw).await?.into_inner())
}

#[tokio::test]
async fn a_client_of_another_protocol_version_is_told_so() {
    let server = Server::start();
    for path in
        ["/polarway.v2.PolarwayService/Load", "/polarway.v1.PolarwayService/Merge", "/nobody.Service/Call"]
    {
        let status = call(&server, path, b"").await.unwrap_err();
        assert_eq!(reason_of(&status), Reason::UnknownMethod, "{path}");
        assert!(status.message().contains("polarway.v1"), "{status:?}");
    }
    let info = server.client().await.server_info().await.unwrap();
    assert_eq!(info.protocol_revision, PROTOCOL_REVISION);
    assert!(!info.worker_id.is_empty() && info.duckdb_version.starts_with("1."), "{info:?}");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_and_the_server_goes_on() {
    let server = Server::start();
    for path in ["/polarway.v1.PolarwayService/GetDataset", "/polarway.v1.PolarwayService/ListDatasets"] {
        let status = call(&server, path, &[0xff; 40]).await.unwrap_err();
        assert_eq!(reason_of(&status), Reason::MalformedMessage, "{path}");
    }
    server.client().await.health_check().await.unwrap();
}

#[tokio::test]
async fn health_is_told_for_the_server_and_for_the_service() {
    let server = Server::start();
    let mut health = HealthClient::new(channel(&server).await);
    for service in ["", "polarway.v1.PolarwayService"] {
        let answer = health.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap();
        assert_eq!(answer.into_inner().status().as_str_name(), "SERVING", "{service:?}");
    }
    let unknown = HealthCheckRequest { service: "nobody.Service".to_owned() };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_its_versions() {
    let server = Server::start();
    let expected = ["grpc.health.v1.Health", "polarway.v1.PolarwayService"];

    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { message_request: Some(list), ..Default::default() };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel(&server).await);
    let responses = client.server_reflection_info(futures::stream::iter([request])).await;
    let response = responses.unwrap().into_inner().message().await.unwrap().unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(listed)) = response else {
        panic!("{response:?}");
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");

    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { message_request: Some(list), ..Default::default() };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel(&server).await);
    let responses = client.server_reflection_info(futures::stream::iter([request])).await;
    let response = responses.unwrap().into_inner().message().await.unwrap().unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(listed)) = response
    else {
        panic!("{response:?}");
    };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_send_beats() {
    let server = Server::start();
    // It counts until its deadline, which is several heartbeats away: on a busy machine some of them may be late.
    let mut request = Request::new(QueryRequest {
        sql: "SELECT count(*) FROM range(1000000000000) AS numbers(n) WHERE n % 7 = 3".to_owned(),
        ..QueryRequest::default()
    });
    request.metadata_mut().insert("grpc-timeout", "6S".parse().unwrap());
    let mut responses = raw(&server).await.query(request).await.unwrap().into_inner();
    let mut beats = 0;
    let status = loop {
        match responses.next().await.unwrap() {
            Ok(response) if response.chunk.is_none() && response.summary.is_none() => beats += 1,
            Ok(response) => panic!("{response:?}"),
            Err(status) => break status,
        }
    };
    assert!(beats >= 2, "{beats}");
    assert_eq!(reason_of(&status), Reason::DeadlineExceeded);
}

#[tokio::test]
async fn all_bytes_of_a_load_joined_are_one_arrow_stream_also_when_compressed() {
    let server = Server::start();
    let table = wide(40_000, 1);
    server.client().await.store("flights", &table).await.unwrap();
    for (compression, first_row) in [(0, 0), (1, 0), (2, 0), (0, 12_345), (1, 12_345), (2, 40_000)] {
        let request =
            LoadRequest { name: "flights".to_owned(), first_row, compression, ..LoadRequest::default() };
        let mut responses = raw(&server).await.load(request).await.unwrap().into_inner();
        let mut joined = Vec::new();
        let mut next_row = first_row;
        while let Some(response) = responses.message().await.unwrap() {
            let Some(chunk) = response.chunk else { continue };
            assert_eq!(chunk.first_row, next_row);
            next_row += chunk.rows;
            joined.extend_from_slice(&chunk.ipc);
        }
        assert_eq!(next_row, 40_000);
        let mut decoder = polarway_ipc::ChunkDecoder::new(polarway_ipc::DecodeLimits::default());
        let batches = decoder.decode(joined.into()).unwrap();
        assert!(decoder.ended());
        let received = polarway_client::Table::new(decoder.schema().unwrap().clone(), batches);
        let expected = table.slice(first_row as usize, usize::MAX);
        assert_eq!(received.num_rows(), expected.num_rows());
        if expected.num_rows() > 0 {
            assert_eq!(received.to_batch().unwrap(), expected.to_batch().unwrap());
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_call() {
    let server = Server::start();
    let id_of = |metadata: &tonic::metadata::MetadataMap| {
        metadata.get("x-request-id").unwrap().to_str().unwrap().to_owned()
    };
    let mut client = raw(&server).await;

    let mut request = Request::new(QueryRequest { sql: "SELECT 42".to_owned(), ..QueryRequest::default() });
    request.metadata_mut().insert("x-request-id", "report-7".parse().unwrap());
    assert_eq!(id_of(client.query(request).await.unwrap().metadata()), "report-7");

    let mut request = Request::new(LoadRequest::default());
    request.metadata_mut().insert("x-request-id", "x".repeat(1_000).parse().unwrap());
    let fresh = id_of(client.load(request).await.unwrap().metadata());
    let none_given = GetDatasetRequest { name: "missing".to_owned(), ..GetDatasetRequest::default() };
    let of_a_refusal = id_of(client.get_dataset(none_given).await.unwrap_err().metadata());
    assert_eq!([fresh.len(), of_a_refusal.len()], [36, 36]);
    assert_ne!(fresh, of_a_refusal);
}
