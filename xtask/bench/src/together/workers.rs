//! Workers that run, and a client of the first.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::TryStreamExt as _;
use polarway_client::{DistributedClient, EngineChoice, EngineUsed, PeerState, QueryOptions};
use polarway_fleet::{Buckets, Fleet, FleetConfig, free_port};

use super::asked::Setup;
use crate::clock::timed;
use crate::cloud::Place;
use crate::server::program;

/// What each worker has of a core, where they are held.
const SHARE: f64 = 0.1;

/// How long workers may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Workers {
    pub(super) setup: Setup,
    pub(super) client: DistributedClient,
    tables: PathBuf,
    fleet: Fleet,
}

impl Workers {
    /// Starts workers over the folder's tables, or over a bucket's, and waits until they have found each other.
    pub(super) async fn start(folder: &Path, setup: Setup, bucket: Option<&Place>) -> Result<Self> {
        let server = program()?;
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
        let mut config = FleetConfig::new(server, folder.join("workers"), deploy);
        config.workers = setup.count;
        config.server_arguments = ["--janitor-interval", "never"].map(str::to_owned).to_vec();
        let mut tables = config.cold_folder();
        if let Some(place) = bucket {
            let state = format!("{}-state", place.url);
            config.buckets = Some(Buckets { cold: place.url.clone(), state });
            let endpoint = ["--bucket-plain-http", "--bucket-endpoint", &place.endpoint];
            config.server_arguments.extend(endpoint.map(str::to_owned));
            tables = place.folder.clone();
        }
        if setup.count == 1 {
            // A query needs two workers. So the only one is in the list twice: it takes part once, and refuses the second time.
            let port = free_port()?;
            let (own, list) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port},localhost:{port}"));
            config.server_arguments.extend(["--peer-bind", &own, "--peers", &list].map(str::to_owned));
        } else {
            config = config.with_peers()?;
        }
        let fleet = Fleet::start(config)?;
        let client = DistributedClient::connect(fleet.url()).await?;
        let workers = Self { setup, client, tables, fleet };
        workers.until_they_are_ready().await?;
        Ok(workers)
    }

    async fn until_they_are_ready(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let peers = self.client.server_info().await?.peers;
            if peers.len() >= 2 && peers.iter().all(|peer| peer.state == PeerState::Ready) {
                return Ok(());
            }
            ensure!(started.elapsed() < PATIENCE, "the workers did not find each other: {peers:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// From now on each has a share of a core.
    pub(super) fn hold(&mut self) -> Result<()> {
        self.fleet.hold_workers(SHARE)
    }

    /// The folder of the tables.
    pub(super) fn tables(&self) -> &Path {
        &self.tables
    }

    /// Runs a query to its last row: the seconds, and what ran it.
    pub(super) async fn run(&self, sql: &str, engine: EngineChoice) -> Result<(f64, EngineUsed)> {
        let options = QueryOptions { engine, ..QueryOptions::default() };
        let (seconds, (rows, used)) = timed(async {
            let mut stream = self.client.query_stream_with(sql, options).await?;
            let rows = (&mut stream).try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await?;
            let summary = stream.summary().context("the query has no summary")?;
            anyhow::Ok((rows, summary.engine.clone()))
        })
        .await?;
        ensure!(rows > 0, "no rows came");
        Ok((seconds, used))
    }
}
