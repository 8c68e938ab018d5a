//! Memory stays within bounds, however large the table: a program of its own, as only a whole
//! process has a memory to measure. Part of the long suites.

use std::process::Command;
use std::sync::Arc;

use futures::StreamExt;
use polarway_core::arrow::array::{Float64Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use polarway_core::{At, Polarway, WriteOptions};

use crate::support::config;

const ROWS_PER_BATCH: i64 = 65_536;
const GB: u64 = 1_000_000_000;

fn batch(number: i64) -> RecordBatch {
    let rows = number * ROWS_PER_BATCH..(number + 1) * ROWS_PER_BATCH;
    let mixed = |row: i64| row.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64);
    let ids = Int64Array::from_iter_values(rows.clone());
    let hashes = Int64Array::from_iter_values(rows.clone().map(mixed));
    let prices = Float64Array::from_iter_values(rows.clone().map(|row| (mixed(row) >> 40) as f64 / 100.0));
    let symbols =
        StringArray::from_iter_values(rows.map(|row| format!("SYM{}", mixed(row).rem_euclid(1_000))));
    RecordBatch::try_from_iter([
        ("id", Arc::new(ids) as _),
        ("hash", Arc::new(hashes) as _),
        ("price", Arc::new(prices) as _),
        ("symbol", Arc::new(symbols) as _),
    ])
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test below starts it"]
async fn child_that_stores_and_loads() {
    let Some(gigabytes) = std::env::var("POLARWAY_TEST_BOUNDED_GB").ok() else { return };
    let batches = (gigabytes.parse::<u64>().unwrap() * GB / batch(0).get_array_memory_size() as u64) as i64;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.cache_bytes = GB / 2;
    let polarway = Polarway::open(config).await.unwrap();
    let reader = RecordBatchIterator::new((0..batches).map(|number| Ok(batch(number))), batch(0).schema());
    polarway.store_reader("large", reader, WriteOptions::default()).await.unwrap();
    let mut stream = polarway.load_stream("large", At::Newest).await.unwrap();
    let mut rows = 0;
    while let Some(loaded) = stream.next().await {
        rows += loaded.unwrap().num_rows() as i64;
    }
    assert_eq!(rows, batches * ROWS_PER_BATCH);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    std::fs::write("/dev/stdout", format!("{peak}\n")).unwrap();
}

#[test]
fn ten_gigabytes_are_stored_and_loaded_in_one_and_a_half() {
    if !polarway_testing::is_long() {
        return polarway_testing::not_run("it takes minutes; --long runs it");
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bounded::child_that_stores_and_loads", "--ignored", "--nocapture"])
        .env("POLARWAY_TEST_BOUNDED_GB", "10")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let peak = printed.lines().find(|line| line.starts_with("VmHWM")).expect("the child tells its peak");
    let kilobytes: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("peak memory: {} MB", kilobytes / 1_000);
    assert!(kilobytes * 1_024 < 3 * GB / 2, "{peak}");
}
