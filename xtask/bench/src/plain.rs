//! DuckDB without Polarway, in this process, over the files that Polarway has stored.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use duckdb::Connection;

/// One connection, kept open: nobody has less overhead. It is set up as the engine is.
pub(crate) struct Plain(Connection);

impl Plain {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let connection = Connection::open_in_memory()?;
        let threads = std::thread::available_parallelism()?;
        let temp = folder.join("plain-duckdb");
        connection.execute_batch(&format!(
            "SET threads = {threads}; SET memory_limit = '2GB'; SET temp_directory = '{}'; SET TimeZone = 'UTC'; \
             SET preserve_insertion_order = true; SET parquet_metadata_cache = true;",
            temp.display()
        ))?;
        Ok(Self(connection))
    }

    /// Makes a view of a dataset's files, under the dataset's name.
    pub(crate) fn view(&self, folder: &Path, dataset: &str) -> Result<()> {
        self.0.execute_batch(&format!("CREATE VIEW {dataset} AS FROM {}", scan_of(folder, dataset)?))?;
        Ok(())
    }

    /// Runs a statement that answers with nothing to look at.
    pub(crate) fn run(&self, sql: &str) -> Result<()> {
        Ok(self.0.execute_batch(sql)?)
    }

    /// Runs a query and holds its answer. Seconds, and rows.
    pub(crate) fn ask(&self, sql: &str) -> Result<(f64, usize)> {
        let started = Instant::now();
        let mut statement = self.0.prepare(sql)?;
        let batches: Vec<_> = statement.query_arrow([])?.collect();
        let seconds = started.elapsed().as_secs_f64();
        Ok((seconds, batches.iter().map(|batch| batch.num_rows()).sum()))
    }

    /// Runs a query and lets go of its rows as they come. Seconds, and rows.
    pub(crate) fn stream(&self, sql: &str) -> Result<(f64, usize)> {
        let started = Instant::now();
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.stream_arrow([])?.map(|batch| batch.num_rows()).sum();
        Ok((started.elapsed().as_secs_f64(), rows))
    }
}

/// How DuckDB reads the files of a dataset that was stored in a folder.
pub(crate) fn scan_of(folder: &Path, dataset: &str) -> Result<String> {
    parquet_files(&folder.join("cold").join(dataset).join("_polarway/data"))
}

/// How DuckDB reads the files in a folder.
pub(crate) fn parquet_files(data: &Path) -> Result<String> {
    let entries = std::fs::read_dir(data).with_context(|| format!("listing {}", data.display()))?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort(); // by name is by age
    ensure!(!files.is_empty(), "{} holds no file", data.display());
    let list: Vec<_> = files.iter().map(|file| format!("'{}'", file.display())).collect();
    Ok(format!("read_parquet([{}], hive_partitioning = false)", list.join(", ")))
}
