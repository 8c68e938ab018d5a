//! Polarway's side of `cargo xtask bench`: `polarway-bench DATA WORK`.
//!
//! It owns how the engine is called when it is measured. It knows nothing of the peers, of rounds or of bars: those are the
//! caller's. DATA holds the table as `table.parquet` and `table.arrow`; WORK is a folder to make and to write into.

mod clock;
mod network;
mod protocol;
mod queries;
mod versions;
mod whole_table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use polarway_core::{Config, Polarway};
use tokio::runtime::Runtime;

use network::Network;
use queries::Queries;
use versions::Versions;
use whole_table::WholeTable;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(work), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("usage: polarway-bench DATA WORK");
    };
    let runtime = Runtime::new().context("starting tokio")?;
    let mut bench = Bench { data, work, whole_table: None, queries: None, versions: None, network: None };
    protocol::serve(std::io::stdin().lock(), std::io::stdout().lock(), |name| {
        runtime.block_on(bench.measure(name))
    })
}

/// All measures. What several of them need is set up when the first is asked for, before any clock runs.
struct Bench {
    data: PathBuf,
    work: PathBuf,
    whole_table: Option<WholeTable>,
    queries: Option<Queries>,
    versions: Option<Versions>,
    network: Option<Network>,
}

impl Bench {
    /// Measures once. Seconds.
    async fn measure(&mut self, name: &str) -> Result<f64> {
        match name {
            "load-parquet" => self.whole_table().await?.load().await,
            "load-parquet-adopted" => self.whole_table().await?.load_adopted().await,
            "load-parquet-filling" => self.whole_table().await?.load_filling().await,
            "store" => self.whole_table().await?.store().await,
            "cached-load" => self.whole_table().await?.load_cached_chunks().await,
            "query-overhead-new" => self.queries().await?.overhead_of_new_texts().await,
            "query-overhead-seen" => self.queries().await?.overhead_of_seen_texts().await,
            "latest-version-known" => self.versions().await?.newest_known().await,
            "latest-version-cold" => self.versions().await?.newest_cold().await,
            "list-versions" => self.versions().await?.list().await,
            "network-cached-load" => self.network().await?.load_cached().await,
            "network-cached-bytes" => self.network().await?.receive_cached().await,
            "network-cached-load-small" => self.network().await?.load_small().await,
            "network-load-parquet" => self.network().await?.load_parquet().await,
            "network-store" => self.network().await?.store().await,
            "network-select-42" => self.network().await?.select_42().await,
            "network-ping" => self.network().await?.ping().await,
            _ => bail!("polarway-bench has no measure {name}"),
        }
    }

    async fn whole_table(&mut self) -> Result<&mut WholeTable> {
        Ok(match self.whole_table.take() {
            Some(ready) => self.whole_table.insert(ready),
            None => self.whole_table.insert(WholeTable::set_up(&self.data, &self.work.join("whole")).await?),
        })
    }

    async fn network(&mut self) -> Result<&mut Network> {
        Ok(match self.network.take() {
            Some(ready) => self.network.insert(ready),
            None => self.network.insert(Network::set_up(&self.data, &self.work.join("network")).await?),
        })
    }

    async fn queries(&mut self) -> Result<&mut Queries> {
        Ok(match self.queries.take() {
            Some(ready) => self.queries.insert(ready),
            None => self.queries.insert(Queries::set_up(&self.data, &self.work.join("queries")).await?),
        })
    }

    async fn versions(&mut self) -> Result<&mut Versions> {
        Ok(match self.versions.take() {
            Some(ready) => self.versions.insert(ready),
            None => self.versions.insert(Versions::set_up(&self.work.join("versions")).await?),
        })
    }
}

/// An engine with its files in `folder` and this much cache; without the janitor, whose rounds would be measured with the
/// rest.
async fn open(folder: &Path, cache_bytes: u64) -> Result<Polarway> {
    let mut config = Config::new(folder).with_cache_bytes(cache_bytes);
    config.janitor_interval = None;
    Polarway::open(config).await.with_context(|| format!("opening an engine in {}", folder.display()))
}
