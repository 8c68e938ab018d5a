//! TPC-H over the network on stored datasets, beside DuckDB in this process on the same files.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::clock::timed;
use crate::open;
use crate::plain::Plain;
use crate::server::Server;

pub(crate) const TABLES: [&str; 8] =
    ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];

/// How many queries there are.
const QUERIES: usize = 22;

pub(crate) struct Tpch {
    server: Server,
    plain: Plain,
    texts: Vec<String>,
}

impl Tpch {
    /// Stores the tables that the variable `POLARWAY_TPCH` names the folder of.
    pub(crate) async fn set_up(folder: &Path) -> Result<Self> {
        let source = source()?;
        let server = Server::start(folder, "0").await?;
        let plain = Plain::open(folder)?;
        let files = open(&folder.join("source"), 0).await?;
        for table in TABLES {
            std::fs::copy(
                source.join(format!("{table}.parquet")),
                folder.join("source/cold").join(format!("{table}.parquet")),
            )?;
            server.client.store(table, files.load(table).await?).await?;
            plain.view(folder, table)?;
        }
        Ok(Self { server, plain, texts: texts(&source)? })
    }

    /// All queries by Polarway, or the one of this number.
    pub(crate) async fn ours(&self, number: Option<usize>) -> Result<f64> {
        let mut total = 0.0;
        for text in self.chosen(number)? {
            let (seconds, answer) = timed(self.server.client.query(text)).await?;
            ensure!(answer.num_rows() > 0, "no rows came");
            total += seconds;
        }
        Ok(total)
    }

    /// The same by DuckDB.
    pub(crate) fn plain(&self, number: Option<usize>) -> Result<f64> {
        self.chosen(number)?.iter().map(|text| Ok(self.plain.ask(text)?.0)).sum()
    }

    fn chosen(&self, number: Option<usize>) -> Result<&[String]> {
        match number {
            None => Ok(&self.texts),
            Some(number) => {
                let text = number.checked_sub(1).and_then(|index| self.texts.get(index));
                Ok(std::slice::from_ref(text.with_context(|| format!("there is no query {number}"))?))
            }
        }
    }
}

/// The folder that the variable `POLARWAY_TPCH` names.
pub(crate) fn source() -> Result<PathBuf> {
    Ok(PathBuf::from(std::env::var_os("POLARWAY_TPCH").context("POLARWAY_TPCH names no folder")?))
}

/// The texts of the queries.
pub(crate) fn texts(source: &Path) -> Result<Vec<String>> {
    let text = |number| {
        let file = source.join(format!("queries/{number:02}.sql"));
        std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))
    };
    (1..=QUERIES).map(text).collect()
}
