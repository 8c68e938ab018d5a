//! Real Parquet files in a temporary folder, and the simplest catalog over them.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod files;
pub(crate) mod stream;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, StructArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, SchemaRef};
use files::{OnThisMachine, relation};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polarway_query::{
    At, Catalog, CatalogError, Engine, EngineConfig, Error, Listed, QueryOptions, Reference, Relation,
};
use stream::QueryStream;
use tempfile::TempDir;

/// Version 1 existed from this time on, version 2 a minute later, and so on. 2026-01-01 in microseconds.
pub(crate) const FIRST_COMMIT: i64 = 1_767_225_600_000_000;
pub(crate) const MINUTE: i64 = 60_000_000;

#[derive(Clone)]
struct Version {
    files: Vec<PathBuf>,
    schema: SchemaRef,
}

/// Datasets with versions, and a cold tier below `cold`.
pub(crate) struct Folder {
    root: PathBuf,
    versions: Mutex<BTreeMap<String, Vec<Version>>>,
    /// How often the engine asked.
    pub(crate) resolved: AtomicUsize,
}

impl Folder {
    fn find(&self, name: &str, at: At) -> Result<Relation, CatalogError> {
        let versions = self.versions.lock().unwrap();
        let found = versions.get(name).or_else(|| {
            versions.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, versions)| versions)
        });
        let Some(found) = found else {
            let nearest =
                versions.keys().filter(|known| known.as_bytes()[0] == name.as_bytes()[0]).cloned().collect();
            return Err(CatalogError::UnknownDataset { name: name.to_owned(), nearest });
        };
        let number = match at {
            At::Newest => found.len(),
            At::Version(number) => number as usize,
            At::TimeUs(micros) if micros < FIRST_COMMIT => 0,
            At::TimeUs(micros) => found.len().min(((micros - FIRST_COMMIT) / MINUTE + 1) as usize),
        };
        let version = number.checked_sub(1).and_then(|index| found.get(index));
        let version = version.ok_or_else(|| CatalogError::UnknownVersion {
            name: name.to_owned(),
            version: format!("{at:?}"),
            hint: format!("its versions are 1 to {}", found.len()),
        })?;
        Ok(relation(&version.files, Arc::clone(&version.schema)))
    }

    fn files(&self, patterns: &[String]) -> Result<Relation, CatalogError> {
        let mut files = Vec::new();
        for pattern in patterns {
            let path =
                self.root.join("cold").join(pattern.trim_start_matches("/cold").trim_start_matches('/'));
            let name = path.file_name().unwrap().to_str().unwrap();
            let (start, end) = name.split_once('*').unwrap_or((name, ""));
            let mut matching: Vec<PathBuf> = std::fs::read_dir(path.parent().unwrap())
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().path())
                .filter(|path| {
                    let file = path.file_name().unwrap().to_str().unwrap();
                    file == name || (name.contains('*') && file.starts_with(start) && file.ends_with(end))
                })
                .collect();
            matching.sort();
            if matching.is_empty() {
                return Err(CatalogError::NoFiles { pattern: pattern.clone() });
            }
            files.extend(matching);
        }
        let schema = stored_schema(&files[0]);
        Ok(relation(&files, schema))
    }
}

impl Catalog for Folder {
    fn sees_analytics(&self, _schema: &str, _table: &str) -> bool {
        true
    }

    fn resolve(&self, references: &[Reference]) -> Result<Vec<Relation>, CatalogError> {
        self.resolved.fetch_add(1, Ordering::SeqCst);
        references
            .iter()
            .map(|reference| match reference {
                Reference::Dataset { name, at } => self.find(name, *at),
                Reference::Files { patterns, .. } => self.files(patterns),
            })
            .collect()
    }

    fn list(&self) -> Result<Vec<Listed>, CatalogError> {
        let versions = self.versions.lock().unwrap();
        let newest = |versions: &Vec<Version>| Arc::clone(&versions.last().unwrap().schema);
        Ok(versions
            .iter()
            .map(|(name, of_name)| Listed { name: name.clone(), schema: newest(of_name) })
            .collect())
    }
}

/// An engine over a folder of its own.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) engine: Engine,
    pub(crate) folder: Arc<Folder>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("data");
        std::fs::create_dir_all(root.join("cold")).unwrap();
        let mut config = EngineConfig::new(vec![root.clone()], dir.path().join("temp"));
        config.threads = 2;
        change(&mut config);
        let engine = Engine::open(config, Arc::new(OnThisMachine)).unwrap();
        let folder = Arc::new(Folder { root, versions: Mutex::default(), resolved: AtomicUsize::new(0) });
        Self { dir, engine, folder }
    }

    pub(crate) fn cold(&self) -> PathBuf {
        self.folder.root.join("cold")
    }

    /// Stores a next version made of one file per batch.
    pub(crate) fn store(&self, name: &str, batches: &[RecordBatch]) {
        let mut versions = self.folder.versions.lock().unwrap();
        let of_name = versions.entry(name.to_owned()).or_default();
        let folder = self.folder.root.join(format!("set{}", name.len())).join(of_name.len().to_string());
        let files = batches.iter().enumerate().map(|(index, batch)| {
            let file = folder.join(format!("{name}-{index}.parquet"));
            write(&file, batch);
            file
        });
        let version = Version { files: files.collect(), schema: batches[0].schema() };
        of_name.push(version);
    }

    /// Stores a next version without files.
    pub(crate) fn store_empty(&self, name: &str, schema: SchemaRef) {
        let mut versions = self.folder.versions.lock().unwrap();
        versions.entry(name.to_owned()).or_default().push(Version { files: Vec::new(), schema });
    }

    /// Stores a table `breaking`, with a column `v`, over the file that breaks DuckDB.
    pub(crate) fn store_breaking(&self) {
        let fields =
            ["metadata", "typed_value"].map(|name| Arc::new(Field::new(name, DataType::Binary, false)));
        let bytes = || Arc::new(BinaryArray::from(vec![b"".as_slice()])) as ArrayRef;
        let variant = StructArray::new(fields.to_vec().into(), vec![bytes(), bytes()], None);
        self.store("breaking", &[batch(vec![("v", Arc::new(variant) as ArrayRef)])]);
        std::fs::write(&self.files("breaking")[0], polarway_testing::BREAKING_FILE).unwrap();
    }

    /// Starts a query and waits for its columns.
    pub(crate) fn start(&self, sql: &str, options: QueryOptions) -> Result<QueryStream, Error> {
        self.start_over(Arc::clone(&self.folder) as Arc<dyn Catalog>, sql, options)
    }

    pub(crate) fn start_over(
        &self,
        catalog: Arc<dyn Catalog>,
        sql: &str,
        options: QueryOptions,
    ) -> Result<QueryStream, Error> {
        let (sink, events) = stream::channel();
        let interrupt = self.engine.start(sql, catalog, options, Box::new(sink))?;
        QueryStream::open(events, interrupt)
    }

    pub(crate) fn query(&self, sql: &str) -> Result<RecordBatch, Error> {
        self.query_with(Arc::clone(&self.folder) as Arc<dyn Catalog>, sql)
    }

    pub(crate) fn query_with(&self, catalog: Arc<dyn Catalog>, sql: &str) -> Result<RecordBatch, Error> {
        all_of(self.start_over(catalog, sql, QueryOptions::default())?)
    }

    pub(crate) fn query_as(&self, sql: &str, options: QueryOptions) -> Result<RecordBatch, Error> {
        all_of(self.start(sql, options)?)
    }

    /// The result as the text of its rows, values apart by `|`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows_of(&self.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}")))
    }

    pub(crate) fn error(&self, sql: &str) -> Error {
        match self.query(sql) {
            Ok(batch) => panic!("{sql} gave {:?}", rows_of(&batch)),
            Err(error) => error,
        }
    }

    /// The newest files of a dataset.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        self.folder.versions.lock().unwrap()[name].last().unwrap().files.clone()
    }
}

pub(crate) fn rows_of(batch: &RecordBatch) -> Vec<String> {
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    let options = FormatOptions::default().with_null("NULL");
    // Printing in a named zone takes a time zone database, the numbers are UTC.
    let unzoned = |column: &ArrayRef| match column.data_type() {
        DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, None)).unwrap(),
        _ => Arc::clone(column),
    };
    let columns: Vec<ArrayRef> = batch.columns().iter().map(unzoned).collect();
    let columns: Vec<_> =
        columns.iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options).unwrap()).collect();
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
        .collect()
}

/// All rows of a result.
fn all_of(stream: QueryStream) -> Result<RecordBatch, Error> {
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = stream.collect::<Result<_, _>>()?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

pub(crate) fn write(file: &Path, batch: &RecordBatch) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

pub(crate) fn stored_schema(file: &Path) -> SchemaRef {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap()).unwrap();
    Arc::clone(builder.schema())
}

pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}
