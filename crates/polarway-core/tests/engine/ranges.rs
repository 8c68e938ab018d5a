//! Queries over files that are in no directory: DuckDB reads ranges of them, and what goes wrong is said.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use polarway_core::arrow::array::{Int64Array, RecordBatch};
use polarway_core::components::Backend;
use polarway_core::{Config, ErrorKind, Polarway, QueryOptions};
use tempfile::TempDir;

use crate::support::{config, lines, trades, until};
use crate::watched::WatchedReads;

/// An engine over a directory that is as far away as a bucket: its files are read by ranges.
async fn far(
    folder: &TempDir,
    change: impl FnOnce(&mut Config),
    on_read: impl Fn(u64, usize) -> io::Result<()> + Send + Sync + 'static,
) -> Polarway {
    let mut config = config(folder);
    change(&mut config);
    let on_read = Arc::new(on_read);
    let layer = move |storage| {
        let on_read = Arc::clone(&on_read);
        WatchedReads::new(storage, move |offset, length| on_read(offset, length)) as Arc<dyn Backend>
    };
    Polarway::builder(config).storage_layer(layer).open().await.unwrap()
}

/// Numbers that don't compress, in this many columns.
fn noise(columns: usize, rows: usize) -> RecordBatch {
    let mut noise = polarway_testing::Noise::new(11);
    let column = |place| {
        let numbers = Int64Array::from_iter_values((0..rows).map(|_| noise.next() as i64 >> 8));
        (format!("c{place}"), Arc::new(numbers) as _)
    };
    RecordBatch::try_from_iter((0..columns).map(column)).unwrap()
}

fn anything(_: u64, _: usize) -> io::Result<()> {
    Ok(())
}

#[tokio::test]
async fn a_query_reads_the_columns_that_it_needs_and_the_next_one_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let table = noise(20, 100_000);
    let here = Polarway::open(config(&folder)).await.unwrap();
    here.store("t", table).await.unwrap();
    let sql = "SELECT sum(c3), max(c7) FROM t";
    let right = lines(&here.query(sql).await.unwrap());
    drop(here);

    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    let count = move |_, length| {
        counted.fetch_add(length as u64, Ordering::SeqCst);
        Ok(())
    };
    let polarway = far(&folder, |_| {}, count).await;
    assert_eq!(lines(&polarway.query(sql).await.unwrap()), right);
    let cold = read.load(Ordering::SeqCst);
    let columns = 2 * 100_000 * 8;
    assert!(cold < columns * 12 / 10, "{cold} bytes of columns that take {columns}");
    assert_eq!(lines(&polarway.query(sql).await.unwrap()), right);
    assert_eq!(read.load(Ordering::SeqCst), cold);
}

#[tokio::test]
async fn a_storage_that_fails_in_the_middle_of_a_query_is_named_and_the_next_query_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let left = Arc::new(AtomicU64::new(u64::MAX));
    let reads = Arc::clone(&left);
    let on_read = move |_, _| match reads.fetch_sub(1, Ordering::SeqCst) {
        0 => {
            reads.store(0, Ordering::SeqCst);
            Err(io::Error::other("the network is down"))
        }
        _ => Ok(()),
    };
    let polarway = far(&folder, |_| {}, on_read).await;
    polarway.store("t", noise(6, 50_000)).await.unwrap();
    polarway.store("small", trades(&[("A", 1)])).await.unwrap();
    // The first reads are of the footer, later ones of columns.
    for reads in 0..4 {
        left.store(reads, Ordering::SeqCst);
        let error = polarway.query("SELECT sum(c0), sum(c2), sum(c4) FROM t").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFailed, "{reads}: {error}");
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(cause.as_deref(), Some("the network is down"), "{reads}: {error}");
        assert!(!error.to_string().contains("polarway://"), "{error}");
        left.store(u64::MAX, Ordering::SeqCst);
        assert_eq!(lines(&polarway.query("SELECT cents FROM small").await.unwrap()), ["1"]);
        polarway.store("t", noise(6, 50_000 + reads as usize)).await.unwrap(); // nothing of it is in the cache
    }
    left.store(u64::MAX, Ordering::SeqCst);
    assert_eq!(lines(&polarway.query("SELECT count(c1) FROM t").await.unwrap()), ["50003"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_whose_storage_is_silent_ends_by_its_deadline_and_when_it_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let is_silent = Arc::new(AtomicBool::new(false));
    let silent = Arc::clone(&is_silent);
    let on_read = move |_, _| {
        while silent.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    let polarway = far(&folder, |_| {}, on_read).await;
    polarway.store("t", noise(1, 1_000)).await.unwrap();
    is_silent.store(true, Ordering::SeqCst);
    let options = QueryOptions { time: Some(Duration::from_millis(300)), ..QueryOptions::default() };
    let error = polarway.query_with("SELECT sum(c0) FROM t", options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    until(|| polarway.queries().unwrap().is_empty()).await; // its thread ends while the storage is silent

    let asking = tokio::spawn({
        let polarway = polarway.clone();
        async move { polarway.query("SELECT max(c0) FROM t").await }
    });
    until(|| !polarway.queries().unwrap().is_empty()).await;
    for query in polarway.queries().unwrap() {
        polarway.cancel_query(&query.id.to_string()).unwrap();
    }
    let error = asking.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
    is_silent.store(false, Ordering::SeqCst);
    assert_eq!(lines(&polarway.query("SELECT count(c0) FROM t").await.unwrap()), ["1000"]);
}

#[tokio::test]
async fn versions_and_folders_with_values_are_as_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let here = Polarway::open(config(&folder)).await.unwrap();
    here.store("t", trades(&[("A", 1)])).await.unwrap();
    here.append("t", trades(&[("B", 2)])).await.unwrap();
    let stored = newest(&folder.path().join("cold/t/_polarway/data"));
    for (path, file) in [
        ("year=2024", "a.parquet"),
        ("year=2025", "x [1]*.parquet"),
        ("year=__HIVE_DEFAULT_PARTITION__", "b.parquet"),
    ] {
        let path = folder.path().join("cold/stations").join(path);
        fs::create_dir_all(&path).unwrap();
        fs::copy(&stored, path.join(file)).unwrap();
    }
    let queries = [
        "SELECT * FROM t ORDER BY 1",
        "SELECT * FROM t AT (VERSION => 1)",
        "SELECT year, symbol, cents, count(*) FROM stations GROUP BY ALL ORDER BY 1",
        "SELECT count(*) FROM stations WHERE year = 2025",
        "SELECT sum(cents) FROM parquet_scan('stations/*/*.parquet', hive_partitioning = true) WHERE year > 2024",
    ];
    let mut right = Vec::new();
    for sql in queries {
        right.push(lines(&here.query(sql).await.unwrap()));
    }
    drop(here);
    let polarway = far(&folder, |_| {}, anything).await;
    for (sql, right) in queries.iter().zip(&right) {
        for _ in 0..2 {
            assert_eq!(&lines(&polarway.query(sql).await.unwrap()), right, "{sql}");
        }
    }
    for format in ["", "ANALYZE ", "(FORMAT JSON) "] {
        let plan =
            lines(&polarway.query(&format!("EXPLAIN {format}SELECT year FROM stations")).await.unwrap());
        assert!(!plan.concat().contains("polarway:"), "{plan:?}");
    }
}

#[tokio::test]
async fn an_adopted_file_that_changes_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let here = Polarway::open(config(&folder)).await.unwrap();
    let put = |name: &str| {
        let stored = newest(&folder.path().join("cold").join(name).join("_polarway/data"));
        fs::copy(stored, folder.path().join("cold/adopted.parquet")).unwrap();
    };
    here.store("one", trades(&[("A", 1)])).await.unwrap();
    here.store("two", trades(&[("A", 2)])).await.unwrap();
    put("one");
    drop(here);
    let polarway = far(&folder, |_| {}, anything).await;
    for (name, cents) in [("one", "1"), ("two", "2"), ("one", "1")] {
        put(name);
        assert_eq!(lines(&polarway.query("SELECT cents FROM adopted").await.unwrap()), [cents], "{name}");
    }
}

#[tokio::test]
async fn a_column_that_is_damaged_is_an_error_of_the_queries_that_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = Polarway::open(config(&folder)).await.unwrap();
    here.store("t", noise(4, 50_000)).await.unwrap();
    drop(here);
    let file = newest(&folder.path().join("cold/t/_polarway/data"));
    let mut bytes = fs::read(&file).unwrap();
    bytes[100_000] ^= 1; // in the first column
    fs::write(&file, bytes).unwrap();
    let polarway = far(&folder, |_| {}, anything).await;
    polarway.query("SELECT sum(c1), sum(c3) FROM t").await.unwrap();
    let error = polarway.query("SELECT sum(c0) FROM t").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains("dataset t"), "{error}");
    let unchecked = far(&folder, |config| config.check_bytes = 0, anything).await;
    unchecked.query("SELECT sum(c0) FROM t").await.unwrap();
}

#[tokio::test]
async fn a_text_can_not_name_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let reads = Arc::clone(&seen);
    let on_read = move |offset, _| {
        reads.lock().unwrap().push(offset);
        Ok(())
    };
    let polarway = far(&folder, |_| {}, on_read).await;
    for text in [
        "FROM 'polarway://0/data.parquet'",
        "SELECT * FROM read_parquet('polarway://0/data.parquet')",
        "SELECT * FROM read_text('polarway://0/data.parquet')",
        "SELECT * FROM glob('polarway://*')",
    ] {
        let error = polarway.query(text).await.unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::QueryNotAllowed | ErrorKind::UnknownDataset | ErrorKind::InvalidQuery
            ),
            "{text}: {error}"
        );
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_space_on_disk_is_bounded_and_goes_with_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let polarway = far(&folder, |config| config.mirror_bytes = 1 << 20, anything).await;
    polarway.store("t", noise(10, 1_000_000)).await.unwrap();
    let sums: Vec<_> = (0..10).map(|column| format!("sum(c{column})")).collect();
    let sql = format!("SELECT {} FROM t", sums.join(", "));
    assert_eq!(lines(&polarway.query(&sql).await.unwrap()), lines(&polarway.query(&sql).await.unwrap()));
    let workspace = fs::read_dir(folder.path().join("tmp")).unwrap().next().unwrap().unwrap().path();
    let ranges = workspace.join("ranges/ranges");
    assert!(ranges.metadata().unwrap().len() <= 1 << 20);
    drop(polarway);
    until(|| !ranges.exists()).await;
}

/// The file with the last name: names begin with a time.
fn newest(folder: &Path) -> std::path::PathBuf {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap()
}
