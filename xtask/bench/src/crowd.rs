//! Many clients at once that ask little, beside the same clients of a bare gRPC server.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use polarway_client::DistributedClient;
use tokio::task::JoinSet;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::server::{Server, TOKEN};

const CLIENTS: usize = 64;
const CALLS_OF_EACH: usize = 200;

/// The argument with which this program is the bare server, and nothing else.
pub(crate) const BARE_SERVER: &str = "--bare-server";

pub(crate) struct Crowd {
    _server: Server,
    clients: Vec<DistributedClient>,
    _bare: BareServer,
    bare_clients: Vec<HealthClient<Channel>>,
}

impl Crowd {
    pub(crate) async fn set_up(folder: &Path) -> Result<Self> {
        let server = Server::start(folder, "0").await?;
        let numbers = server.client.query("SELECT range AS n FROM range(1000)").await?;
        server.client.store("small", numbers).await?;
        let bare = BareServer::start()?;
        let (mut clients, mut bare_clients) = (Vec::new(), Vec::new());
        for _ in 0..CLIENTS {
            clients.push(DistributedClient::builder().url(&server.url).token(TOKEN).connect().await?);
            let channel = Endpoint::new(bare.url.clone())?.tcp_nodelay(true).connect().await?;
            bare_clients.push(HealthClient::new(channel));
        }
        Ok(Self { _server: server, clients, _bare: bare, bare_clients })
    }

    /// Seconds per query of next to nothing.
    pub(crate) async fn ask(&self) -> Result<f64> {
        each(&self.clients, async move |client| Ok(client.query("SELECT 42").await?.num_rows() == 1)).await
    }

    /// Seconds per query over a small table.
    pub(crate) async fn ask_table(&self) -> Result<f64> {
        each(&self.clients, async move |client| {
            Ok(client.query("SELECT sum(n) FROM small WHERE n > 500").await?.num_rows() == 1)
        })
        .await
    }

    /// Seconds per call that does nothing at all.
    pub(crate) async fn call_bare(&self) -> Result<f64> {
        each(&self.bare_clients, async move |mut client| {
            Ok(client.check(HealthCheckRequest::default()).await?.into_inner().status > 0)
        })
        .await
    }
}

/// Has every client make its calls, one after the other, all clients at once. Seconds per call.
async fn each<C, F>(clients: &[C], call: impl Fn(C) -> F + Copy + Send + 'static) -> Result<f64>
where
    C: Clone + Send + 'static,
    F: Future<Output = Result<bool>> + Send,
{
    let started = Instant::now();
    let mut crowd = JoinSet::new();
    for client in clients {
        let client = client.clone();
        crowd.spawn(async move {
            for _ in 0..CALLS_OF_EACH {
                ensure!(call(client.clone()).await?, "the answer is wrong");
            }
            Ok(())
        });
    }
    crowd.join_all().await.into_iter().collect::<Result<()>>()?;
    Ok(started.elapsed().as_secs_f64() / (clients.len() * CALLS_OF_EACH) as f64)
}

/// gRPC and nothing behind it, in a process of its own, which ends with this value.
struct BareServer {
    process: Child,
    url: String,
}

impl BareServer {
    fn start() -> Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg(BARE_SERVER).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("the bare server says nothing")?;
        let mut address = String::new();
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, url: format!("http://{}", address.trim()) })
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves tonic's own health service on a free port, whose address it prints, until it is killed.
pub(crate) async fn serve_bare() -> Result<()> {
    let listener = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", listener.local_addr()?);
    let (_, health) = tonic_health::server::health_reporter();
    tonic::transport::Server::builder().add_service(health).serve_with_incoming(listener).await?;
    Ok(())
}
