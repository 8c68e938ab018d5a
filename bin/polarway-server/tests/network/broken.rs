//! A file that breaks DuckDB: it ends the query over it, and nothing else.

use polarway_client::Reason;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Server, channel, numbers, refused, rows_of, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_breaks_duckdb_takes_down_no_other_query_and_leaves_health_on() {
    let server = Server::start();
    let client = server.client().await;
    client.store("numbers", numbers(0..10)).await.unwrap();
    let kept = client.query_handle("FROM numbers").await.unwrap();
    std::fs::write(server.folder().join("cold/breaking.parquet"), polarway_testing::BREAKING_FILE).unwrap();
    for sql in ["FROM breaking", "SELECT v FROM breaking LIMIT 1", "FROM breaking", "FROM breaking"] {
        assert!(client.query(sql).await.is_err(), "{sql}");
        assert_eq!(rows_of(&client.query("SELECT 1").await.unwrap()), ["1"]);
        assert_eq!(rows_of(&client.query("SELECT count(*) FROM numbers").await.unwrap()), ["10"]);
    }
    // A result in memory is still there, or the error says why it is not.
    match client.handle(kept.id()).await {
        Ok(_) => assert_eq!(kept.load().await.unwrap().num_rows(), 10),
        Err(_) => {
            assert_eq!(refused(client.query(&format!("FROM {}", kept.id())).await).0, Reason::HandleLost)
        }
    }
    let mut health = HealthClient::new(channel(&server).await);
    for service in ["", "polarway.v1.PolarwayService", "polarway.v1.queries"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        until(service, async || {
            let answer = health.check(request.clone()).await;
            answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving).then_some(())
        })
        .await;
    }
}
