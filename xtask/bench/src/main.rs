//! Polarway's side of `cargo xtask bench`: `polarway-bench DATA WORK`.
//!
//! It owns how the engine is called when it is measured. It knows nothing of the peers, of rounds or of bars: those are the
//! caller's. DATA holds the table as `table.parquet` and `table.arrow`; WORK is a folder to make and to write into.

mod balanced;
mod clock;
mod cloud;
mod crowd;
mod handles;
mod network;
mod plain;
mod protocol;
mod queries;
mod secure;
mod server;
mod sql;
mod together;
mod tpch;
mod versions;
mod whole_table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use polarway_core::{Config, Polarway};
use tokio::runtime::Runtime;

use balanced::Balanced;
use cloud::Cloud;
use crowd::Crowd;
use handles::{Handles, Store};
use network::Network;
use protocol::Measured;
use queries::Queries;
use secure::Secure;
use sql::Sql;
use together::Together;
use tpch::Tpch;
use versions::Versions;
use whole_table::WholeTable;

fn main() -> Result<()> {
    let runtime = Runtime::new().context("starting tokio")?;
    if std::env::args().nth(1).is_some_and(|argument| argument == crowd::BARE_SERVER) {
        return runtime.block_on(crowd::serve_bare());
    }
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(work), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        bail!("usage: polarway-bench DATA WORK");
    };
    let mut bench = Bench { data, work, ..Bench::default() };
    protocol::serve(std::io::stdin().lock(), std::io::stdout().lock(), |name| {
        runtime.block_on(bench.measure(name))
    })
}

/// All measures. What several of them need is set up when the first is asked for, before any clock runs.
#[derive(Default)]
struct Bench {
    data: PathBuf,
    work: PathBuf,
    whole_table: Option<WholeTable>,
    queries: Option<Queries>,
    versions: Option<Versions>,
    network: Option<Network>,
    secure: Option<Secure>,
    sql: Option<Sql>,
    tpch: Option<Tpch>,
    crowd: Option<Crowd>,
    balanced: Option<Balanced>,
    cloud: Option<Cloud>,
    together: Option<Together>,
    memory: Option<Handles>,
    external: Option<Handles>,
}

impl Bench {
    /// Measures once.
    async fn measure(&mut self, name: &str) -> Result<Measured> {
        match name {
            "cloud-query-cold" => self.cloud().await?.query_cold().await,
            _ if name.contains("-distributed-") || name.contains("-local-") => {
                self.together()?.measure(name).await
            }
            _ => self.seconds(name).await.map(Measured::from),
        }
    }

    /// Measures once what only takes time. Seconds.
    async fn seconds(&mut self, name: &str) -> Result<f64> {
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
            "network-cached-load-cpu" => self.network().await?.load_cached_on_cpu().await,
            "network-cached-bytes" => self.network().await?.receive_cached().await,
            "network-cached-load-small" => self.network().await?.load_small().await,
            "network-load-parquet" => self.network().await?.load_parquet().await,
            "network-store" => self.network().await?.store().await,
            "network-tls-load" => self.secure().await?.load_cached().await,
            "network-tls-store" => self.secure().await?.store().await,
            "network-select-42" => self.network().await?.select_42().await,
            "network-ping" => self.network().await?.ping().await,
            "network-point-query" => self.sql().await?.point_query_overhead().await,
            "network-stream" => self.sql().await?.stream().await,
            "duckdb.stream_arrow" => self.sql().await?.stream_plain(),
            "network-64-clients" => self.crowd().await?.ask().await,
            "network-64-clients-table" => self.crowd().await?.ask_table().await,
            "nginx-cached-load" => self.balanced().await?.load_cached().await,
            "nginx-cached-load-small" => self.balanced().await?.load_small().await,
            "handle-memory" => self.handles(Store::Memory).await?.0.make().await,
            "duckdb.create_table" => self.handles(Store::Memory).await?.0.make_plain(),
            "handle-external" => self.handles(Store::External).await?.0.make().await,
            "duckdb.copy_query" => self.handles(Store::External).await?.0.make_plain(),
            "handle-memory-follow-up" => follow_up(self.handles(Store::Memory).await?).await,
            "duckdb.own_table" => follow_up_plain(self.handles(Store::Memory).await?).await,
            "handle-external-follow-up" => follow_up(self.handles(Store::External).await?).await,
            "duckdb.that_parquet" => follow_up_plain(self.handles(Store::External).await?).await,
            "cloud-query-again" => self.cloud().await?.query_again().await,
            "cloud-query-again-stale" => self.cloud().await?.query_again_stale().await,
            "cloud-load" => self.cloud().await?.load().await,
            "ranged-gets" => self.cloud().await?.get_ranges().await,
            "cloud-store" => self.cloud().await?.store().await,
            "cloud-cached-load-small" => self.cloud().await?.load_small().await,
            "tonic" => self.crowd().await?.call_bare().await,
            _ => match name.split_once('-') {
                Some(("tpch", number)) => self.tpch().await?.ours(query_number(number)?).await,
                Some(("duckdb.tpch", number)) => self.tpch().await?.plain(query_number(number)?),
                _ => bail!("polarway-bench has no measure {name}"),
            },
        }
    }

    /// The results that are kept in one of the stores, and the folder that they are in.
    async fn handles(&mut self, store: Store) -> Result<(&mut Handles, PathBuf)> {
        let (slot, name) = match store {
            Store::Memory => (&mut self.memory, "handles-memory"),
            Store::External => (&mut self.external, "handles-external"),
        };
        let folder = self.work.join(name);
        let handles = match slot.take() {
            Some(ready) => slot.insert(ready),
            None => slot.insert(Handles::set_up(&self.data, &folder, store).await?),
        };
        Ok((handles, folder))
    }

    async fn balanced(&mut self) -> Result<&mut Balanced> {
        Ok(match self.balanced.take() {
            Some(ready) => self.balanced.insert(ready),
            None => self.balanced.insert(Balanced::set_up(&self.data, &self.work.join("balanced")).await?),
        })
    }

    async fn cloud(&mut self) -> Result<&mut Cloud> {
        Ok(match self.cloud.take() {
            Some(ready) => self.cloud.insert(ready),
            None => self.cloud.insert(Cloud::set_up(&self.data, &self.work.join("cloud")).await?),
        })
    }

    async fn sql(&mut self) -> Result<&mut Sql> {
        Ok(match self.sql.take() {
            Some(ready) => self.sql.insert(ready),
            None => self.sql.insert(Sql::set_up(&self.data, &self.work.join("sql")).await?),
        })
    }

    async fn tpch(&mut self) -> Result<&mut Tpch> {
        Ok(match self.tpch.take() {
            Some(ready) => self.tpch.insert(ready),
            None => self.tpch.insert(Tpch::set_up(&self.work.join("tpch")).await?),
        })
    }

    fn together(&mut self) -> Result<&mut Together> {
        Ok(match self.together.take() {
            Some(ready) => self.together.insert(ready),
            None => self.together.insert(Together::set_up(&self.work.join("together"))?),
        })
    }

    async fn crowd(&mut self) -> Result<&mut Crowd> {
        Ok(match self.crowd.take() {
            Some(ready) => self.crowd.insert(ready),
            None => self.crowd.insert(Crowd::set_up(&self.work.join("crowd")).await?),
        })
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

    async fn secure(&mut self) -> Result<&mut Secure> {
        Ok(match self.secure.take() {
            Some(ready) => self.secure.insert(ready),
            None => self.secure.insert(Secure::set_up(&self.data, &self.work.join("secure")).await?),
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

async fn follow_up((handles, folder): (&mut Handles, PathBuf)) -> Result<f64> {
    handles.follow_up(&folder).await
}

async fn follow_up_plain((handles, folder): (&mut Handles, PathBuf)) -> Result<f64> {
    handles.follow_up_plain(&folder).await
}

/// The query that the end of a measure's name names; `all` names all of them.
fn query_number(text: &str) -> Result<Option<usize>> {
    match text {
        "all" => Ok(None),
        number => Ok(Some(number.parse().with_context(|| format!("{number} is no number of a query"))?)),
    }
}

/// An engine with its files in `folder` and this much cache; without the janitor, whose rounds would be measured with the
/// rest.
async fn open(folder: &Path, cache_bytes: u64) -> Result<Polarway> {
    let mut config = Config::new(folder).with_cache_bytes(cache_bytes);
    config.janitor_interval = None;
    Polarway::open(config).await.with_context(|| format!("opening an engine in {}", folder.display()))
}
