//! Calls in flight: of one caller, of all, and on one connection.

use futures::FutureExt as _;
use polarway_proto::Reason;
use polarway_proto::v1::{Failure, GetServerInfoRequest};
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::others::{begin_query, client_at, query};
use crate::support::{ENDLESS_SUM, Server, channel, reason_of, until};

/// Checks that a call was refused with a retry delay; returns the message.
#[track_caller]
fn refused_for_now(status: &Status) -> String {
    assert_eq!(reason_of(status), Reason::ResourceExhausted);
    let failure = Failure::from(status);
    assert!(failure.retry_delay().is_some(), "{failure:?}");
    failure.message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_too_many_calls_in_flight_is_refused_for_now_and_the_others_are_served() {
    let server = Server::start_with(&["--calls-per-caller", "3"]);
    let mut greedy = client_at(&server, 2).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(begin_query(&mut greedy, ENDLESS_SUM).await.unwrap());
    }
    // Another connection is not another caller.
    let mut again = client_at(&server, 2).await;
    for client in [&mut greedy, &mut again] {
        let refused = client.get_server_info(GetServerInfoRequest {}).await.unwrap_err();
        let message = refused_for_now(&refused);
        assert!(message.contains("3 calls of yours"), "{message}");
    }
    let mut modest = client_at(&server, 3).await;
    query(&mut modest, "SELECT 1").await.unwrap();
    modest.get_server_info(GetServerInfoRequest {}).await.unwrap();
    // Health checks are always answered.
    let mut health = HealthClient::new(channel(&server).await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    answers.pop();
    until("a place that is free again", async || greedy.get_server_info(GetServerInfoRequest {}).await.ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_calls_of_all_callers_are_refused_for_now_and_health_is_answered() {
    let server = Server::start_with(&["--calls", "4"]);
    let mut answers = Vec::new();
    for number in 2..6 {
        let mut client = client_at(&server, number).await;
        answers.push((begin_query(&mut client, ENDLESS_SUM).await.unwrap(), client));
    }
    let mut late = client_at(&server, 9).await;
    let refused = late.get_server_info(GetServerInfoRequest {}).await.unwrap_err();
    let message = refused_for_now(&refused);
    assert!(message.contains("4 calls are in flight"), "{message}");
    let mut health = HealthClient::new(channel(&server).await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    drop(answers);
    until("a place that is free again", async || late.get_server_info(GetServerInfoRequest {}).await.ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_are_given_up_at_any_moment_leave_their_places() {
    let server = Server::start_with(&["--calls-per-caller", "8"]);
    let mut client = client_at(&server, 2).await;
    for round in 0..40 {
        let mut call = Box::pin(begin_query(&mut client, ENDLESS_SUM));
        // Some are cancelled before they are sent, some before they are answered, some in the middle.
        for _ in 0..round {
            if (&mut call).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // All eight places are free in the end.
    let mut answers = Vec::new();
    for _ in 0..8 {
        let answer =
            until("a place", async || begin_query(&mut client.clone(), ENDLESS_SUM).await.ok()).await;
        answers.push(answer);
    }
    assert!(client.get_server_info(GetServerInfoRequest {}).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_no_more_calls_at_a_time_than_it_may_and_those_beyond_wait() {
    let server = Server::start_with(&["--calls-per-connection", "2"]);
    let mut client = client_at(&server, 2).await;
    let first = begin_query(&mut client, ENDLESS_SUM).await.unwrap();
    let _second = begin_query(&mut client, ENDLESS_SUM).await.unwrap();
    let mut third = Box::pin({
        let mut client = client.clone();
        async move { query(&mut client, "SELECT 1").await }
    });
    // While it waits, another connection is served many times.
    let mut other = client_at(&server, 2).await;
    for _ in 0..20 {
        query(&mut other, "SELECT 1").await.unwrap();
        assert!((&mut third).now_or_never().is_none());
    }
    drop(first);
    third.await.unwrap();
}
