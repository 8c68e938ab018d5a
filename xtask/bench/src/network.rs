//! Tables over the network: a server in a process of its own, and the Rust client over loopback.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use polarway_client::Table;
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::LoadRequest;
use tonic::Request;
use tonic::transport::Endpoint;

use crate::clock::{median, timed, timed_on_cpu};
use crate::server::{Server, TOKEN};
use crate::whole_table::read_arrow;

/// Calls of what is too short to be measured once, whose median is the answer.
const SHORT_CALLS: usize = 501;

/// Rows of the small table.
pub(crate) const SMALL_ROWS: usize = 1_000;

/// A message holds a chunk of 64 MiB at the most, and what stands around it.
const MESSAGE_BYTES: usize = 65 << 20;

pub(crate) struct Network {
    table: Table,
    /// With room for the table in its cache.
    cached: Server,
    /// Without a cache.
    uncached: Server,
    stores: u64,
}

impl Network {
    /// Starts both servers over one cold tier, stores the table and a small one, and loads them into the cache.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let table = read_arrow(&data.join("table.arrow"))?;
        let cached = Server::start(folder, "4.0").await?;
        let uncached = Server::start(folder, "0").await?;
        cached.client.store("stored", &table).await?;
        cached.client.store("small", table.slice(0, SMALL_ROWS)).await?;
        for name in ["stored", "small"] {
            cached.client.load(name).await?;
        }
        Ok(Self { table, cached, uncached, stores: 0 })
    }

    /// A cached table, to batches.
    pub(crate) async fn load_cached(&self) -> Result<f64> {
        self.load(&self.cached).await
    }

    /// The CPU time of the same: this process's, and not the server's.
    pub(crate) async fn load_cached_on_cpu(&self) -> Result<f64> {
        let (seconds, loaded) = timed_on_cpu(self.cached.client.load("stored")).await?;
        ensure!(loaded.num_rows() == self.table.num_rows(), "{} rows came", loaded.num_rows());
        Ok(seconds)
    }

    /// A table from Parquet, to batches.
    pub(crate) async fn load_parquet(&self) -> Result<f64> {
        self.load(&self.uncached).await
    }

    async fn load(&self, server: &Server) -> Result<f64> {
        let (seconds, loaded) = timed(server.client.load("stored")).await?;
        ensure!(loaded.num_rows() == self.table.num_rows(), "{} rows came", loaded.num_rows());
        Ok(seconds)
    }

    /// The bytes of a cached table, which nobody looks into: what gRPC itself takes.
    pub(crate) async fn receive_cached(&self) -> Result<f64> {
        let endpoint = Endpoint::new(self.cached.url.clone())?
            .tcp_nodelay(true)
            .initial_stream_window_size(16 << 20)
            .initial_connection_window_size(i32::MAX as u32)
            .max_frame_size(1 << 20);
        let mut service =
            PolarwayServiceClient::new(endpoint.connect().await?).max_decoding_message_size(MESSAGE_BYTES);
        let mut request = Request::new(LoadRequest { name: "stored".to_owned(), ..LoadRequest::default() });
        request.metadata_mut().insert("authorization", format!("Bearer {TOKEN}").parse()?);
        let started = Instant::now();
        let mut responses = service.load(request).await?.into_inner();
        let mut rows = 0;
        while let Some(response) = responses.next().await {
            rows += response?.chunk.map_or(0, |chunk| chunk.rows);
        }
        let seconds = started.elapsed().as_secs_f64();
        ensure!(rows == self.table.num_rows() as u64, "{rows} rows came");
        Ok(seconds)
    }

    /// A small cached table, to batches.
    pub(crate) async fn load_small(&self) -> Result<f64> {
        short(async || Ok(self.cached.client.load("small").await?.num_rows() == SMALL_ROWS)).await
    }

    /// A query of which little is left but the way there and back.
    pub(crate) async fn select_42(&self) -> Result<f64> {
        short(async || Ok(self.cached.client.query("SELECT 42").await?.num_rows() == 1)).await
    }

    /// A unary call that asks for what is at hand.
    pub(crate) async fn ping(&self) -> Result<f64> {
        short(async || Ok(self.cached.client.server_info().await?.protocol_revision > 0)).await
    }

    /// The table from the client's memory to a dataset on the server's disk. What was written is removed afterwards.
    pub(crate) async fn store(&mut self) -> Result<f64> {
        self.stores += 1;
        let name = format!("store-{}", self.stores);
        let (seconds, _) = timed(self.uncached.client.store(&name, &self.table)).await?;
        fs::remove_dir_all(self.uncached.folder.join("cold").join(&name))
            .context("removing what was stored")?;
        Ok(seconds)
    }
}

/// The median of many calls, each of which must be answered right.
pub(crate) async fn short(call: impl AsyncFn() -> Result<bool>) -> Result<f64> {
    let mut seconds = Vec::with_capacity(SHORT_CALLS);
    for _ in 0..SHORT_CALLS {
        let (elapsed, is_right) = timed(call()).await?;
        ensure!(is_right, "the answer is wrong");
        seconds.push(elapsed);
    }
    Ok(median(seconds))
}
