//! SQL over the network on a table of many rows, beside DuckDB in this process on the same file.

use std::path::Path;

use anyhow::{Result, ensure};
use futures::TryStreamExt as _;

use crate::clock::{median, timed};
use crate::plain::Plain;
use crate::server::Server;
use crate::whole_table::read_arrow;

/// Pairs of point queries whose median difference is the answer.
const PAIRS: u64 = 101;

pub(crate) struct Sql {
    server: Server,
    plain: Plain,
    rows: usize,
}

impl Sql {
    pub(crate) async fn set_up(data: &Path, folder: &Path) -> Result<Self> {
        let server = Server::start(folder, "0").await?;
        let table = read_arrow(&data.join("table.arrow"))?;
        server.client.store("stored", &table).await?;
        let plain = Plain::open(folder)?;
        plain.view(folder, "stored")?;
        Ok(Self { server, plain, rows: table.num_rows() })
    }

    /// How many seconds longer it takes over the network to find one row.
    pub(crate) async fn point_query_overhead(&self) -> Result<f64> {
        let mut differences = Vec::new();
        for pair in 0..=PAIRS {
            let id = pair * 7_919 * 13 % self.rows as u64;
            let sql = format!("SELECT * FROM stored WHERE id = {id}");
            let before = if pair % 2 == 0 { Some(self.plain.ask(&sql)?) } else { None };
            let (ours, answer) = timed(self.server.client.query(&sql)).await?;
            let (plain, rows) = match before {
                Some(asked) => asked,
                None => self.plain.ask(&sql)?,
            };
            ensure!(answer.num_rows() == 1 && rows == 1, "{sql} has one row");
            if pair > 0 {
                differences.push(ours - plain); // the first one warms up
            }
        }
        Ok(median(differences))
    }

    /// All rows as they come, over the network.
    pub(crate) async fn stream(&self) -> Result<f64> {
        let (seconds, rows) = timed(async {
            let stream = self.server.client.query_stream("SELECT * FROM stored").await?;
            let rows = stream.try_fold(0, async |rows, batch| Ok(rows + batch.num_rows())).await?;
            anyhow::Ok(rows)
        })
        .await?;
        ensure!(rows == self.rows, "{rows} rows came");
        Ok(seconds)
    }

    /// All rows as they come, in this process.
    pub(crate) fn stream_plain(&self) -> Result<f64> {
        let (seconds, rows) = self.plain.stream("SELECT * FROM stored")?;
        ensure!(rows == self.rows, "{rows} rows came");
        Ok(seconds)
    }
}
