//! Runs an input: a statement, whose rows are printed, or a dot command.

use std::io::{self, BufWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures::TryStreamExt as _;
use polarway::{DistributedClient, QueryOptions};

use super::dot::{self, DotCommand};
use crate::arguments::ListFormat;
use crate::commands::look;
use crate::failure::Result;
use crate::output::{Shape, Writer, timed_rows};
use crate::progress::Progress;

/// Whether the shell continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Leave,
}

/// A connection, and the format of results.
pub(super) struct Session {
    client: DistributedClient,
    format: ListFormat,
    is_timed: bool,
}

impl Session {
    pub(super) fn new(client: DistributedClient, format: ListFormat, is_timed: bool) -> Self {
        Self { client, format, is_timed }
    }

    /// Runs an input. Dropping the future cancels a statement, on the server too.
    pub(super) async fn run(&mut self, input: &str) -> Result<Next> {
        if input.starts_with('.') {
            return self.obey(dot::parse(input)?).await;
        }
        self.query(input).await?;
        Ok(Next::GoOn)
    }

    pub(super) async fn obey(&mut self, command: DotCommand) -> Result<Next> {
        match command {
            DotCommand::Help => print!("{}", dot::help()),
            DotCommand::Tables(pattern) => self.tables(pattern.as_deref()).await?,
            DotCommand::Schema(name) => {
                let description = self.client.describe(&name).await;
                look::print_description(&look::described(&name, description)?, self.format)?;
            }
            DotCommand::Timer(None) => println!("{}", if self.is_timed { "on" } else { "off" }),
            DotCommand::Timer(Some(is_timed)) => self.is_timed = is_timed,
            DotCommand::Mode(None) => println!("{}", dot::name(self.format)),
            DotCommand::Mode(Some(format)) => self.format = format,
            DotCommand::Quit => return Ok(Next::Leave),
        }
        Ok(Next::GoOn)
    }

    async fn tables(&self, pattern: Option<&str>) -> Result<()> {
        let mut datasets = self.client.datasets().await?;
        match pattern {
            None => look::print_datasets(&datasets, self.format, look::NO_DATASETS),
            Some(pattern) => {
                datasets.retain(|dataset| dot::fits(&dataset.name, pattern));
                look::print_datasets(&datasets, self.format, &format!("no dataset's name fits {pattern}"))
            }
        }
    }

    /// Rows are printed as they arrive; a table is printed at the end, from the rows that it shows.
    async fn query(&self, sql: &str) -> Result<()> {
        let started = Instant::now();
        let count = Arc::new(AtomicU64::new(0));
        let mut progress = Some(Progress::of_query(Arc::clone(&count)));
        let options = QueryOptions { hugeint_as_text: true, ..QueryOptions::default() };
        let mut rows = self.client.query_stream_with(sql, options).await?;
        if self.format != ListFormat::Table {
            // Rows that scroll over the terminal show enough progress.
            progress = None;
        }
        let sink = Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let mut writer = Writer::start(self.format.into(), rows.schema(), sink, Shape::of_stdout())?;
        while let Some(batch) = rows.try_next().await? {
            tokio::task::block_in_place(|| writer.write(&batch))?;
            count.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            // If rows arrive faster than they are written, a cancellation would otherwise never be noticed.
            tokio::task::yield_now().await;
        }
        drop(progress);
        let took = started.elapsed();
        if self.is_timed {
            writer.finish_after(took)?;
        } else {
            writer.finish()?;
        }
        if self.is_timed && self.format != ListFormat::Table {
            eprintln!("{}", timed_rows(count.load(Ordering::Relaxed), took));
        }
        Ok(())
    }
}
