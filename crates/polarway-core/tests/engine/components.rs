//! Components that a program gives to its engine.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use polarway_core::components::{IdSource, ManualClock, RandomSource};
use polarway_core::{At, ErrorKind, HandleId, Polarway};
use uuid::Uuid;

use crate::support::{START_US, by_clock, config, lines, trades};

#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_makes_its_rounds_by_the_clock_that_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(START_US);
    let mut config = config(&folder);
    config.janitor_interval = Some(Duration::from_secs(300));
    let polarway = by_clock(config, &clock).open().await.unwrap();
    for cents in 1..=8 {
        polarway.store("trades", trades(&[("BTC", cents)])).await.unwrap();
    }
    let vacuumed = async || {
        let versions = polarway.versions("trades").await.unwrap();
        versions.iter().filter(|version| version.vacuumed).count()
    };
    clock.advance(Duration::from_secs(3_000));
    assert_eq!(vacuumed().await, 0, "all were superseded within the hour");
    clock.advance(Duration::from_secs(1_000));
    assert_eq!(vacuumed().await, 3);
    assert_eq!(lines(&polarway.load_at("trades", At::Version(4)).await.unwrap()), ["BTC,4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_janitor_looks_after_deleted_datasets_and_those_that_were_begun_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cold/begun/_polarway/data");
    fs::create_dir_all(&data).unwrap();
    let left = data.join("0199c0de-0000-7000-8000-000000000001.parquet");
    let began = SystemTime::UNIX_EPOCH + Duration::from_micros(START_US.unsigned_abs());
    File::create(&left).unwrap().set_modified(began).unwrap();
    let clock = ManualClock::new(START_US);
    let mut config = config(&folder);
    config.janitor_interval = Some(Duration::from_secs(300));
    let polarway = by_clock(config, &clock).open().await.unwrap();
    for cents in 1..=8 {
        polarway.store("gone", trades(&[("BTC", cents)])).await.unwrap();
    }
    polarway.delete("gone").await.unwrap();
    clock.advance(Duration::from_secs(4_000));
    assert!(left.exists(), "its writer may be at work");
    let versions = polarway.versions("gone").await.unwrap();
    assert_eq!(versions.iter().filter(|version| version.vacuumed).count(), 4);
    clock.advance(Duration::from_secs(90_000));
    assert!(!left.exists());
    assert_eq!(polarway.load("begun").await.unwrap_err().kind(), ErrorKind::UnknownDataset);
    assert_eq!(polarway.store("begun", trades(&[("BTC", 1)])).await.unwrap().version, 1);
}

/// The numbers from 1 on, and nothing behind the second.
#[derive(Debug, Default)]
struct TwoNumbers(AtomicU64);

impl RandomSource for TwoNumbers {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            number @ 0..2 => bytes.fill(number as u8 + 1),
            _ => return Err(io::Error::other("no bits are left")),
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_handles_are_the_random_bits_that_are_given_and_without_bits_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let random = Arc::new(TwoNumbers::default());
    let polarway = Polarway::builder(config(&folder)).random(random).open().await.unwrap();
    for number in [1, 2] {
        let kept = polarway.query_handle("SELECT 42").await.unwrap();
        assert_eq!(kept.handle.id, HandleId::from_bits([number; 16]));
    }
    let refused = polarway.query_handle("SELECT 42").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Internal, "{refused}");
    assert_eq!(polarway.handles().await.unwrap().len(), 2);
}

/// Ids in their order.
#[derive(Debug, Default)]
struct CountedIds(AtomicU64);

impl IdSource for CountedIds {
    fn fresh(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)) + (7 << 76) + (2 << 62))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_files_have_the_ids_that_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let ids = Arc::new(CountedIds::default());
    let polarway = Polarway::builder(config(&folder)).ids(ids).open().await.unwrap();
    polarway.store("trades", trades(&[("BTC", 5)])).await.unwrap();
    let data = folder.path().join("cold/trades/_polarway/data");
    let names: Vec<_> = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["00000000-0000-7000-8000-000000000000.parquet"]);
}
