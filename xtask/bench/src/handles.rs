//! Results that are kept, beside DuckDB's own tables and files in the same process.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use polarway_core::{Config, HandleStoreKind, Polarway};

use crate::clock::timed;
use crate::plain::{Plain, parquet_files};
use crate::whole_table::read_arrow;

/// What is kept: a column more than the table has, so that no file or chunk is taken as it is.
const KEPT: &str = "SELECT *, price * quantity AS amount FROM stored";

/// What is asked of a kept result.
const FOLLOW_UP: &str = "SELECT symbol, count(*), avg(price), max(amount) FROM {table} GROUP BY symbol";

/// Where results are kept.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Store {
    Memory,
    External,
}

pub(crate) struct Handles {
    polarway: Polarway,
    plain: Plain,
    store: Store,
    /// Where plain DuckDB writes.
    file: PathBuf,
    /// A result that is there already, and how plain DuckDB names the same rows.
    kept: Option<(String, String)>,
}

impl Handles {
    /// Stores the table, and points DuckDB to the file that it is in.
    pub(crate) async fn set_up(data: &Path, folder: &Path, store: Store) -> Result<Self> {
        let mut config = Config::new(folder).with_cache_bytes(0);
        config.janitor_interval = None;
        if store == Store::External {
            config.handles.store = HandleStoreKind::External;
        }
        let polarway = Polarway::open(config).await?;
        polarway.store("stored", read_arrow(&data.join("table.arrow"))?).await?;
        let plain = Plain::open(folder)?;
        plain.view(folder, "stored")?;
        let file = folder.join("copied.parquet");
        Ok(Self { polarway, plain, store, file, kept: None })
    }

    /// A query and the keeping of its result.
    pub(crate) async fn make(&self) -> Result<f64> {
        let (seconds, kept) = timed(self.polarway.query_handle(KEPT)).await?;
        ensure!(kept.handle.rows > 0, "no rows were kept");
        self.polarway.drop_handle(&kept.handle.id.to_string()).await?;
        Ok(seconds)
    }

    /// The same by DuckDB: a table, or a file that is on disk when it is done.
    pub(crate) fn make_plain(&self) -> Result<f64> {
        let started = Instant::now();
        match self.store {
            Store::Memory => self.plain.run(&format!("CREATE TABLE made AS {KEPT}"))?,
            Store::External => {
                self.plain.run(&format!("COPY ({KEPT}) TO '{}' (FORMAT parquet)", self.file.display()))?;
                std::fs::File::open(&self.file)?.sync_all()?;
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        if self.store == Store::Memory {
            self.plain.run("DROP TABLE made")?;
        }
        Ok(seconds)
    }

    /// An aggregation over a kept result.
    pub(crate) async fn follow_up(&mut self, folder: &Path) -> Result<f64> {
        let (id, _) = self.kept(folder).await?;
        let (seconds, answer) = timed(self.polarway.query(&FOLLOW_UP.replace("{table}", &id))).await?;
        ensure!(answer.num_rows() > 0, "no rows came");
        Ok(seconds)
    }

    /// The same by DuckDB over its own table, or the very file that the result is in.
    pub(crate) async fn follow_up_plain(&mut self, folder: &Path) -> Result<f64> {
        let (_, table) = self.kept(folder).await?;
        let (seconds, rows) = self.plain.ask(&FOLLOW_UP.replace("{table}", &table))?;
        ensure!(rows > 0, "no rows came");
        Ok(seconds)
    }

    async fn kept(&mut self, folder: &Path) -> Result<(String, String)> {
        if let Some(kept) = &self.kept {
            return Ok(kept.clone());
        }
        let id = self.polarway.query_handle(KEPT).await?.handle.id.to_string();
        let table = match self.store {
            Store::Memory => {
                self.plain.run(&format!("CREATE TABLE own AS {KEPT}"))?;
                "own".to_owned()
            }
            Store::External => {
                let code = id.strip_prefix("h_").context("an id without its prefix")?;
                parquet_files(&folder.join("state").join(code).join("_polarway/data"))?
            }
        };
        Ok(self.kept.insert((id, table)).clone())
    }
}
