//! A server over an engine whose door refuses.

use std::sync::Arc;

use futures::StreamExt as _;
use polarway_core::{AccessPolicy, Action, Caller, Polarway, Target};
use polarway_proto::{Method, Reason};
use polarway_server::ServerConfig;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1;

use crate::support::{Subject, call, client_over, numbers, reason_of};

/// Lets the program itself do everything, and nobody who comes over the network anything.
#[derive(Debug)]
struct NobodyFromOutside;

impl AccessPolicy for NobodyFromOutside {
    fn allows(&self, caller: &Caller, _action: Action, _target: Target<'_>) -> bool {
        caller.name() == "program"
    }
}

/// A server in this process, over an engine with a dataset `t` and a handle.
struct Refusing {
    url: String,
    engine: Polarway,
    handle: String,
    /// Dropped, it ends the server.
    _running: oneshot::Sender<()>,
    _folder: TempDir,
}

impl Refusing {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::new(folder.path());
        config.bind = "127.0.0.1:0".parse().unwrap();
        let builder = Polarway::builder(config.engine.clone()).access_policy(Arc::new(NobodyFromOutside));
        let engine = builder.open().await.unwrap();
        let program = engine.on_behalf_of(Caller::named("program"));
        program.store("t", numbers(0..3)).await.unwrap();
        let handle = program.query_handle("SELECT 42").await.unwrap().handle.id.to_string();
        let server = polarway_server::Server::over(engine, config).await.unwrap();
        let url = format!("http://{}", server.local_addr());
        let (running, ended) = oneshot::channel::<()>();
        tokio::spawn(server.run(async { drop(ended.await) }));
        Self { url, engine: program, handle, _running: running, _folder: folder }
    }

    async fn channel(&self) -> Channel {
        Endpoint::new(self.url.clone()).unwrap().connect().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_method_but_health_and_reflection_passes_a_door_that_refuses_all() {
    let server = Refusing::start().await;
    let mut client = client_over(server.channel().await, None);
    let subject = Subject { dataset: "t", handle: &server.handle, query: "none" };
    for method in Method::ALL {
        let refused = call(&mut client, *method, subject).await.expect_err(method.name());
        // What may not be read looks as if it were not there.
        let reason = reason_of(&refused);
        let expected = match method {
            Method::Load | Method::GetDataset | Method::ListVersions | Method::DeleteDataset => {
                Reason::UnknownDataset
            }
            _ => Reason::PermissionDenied,
        };
        assert_eq!(reason, expected, "{method:?}: {refused:?}");
    }
    assert_eq!(server.engine.versions("t").await.unwrap().len(), 1, "nothing was changed");
    assert_eq!(server.engine.handles().await.unwrap().len(), 1);

    let mut health = HealthClient::new(server.channel().await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status().as_str_name(), "SERVING");
    let mut reflection = v1::server_reflection_client::ServerReflectionClient::new(server.channel().await);
    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { message_request: Some(list), ..Default::default() };
    let responses = reflection.server_reflection_info(futures::stream::iter([request])).await;
    assert!(responses.unwrap().into_inner().next().await.unwrap().is_ok());
}
