//! Servers with a file of tokens.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use polarway_client::DistributedClient;
use polarway_proto::Reason;
use polarway_proto::v1::{LoadRequest, QueryRequest, QueryResponse};
use polarway_server::{NewToken, Role};
use tempfile::TempDir;
use tonic::{Status, Streaming};

use crate::auth_raw::refused_at;
use crate::support::{Client, Server, channel, client_of, client_over, until};

/// A path that any token may call.
pub(crate) const INFO: &str = "/polarway.v1.PolarwayService/GetServerInfo";

/// A token, and the entry of it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) token: String,
    pub(crate) entry: String,
}

impl Known {
    pub(crate) fn new(name: &str, role: Role, read: &[&str], write: &[&str]) -> Self {
        Self::made(name, role, read, write, None)
    }

    pub(crate) fn admin() -> Self {
        Self::new("root", Role::Admin, &[], &[])
    }

    pub(crate) fn reader(name: &str) -> Self {
        Self::new(name, Role::Reader, &[], &[])
    }

    pub(crate) fn until(self, expires: SystemTime) -> Self {
        let seconds = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        let time = chrono_like(seconds);
        Self { entry: format!("{}expires = {time}\n", self.entry), ..self }
    }

    fn made(name: &str, role: Role, read: &[&str], write: &[&str], expires: Option<SystemTime>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let new = NewToken { name: name.to_owned(), role, read: owned(read), write: owned(write), expires };
        let made = new.make().unwrap();
        Self { token: made.token.reveal().to_owned(), entry: made.entry }
    }

    pub(crate) async fn client(&self, server: &Server) -> DistributedClient {
        client_of(server.url()).token(&self.token).connect().await.unwrap()
    }

    pub(crate) async fn raw(&self, server: &Server) -> Client {
        client_over(channel(server).await, Some(&self.token))
    }

    /// Why the token is refused, if it is.
    pub(crate) async fn refused(&self, server: &Server, path: &str) -> Option<Reason> {
        refused_at(server, path, &[&format!("Bearer {}", self.token)]).await
    }

    /// Waits until the token is accepted, or refused with this reason.
    pub(crate) async fn becomes(&self, server: &Server, expect: Option<Reason>) {
        until(&format!("{expect:?}"), async || (self.refused(server, INFO).await == expect).then_some(()))
            .await;
    }
}

/// A time as RFC 3339, to the millisecond.
fn chrono_like(seconds: f64) -> String {
    let time = chrono::DateTime::from_timestamp_millis((seconds * 1000.0) as i64).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The file of tokens.
pub(crate) struct AuthFile {
    folder: TempDir,
}

impl AuthFile {
    pub(crate) fn of(tokens: &[&Known]) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        file.set(tokens);
        file
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("tokens.toml")
    }

    /// Replaces its content, as editors do.
    pub(crate) fn set(&self, tokens: &[&Known]) {
        self.write(&tokens.iter().map(|known| known.entry.as_str()).collect::<Vec<_>>().join("\n"));
    }

    pub(crate) fn write(&self, content: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }

    pub(crate) fn server(&self) -> Server {
        self.server_with(&[], &[])
    }

    pub(crate) fn server_with(&self, variables: &[(&str, &str)], flags: &[&str]) -> Server {
        let path = self.path();
        let flags = [&["--auth-file", path.to_str().unwrap()], flags].concat();
        Server::start_with_variables(variables, &flags)
    }
}

/// Runs a query, and waits until its answer has begun.
pub(crate) async fn begun(client: &mut Client, sql: &str) -> Streaming<QueryResponse> {
    let request = QueryRequest { sql: sql.to_owned(), ..QueryRequest::default() };
    client.query(request).await.unwrap().into_inner()
}

/// How a stream of answers ends.
pub(crate) async fn end_of<M>(mut answers: Streaming<M>) -> Result<(), Status> {
    let ended = async {
        while answers.message().await?.is_some() {}
        Ok(())
    };
    tokio::time::timeout(crate::support::PATIENCE, ended).await.expect("it does not end")
}

/// A time in the near future.
pub(crate) fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_secs(4)
}

/// Loads a dataset with the generated client.
pub(crate) async fn load(client: &mut Client, name: &str) -> Result<(), Status> {
    let request = LoadRequest { name: name.to_owned(), ..LoadRequest::default() };
    end_of(client.load(request).await?.into_inner()).await
}
