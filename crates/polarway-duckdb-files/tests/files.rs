//! A real DuckDB that reads files through Rust.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod duckdb;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use duckdb::DuckDb;
use polarway_duckdb_files::{Files, OpenError, OpenFile, ReadError, RunningQuery};

/// Files in memory, by their paths without the prefix.
#[derive(Debug, Default)]
struct InMemory(HashMap<String, Arc<InMemoryFile>>);

#[derive(Debug)]
struct InMemoryFile {
    bytes: Vec<u8>,
    behaviour: Behaviour,
    reads: AtomicUsize,
}

#[derive(Debug)]
enum Behaviour {
    Reads,
    Fails(&'static str),
    Panics,
    /// Never answers, and says that it was asked.
    Hangs(Arc<AtomicBool>),
    OpensNot(&'static str),
}

impl InMemory {
    fn with(path: &str, bytes: Vec<u8>, behaviour: Behaviour) -> (Arc<Self>, Arc<InMemoryFile>) {
        let file = Arc::new(InMemoryFile { bytes, behaviour, reads: AtomicUsize::new(0) });
        (Arc::new(Self([(path.to_owned(), Arc::clone(&file))].into())), file)
    }
}

impl Files for InMemory {
    fn open(&self, path: &str) -> Result<Arc<dyn OpenFile>, OpenError> {
        let path = path.strip_prefix(PREFIX).expect("only paths with the prefix come here");
        let file = self.0.get(path).ok_or(OpenError::Absent)?;
        match file.behaviour {
            Behaviour::OpensNot(why) => Err(OpenError::Failed(why.to_owned())),
            _ => Ok(Arc::clone(file) as _),
        }
    }
}

impl OpenFile for InMemoryFile {
    fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn version(&self) -> &str {
        "1"
    }

    fn read_at(&self, offset: u64, into: &mut [u8], query: &RunningQuery<'_>) -> Result<(), ReadError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        match &self.behaviour {
            Behaviour::Fails(why) => Err(ReadError::Failed((*why).to_owned())),
            Behaviour::Panics => panic!("out of order"),
            Behaviour::Hangs(is_asked) => {
                is_asked.store(true, Ordering::Release);
                while !query.is_interrupted() {
                    std::thread::yield_now();
                }
                Err(ReadError::Interrupted)
            }
            Behaviour::Reads | Behaviour::OpensNot(_) => {
                let start = offset as usize;
                let bytes = self.bytes.get(start..start + into.len());
                let bytes = bytes.ok_or_else(|| ReadError::Failed("behind the end".to_owned()))?;
                into.copy_from_slice(bytes);
                Ok(())
            }
        }
    }
}

const PREFIX: &str = "test://";

/// A Parquet file of 300,000 rows in several row groups.
fn parquet() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.parquet");
    let database = DuckDb::open();
    let select = "SELECT i, i * 2 AS double, 'text ' || i AS text FROM range(300000) t(i)";
    let copy = format!("COPY ({select}) TO '{}' (FORMAT parquet, ROW_GROUP_SIZE 20480)", path.display());
    database.run(&copy).unwrap();
    std::fs::read(&path).unwrap()
}

fn with_file(behaviour: Behaviour) -> (DuckDb, Arc<InMemoryFile>) {
    let (files, file) = InMemory::with("numbers.parquet", parquet(), behaviour);
    let database = DuckDb::open();
    database.register(PREFIX, files).unwrap();
    (database, file)
}

#[test]
fn a_parquet_file_is_read_by_ranges_with_the_right_rows() {
    let (database, file) = with_file(Behaviour::Reads);
    let sum = database.value("SELECT sum(double) || ' ' || count(*) FROM 'test://numbers.parquet'").unwrap();
    assert_eq!(sum, "89999700000 300000");
    let text = database.value("SELECT text FROM 'test://numbers.parquet' WHERE i = 299999").unwrap();
    assert_eq!(text, "text 299999");
    assert!(file.reads.load(Ordering::Relaxed) > 15, "one read per row group at least");
}

#[test]
fn a_text_file_is_read_from_its_start_to_its_end() {
    let lines: String = (0..50_000).map(|line| format!("{line},{}\n", line * 3)).collect();
    let (files, _) = InMemory::with("lines.csv", lines.into_bytes(), Behaviour::Reads);
    let database = DuckDb::open();
    database.register(PREFIX, files).unwrap();
    let sum =
        database.value("SELECT sum(column1) FROM read_csv('test://lines.csv', header = false)").unwrap();
    assert_eq!(sum, "3749925000");
}

#[test]
fn values_in_the_names_of_folders_become_columns() {
    let (files, _) = InMemory::with("a/year=2024/x.parquet", parquet(), Behaviour::Reads);
    let database = DuckDb::open();
    database.register(PREFIX, files).unwrap();
    let scan = "read_parquet('test://a/year=2024/x.parquet', hive_partitioning = true)";
    assert_eq!(database.value(&format!("SELECT min(year) FROM {scan}")).unwrap(), "2024");
}

#[test]
fn a_file_that_is_absent_or_can_not_be_opened_is_an_error_that_says_so() {
    let (database, _) = with_file(Behaviour::OpensNot("the bucket is closed today"));
    let error = database.value("SELECT count(*) FROM 'test://numbers.parquet'").unwrap_err();
    assert!(error.contains("the bucket is closed today"), "{error}");
    let error = database.value("SELECT count(*) FROM 'test://other.parquet'").unwrap_err();
    assert!(error.contains("test://other.parquet"), "{error}");
    let error = database.value("SELECT count(*) FROM 'test://*.parquet'").unwrap_err();
    assert!(error.contains("test://*.parquet"), "{error}");
    assert_eq!(database.value("SELECT 42").unwrap(), "42");
}

#[test]
fn a_read_that_fails_or_panics_is_an_error_with_its_text_and_the_database_goes_on() {
    for (behaviour, text) in [
        (Behaviour::Fails("100 % of the bytes are gone"), "100 % of the bytes are gone"),
        (Behaviour::Panics, "out of order"),
    ] {
        let (database, _) = with_file(behaviour);
        let error = database.value("SELECT sum(i) FROM 'test://numbers.parquet'").unwrap_err();
        assert!(error.starts_with("IO Error: ") && error.contains(text), "{error}");
        assert_eq!(database.value("SELECT 42").unwrap(), "42");
    }
}

#[test]
fn a_long_message_arrives_cut_and_whole_in_its_characters() {
    let (database, _) = with_file(Behaviour::Fails("ä".repeat(10_000).leak()));
    let error = database.value("SELECT sum(i) FROM 'test://numbers.parquet'").unwrap_err();
    assert!(error.len() > 1_000 && error.len() < 3_000 && error.contains("ää"), "{}", error.len());
}

#[test]
fn interrupting_a_query_ends_its_reads() {
    let is_asked = Arc::new(AtomicBool::new(false));
    let (database, _) = with_file(Behaviour::Hangs(Arc::clone(&is_asked)));
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_asked.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            database.interrupt();
        });
        database.value("SELECT sum(i) FROM 'test://numbers.parquet'").unwrap_err()
    });
    assert!(error.starts_with("INTERRUPT"), "{error}");
    assert_eq!(database.value("SELECT 42").unwrap(), "42");
}

#[test]
fn nothing_can_be_written_or_removed() {
    let (database, _) = with_file(Behaviour::Reads);
    for path in ["test://numbers.parquet", "test://new.parquet"] {
        let error = database.run(&format!("COPY (SELECT 1) TO '{path}' (USE_TMP_FILE false)")).unwrap_err();
        assert!(error.contains("can only be read"), "{error}");
    }
}

#[test]
fn a_sandbox_that_allows_the_prefix_allows_nothing_else() {
    let (database, _) = with_file(Behaviour::Reads);
    database.run("SET allowed_directories = ['test://']").unwrap();
    database.run("SET enable_external_access = false").unwrap();
    assert_eq!(database.value("SELECT count(*) FROM 'test://numbers.parquet'").unwrap(), "300000");
    for path in ["/etc/hostname", "test:/../etc/hostname"] {
        let error = database.value(&format!("SELECT content FROM read_text('{path}')")).unwrap_err();
        assert!(error.starts_with("Permission Error"), "{path}: {error}");
    }
    // These are paths with the prefix, under which there is no such file.
    for path in ["test://../etc/hostname", "test://../../../etc/hostname", "test:///etc/hostname"] {
        let read = database.value(&format!("SELECT content FROM read_text('{path}')"));
        assert!(read.as_ref().is_err() || read.as_ref().is_ok_and(String::is_empty), "{path}: {read:?}");
    }
}

#[test]
fn a_second_file_system_with_the_same_name_is_refused_and_released() {
    let (database, _) = with_file(Behaviour::Reads);
    let (files, _) = InMemory::with("x", Vec::new(), Behaviour::Reads);
    let held = Arc::downgrade(&files);
    let error = database.register(PREFIX, files).unwrap_err().to_string();
    assert!(error.contains("already been registered"), "{error}");
    assert!(is_gone(&held));
}

#[test]
fn closing_the_database_releases_the_files() {
    let (files, _) = InMemory::with("x", Vec::new(), Behaviour::Reads);
    let held = Arc::downgrade(&files);
    let database = DuckDb::open();
    database.register(PREFIX, files).unwrap();
    assert!(!is_gone(&held));
    drop(database);
    assert!(is_gone(&held));
}

fn is_gone(held: &Weak<InMemory>) -> bool {
    held.strong_count() == 0
}
