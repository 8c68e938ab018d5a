//! Tables in a bucket behind a line like that to a cloud. The variables that name the bucket come from `cargo xtask bench`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use polarway_bucket::Bucket;
use polarway_core::arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use polarway_core::{Config, Polarway, Table};
use tokio::task::JoinSet;

use crate::clock::timed;
use crate::network::{SMALL_ROWS, short};
use crate::protocol::Measured;
use crate::server::Server;
use crate::whole_table::read_arrow;

/// Rows of the wide table: 1 GB in its columns.
const WIDE_ROWS: usize = 6_250_000;

/// Its columns, of eight bytes each.
const WIDE_COLUMNS: usize = 20;

/// Rows of one batch of it.
const BATCH_ROWS: usize = 125_000;

/// The two columns that the query reads. `cloud_peers.py` has the same query.
const QUERIED: [&str; 2] = ["c04", "c13"];

/// The requests at a time that a load is compared with.
const REQUESTS_AT_A_TIME: u64 = 8;

/// Where the tables are in the bucket.
const PREFIX: &str = "bench";

pub(crate) struct Cloud {
    place: Place,
    folder: PathBuf,
    table: Table,
    /// An engine without a cache, which has the tables in the bucket.
    engine: Polarway,
    /// An engine whose newest versions may be a second old, from when it is first asked.
    stale: Option<Polarway>,
    /// A server over the same bucket, from when it is first asked for.
    server: Option<Server>,
    engines: u64,
    stores: u64,
}

/// Where the bucket is.
pub(crate) struct Place {
    /// The URL of the tables.
    pub(crate) url: String,
    /// The URL of the service.
    pub(crate) endpoint: String,
    /// The same as a folder of this machine.
    pub(crate) folder: PathBuf,
}

impl Place {
    pub(crate) fn of_variables() -> Result<Self> {
        let variable = |name: &str| {
            let name = format!("POLARWAY_BENCH_BUCKET{name}");
            env::var(&name)
                .with_context(|| format!("{name} is not set: `cargo xtask bench` sets it with --cloud"))
        };
        Ok(Self {
            url: format!("s3://{}/{PREFIX}", variable("")?),
            endpoint: format!("http://{}", variable("_ADDRESS")?),
            folder: Path::new(&variable("_FOLDER")?).join(PREFIX),
        })
    }

    fn config(&self, folder: &Path) -> Result<Config> {
        let mut config = Config::new(folder).with_cache_bytes(0);
        config.cold_tier = self.url.parse()?;
        config.buckets.endpoint = Some(self.endpoint.clone());
        config.buckets.plain_http = true;
        config.janitor_interval = None;
        Ok(config)
    }

    /// The only data file of a dataset.
    fn data_file(&self, dataset: &str) -> Result<PathBuf> {
        let folder = self.folder.join(dataset).join("_polarway/data");
        let mut files = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        let file = files.next().with_context(|| format!("{dataset} has no data file"))??;
        ensure!(files.next().is_none(), "{dataset} has several data files");
        Ok(file.path())
    }
}

impl Cloud {
    /// Stores the table, the wide one, and a small one.
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let place = Place::of_variables()?;
        let table = read_arrow(&data.join("table.arrow"))?;
        let engine = Polarway::open(place.config(&folder.join("engine"))?).await?;
        engine.store("stored", &table).await?;
        engine.store("small", table.slice(0, SMALL_ROWS)).await?;
        engine.store("wide", wide_table()?).await?;
        Ok(Self {
            place,
            folder: folder.to_owned(),
            table,
            engine,
            stale: None,
            server: None,
            engines: 0,
            stores: 0,
        })
    }

    /// The query, by an engine that has seen nothing yet.
    pub(crate) async fn query_cold(&mut self) -> Result<Measured> {
        self.engines += 1;
        let folder = self.folder.join(format!("cold-{}", self.engines));
        let engine = Polarway::open(self.place.config(&folder)?).await?;
        let seconds = query(&engine).await?;
        drop(engine);
        fs::remove_dir_all(&folder).context("removing the folder of an engine")?;
        Ok(Measured { seconds, needed_bytes: Some(self.needed_bytes()?) })
    }

    /// The query, by an engine that has seen it before the first time that counts.
    pub(crate) async fn query_again(&self) -> Result<f64> {
        query(&self.engine).await
    }

    /// The same, by an engine whose newest version may be a second old. It was asked for just before.
    pub(crate) async fn query_again_stale(&mut self) -> Result<f64> {
        let engine = match &self.stale {
            Some(ready) => ready,
            None => {
                let mut config = self.place.config(&self.folder.join("stale"))?;
                config.max_staleness = Duration::from_secs(1);
                self.stale.insert(Polarway::open(config).await?)
            }
        };
        query(engine).await?;
        query(engine).await
    }

    /// The bytes of the columns that the query reads, as the file's metadata says.
    fn needed_bytes(&self) -> Result<u64> {
        let file = self.place.data_file("wide")?;
        let sql = "SELECT sum(total_compressed_size)::UBIGINT FROM parquet_metadata(?) WHERE path_in_schema IN (?, ?)";
        let values = [file.to_str().context("the path is not UTF-8")?, QUERIED[0], QUERIED[1]];
        let connection = duckdb::Connection::open_in_memory()?;
        Ok(connection.query_row(sql, values, |row| row.get(0))?)
    }

    /// The table, from its file to batches.
    pub(crate) async fn load(&self) -> Result<f64> {
        let (seconds, loaded) = timed(self.engine.load("stored")).await?;
        ensure!(loaded.num_rows() == self.table.num_rows(), "{} rows came", loaded.num_rows());
        Ok(seconds)
    }

    /// The bytes of that file alone, with the client that the engine has.
    pub(crate) async fn get_ranges(&self) -> Result<f64> {
        let file = self.place.data_file("stored")?;
        let bytes = file.metadata()?.len();
        let name = file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
        let location = ObjectPath::parse(format!("{PREFIX}/stored/_polarway/data/{name}"))?;
        let config = self.place.config(&self.folder)?;
        let url = self.place.url.trim_end_matches(PREFIX).trim_end_matches('/').parse()?;
        let store = Arc::clone(Bucket::new(&url, &config.buckets)?.retrying());
        let (seconds, received) = timed(get_in_parts(store, location, bytes)).await?;
        ensure!(received == bytes, "{received} of {bytes} bytes came");
        Ok(seconds)
    }

    /// The table from memory to a dataset in the bucket. What was written is removed afterwards.
    pub(crate) async fn store(&mut self) -> Result<f64> {
        self.stores += 1;
        let name = format!("store-{}", self.stores);
        let table = self.table.clone();
        let (seconds, _) = timed(self.engine.store(&name, table)).await?;
        fs::remove_dir_all(self.place.folder.join(&name)).context("removing what was stored")?;
        Ok(seconds)
    }

    /// A small cached table over loopback, whose version may be a second old.
    pub(crate) async fn load_small(&mut self) -> Result<f64> {
        let server = match self.server.take() {
            Some(ready) => self.server.insert(ready),
            None => {
                let server = Server::start_over_bucket(&self.folder.join("server"), &self.place).await?;
                server.client.load("small").await?;
                self.server.insert(server)
            }
        };
        short(async || Ok(server.client.load("small").await?.num_rows() == SMALL_ROWS)).await
    }
}

async fn query(engine: &Polarway) -> Result<f64> {
    let sql = format!("SELECT sum({}) AS a, sum({}) AS b, count(*) AS n FROM wide", QUERIED[0], QUERIED[1]);
    let (seconds, rows) = timed(engine.query(&sql)).await?;
    ensure!(rows.num_rows() == 1, "{} rows came", rows.num_rows());
    Ok(seconds)
}

/// Gets an object in as many parts as requests at a time. Returns how many bytes came.
async fn get_in_parts(store: Arc<dyn ObjectStore>, location: ObjectPath, bytes: u64) -> Result<u64> {
    let part = bytes.div_ceil(REQUESTS_AT_A_TIME);
    let mut requests = JoinSet::new();
    for start in (0..bytes).step_by(part as usize) {
        let (store, location) = (Arc::clone(&store), location.clone());
        requests.spawn(async move { store.get_range(&location, start..bytes.min(start + part)).await });
    }
    let mut received = 0;
    while let Some(request) = requests.join_next().await {
        received += request??.len() as u64;
    }
    Ok(received)
}

/// Numbers without any pattern, the same ones each time.
fn wide_table() -> Result<Table> {
    let mut state = 0_u64;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut batch = || {
        let columns = (0..WIDE_COLUMNS).map(|column| {
            let array: ArrayRef = match column % 2 {
                0 => Arc::new(Float64Array::from_iter_values((0..BATCH_ROWS).map(|_| next() as f64 / 1e9))),
                _ => Arc::new(Int64Array::from_iter_values((0..BATCH_ROWS).map(|_| next() as i64 / 1024))),
            };
            (format!("c{column:02}"), array)
        });
        RecordBatch::try_from_iter(columns)
    };
    let batches = (0..WIDE_ROWS / BATCH_ROWS).map(|_| batch()).collect::<Result<Vec<_>, _>>()?;
    let schema = batches.first().context("the table has no rows")?.schema();
    Ok(Table::new(schema, batches))
}
