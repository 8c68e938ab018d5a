//! Clients at addresses of their own, on one machine.

use std::net::{IpAddr, Ipv4Addr};

use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::QueryRequest;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::support::Server;

/// The generated client at one of the machine's own addresses, 127.0.0.`number`.
pub(crate) async fn client_at(server: &Server, number: u8) -> PolarwayServiceClient<Channel> {
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, number));
    let endpoint = Endpoint::new(server.url()).unwrap().local_address(Some(address));
    PolarwayServiceClient::new(endpoint.connect().await.unwrap()).max_encoding_message_size(256 << 20)
}

/// The answer to a query, once it has begun.
pub(crate) async fn begin_query(
    client: &mut PolarwayServiceClient<Channel>,
    sql: &str,
) -> Result<Streaming<polarway_proto::v1::QueryResponse>, Status> {
    let request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
    Ok(client.query(request).await?.into_inner())
}

/// Runs a query to its end.
pub(crate) async fn query(client: &mut PolarwayServiceClient<Channel>, sql: &str) -> Result<(), Status> {
    let mut answer = begin_query(client, sql).await?;
    while answer.message().await?.is_some() {}
    Ok(())
}

/// The head of a request to a method, for a client that speaks HTTP/2 by itself.
pub(crate) fn head_of_call(server: &Server, method: &str) -> http::Request<()> {
    http::Request::builder()
        .method("POST")
        .uri(format!("http://{}/polarway.v1.PolarwayService/{method}", server.address()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}
