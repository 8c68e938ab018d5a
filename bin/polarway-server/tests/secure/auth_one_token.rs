//! A server with one token that has all rights, as clients see it.

use polarway_client::{DistributedClient, ErrorKind, Reason};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::support::{Server, channel, client_of, numbers, sum_of};

const CANARY: &str = "canary-4dd9c2e1f8a7b6c5";

fn server(flags: &[&str]) -> Server {
    let variables = [("POLARWAY_AUTH_TOKEN", CANARY), ("RUST_LOG", "trace")];
    Server::start_with_variables(&variables, flags)
}

async fn connect(server: &Server, token: &str) -> Result<DistributedClient, polarway_client::Error> {
    client_of(server.url()).token(token).connect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_the_token_may_do_everything_and_one_without_nothing() {
    let server = server(&[]);
    let client = connect(&server, CANARY).await.unwrap();
    client.store("t", numbers(0..4)).await.unwrap();
    assert_eq!(sum_of(&client.load("t").await.unwrap()), 6);
    assert_eq!(sum_of(&client.query("SELECT count(*) FROM t").await.unwrap()), 4);
    let kept = client.query_handle("FROM t").await.unwrap();
    assert_eq!(sum_of(&kept.load().await.unwrap()), 6);
    client.health_check().await.unwrap();

    let without = client_of(server.url()).connect().await.err().unwrap();
    assert_eq!(without.kind(), ErrorKind::Refused(Reason::MissingToken));
    assert!(without.to_string().contains("POLARWAY_AUTH_TOKEN"), "{without}");
    let wrong = connect(&server, "canary-wrong").await.err().unwrap();
    assert_eq!(wrong.kind(), ErrorKind::Refused(Reason::InvalidToken));
    // Without a token, a caller does not learn which datasets exist.
    let lazy = client_of(server.url()).connect_lazily().unwrap();
    assert_eq!(lazy.load("none").await.err().unwrap().reason(), Some(Reason::MissingToken));
    assert_eq!(lazy.store("u", numbers(0..4)).await.err().unwrap().reason(), Some(Reason::MissingToken));
    lazy.health_check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_in_no_log_and_no_error_at_any_level() {
    let server = server(&[]);
    let client = connect(&server, CANARY).await.unwrap();
    client.store("t", numbers(0..4)).await.unwrap();
    let mut told = vec![
        client.query("SELECT nothing").await.unwrap_err().to_string(),
        format!("{:?}", connect(&server, "canary-wrong").await.err().unwrap()),
        format!("{:?}", client.load("none").await.unwrap_err()),
    ];
    server.signal("-TERM");
    server.logged("ended").await;
    assert!(server.log().contains("TRACE"));
    told.push(server.log());
    for told in told {
        assert!(!told.contains("canary"), "{}", told.lines().find(|line| line.contains("canary")).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_is_told_of_the_services_and_health_is_told_to_all() {
    for (setting, expect) in [("authenticated", Code::Ok), ("off", Code::Unimplemented)] {
        let server = server(&["--reflection", setting]);
        let mut health = HealthClient::new(channel(&server).await);
        let answer = health.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().status().as_str_name(), "SERVING");

        let token: tonic::metadata::MetadataValue<_> = format!("Bearer {CANARY}").parse().unwrap();
        let mut reflection = ServerReflectionClient::with_interceptor(
            channel(&server).await,
            move |mut request: tonic::Request<()>| {
                request.metadata_mut().insert("authorization", token.clone());
                Ok(request)
            },
        );
        let list = MessageRequest::ListServices(String::new());
        let request = v1::ServerReflectionRequest { message_request: Some(list), ..Default::default() };
        let answered = reflection.server_reflection_info(futures::stream::iter([request])).await;
        let code = match answered {
            Ok(answers) => {
                answers.into_inner().message().await.map_or_else(|status| status.code(), |_| Code::Ok)
            }
            Err(status) => status.code(),
        };
        assert_eq!(code, expect, "{setting}");
    }
}
