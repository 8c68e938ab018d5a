//! A dataset with many versions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use polarway_core::Polarway;
use polarway_core::arrow::array::{Int64Array, RecordBatch};

use crate::clock::{median, timed};
use crate::open;

const NAME: &str = "often";

const VERSIONS: u64 = 10_000;

/// Look-ups whose median is the answer where one is too short to be measured.
const LOOK_UPS: usize = 201;

pub(crate) struct Versions {
    folder: PathBuf,
    polarway: Polarway,
}

impl Versions {
    /// Makes all versions as a user would, each of them durable.
    pub(crate) async fn set_up(folder: &Path) -> Result<Self> {
        let polarway = open(folder, 0).await?;
        let started = Instant::now();
        for number in 1..=VERSIONS {
            let column = Arc::new(Int64Array::from_iter_values([number.cast_signed()]));
            let published = polarway.store(NAME, RecordBatch::try_from_iter([("n", column as _)])?).await?;
            ensure!(published.version == number, "version {} came for {number}", published.version);
        }
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("polarway-bench: {VERSIONS} versions were stored in {seconds:.0} s");
        Ok(Self { folder: folder.to_owned(), polarway })
    }

    /// The newest version, by an engine that asked for it before.
    pub(crate) async fn newest_known(&self) -> Result<f64> {
        newest(&self.polarway).await?;
        let mut seconds = Vec::with_capacity(LOOK_UPS);
        for _ in 0..LOOK_UPS {
            seconds.push(newest(&self.polarway).await?);
        }
        Ok(median(seconds))
    }

    /// The newest version, by an engine that was just opened.
    pub(crate) async fn newest_cold(&self) -> Result<f64> {
        newest(&open(&self.folder, 0).await?).await
    }

    /// All versions, by an engine that was just opened.
    pub(crate) async fn list(&self) -> Result<f64> {
        let polarway = open(&self.folder, 0).await?;
        let (seconds, versions) = timed(polarway.versions(NAME)).await?;
        ensure!(versions.len() as u64 == VERSIONS, "{} versions were listed", versions.len());
        Ok(seconds)
    }
}

async fn newest(polarway: &Polarway) -> Result<f64> {
    let (seconds, newest) = timed(polarway.describe(NAME)).await?;
    ensure!(newest.version == VERSIONS, "the newest version is {}", newest.version);
    Ok(seconds)
}
