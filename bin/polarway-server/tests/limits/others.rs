//! Clients at addresses of their own, on one machine.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

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

/// How many calls are measured.
const CALLS: usize = 301;

/// How long a small call takes: the median of many.
pub(crate) async fn time_of_a_call(client: &mut PolarwayServiceClient<Channel>) -> Duration {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let begin = Instant::now();
        query(client, "SELECT 1").await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    times[CALLS / 2]
}

/// Fails if small calls take more than twice as long as without what goes on beside them.
#[track_caller]
pub(crate) fn assert_as_fast(without: Duration, with: Duration) {
    // The machine may have become busier meanwhile.
    let most = 2 * without + Duration::from_millis(20);
    assert!(with < most, "a call took {without:?} without the others, {with:?} with them");
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
