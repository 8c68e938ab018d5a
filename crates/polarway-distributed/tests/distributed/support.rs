//! Workers in this process, and tables in a folder that all of them read.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use polarway_distributed::{
    Channels, Credentials, Error, Identity, PinnedFile, PinnedFiles, PlanFiles, Query, Spread, StoredScan,
    Token, Worker, WorkerLimits, WorkerOptions, functions,
};
use polarway_model::DatasetName;
use polarway_query::{CatalogError, FileGroup, FileReference, RemoteFile, RemoteReadError, StoredTable};
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

pub(crate) const TOKEN: &str = "0123456789abcdef";

/// The files of a folder, as a worker opens them.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    root: PathBuf,
    /// How many files were opened.
    pub(crate) opened: AtomicUsize,
    /// While it is set, reads wait until they are cancelled.
    pub(crate) is_stuck: AtomicBool,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    bytes: u64,
    folder: Arc<Folder>,
}

impl Folder {
    pub(crate) fn at(root: &Path) -> Arc<Self> {
        Arc::new(Self { root: root.to_owned(), ..Self::default() })
    }
}

/// The same, as the trait wants it.
#[derive(Debug)]
pub(crate) struct Files(pub Arc<Folder>);

impl PlanFiles for Files {
    fn allow(&self, file: &PinnedFile) -> Result<(), String> {
        let place = format!("{}/_polarway/data/", file.dataset);
        file.path.starts_with(&place).then_some(()).ok_or_else(|| "it is no data file".to_owned())
    }

    fn open(&self, file: &PinnedFile) -> Result<Arc<dyn RemoteFile>, CatalogError> {
        let failed = |error: std::io::Error| CatalogError::Failed {
            kind: polarway_query::ErrorKind::StorageFailed,
            source: error.into(),
        };
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        let opened = File::open(self.0.root.join(&file.path)).map_err(failed)?;
        Ok(Arc::new(OpenFile { file: opened, bytes: file.bytes, folder: Arc::clone(&self.0) }))
    }
}

impl RemoteFile for OpenFile {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn tag(&self) -> &str {
        "one"
    }

    fn read(
        &self,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), RemoteReadError> {
        while self.folder.is_stuck.load(Ordering::SeqCst) {
            if is_cancelled() {
                return Err(RemoteReadError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.file.read_exact_at(into, offset).map_err(|error| {
            RemoteReadError::Failed(CatalogError::Failed {
                kind: polarway_query::ErrorKind::StorageFailed,
                source: error.into(),
            })
        })
    }
}

/// A folder with tables.
pub(crate) struct Tables {
    pub(crate) folder: TempDir,
}

impl Tables {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Stores batches, each as a file of its own with row groups of so many rows.
    pub(crate) fn store(&self, name: &str, batches: &[RecordBatch], row_group: usize) -> StoredTable {
        let place = self.root().join(name).join("_polarway/data");
        fs::create_dir_all(&place).unwrap();
        for (number, batch) in batches.iter().enumerate() {
            let path = place.join(format!("{number}.parquet"));
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(row_group)).build();
            let file = File::create(&path).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
            writer.write(batch).unwrap();
            writer.close().unwrap();
        }
        found(self.root(), name, &batches[0].schema())
    }
}

/// A table that was stored, as another process finds it.
pub(crate) fn found(root: &Path, name: &str, schema: &SchemaRef) -> StoredTable {
    let place = format!("{name}/_polarway/data");
    let mut files = Vec::new();
    for number in 0.. {
        let path = format!("{place}/{number}.parquet");
        let Ok(file) = File::open(root.join(&path)) else { break };
        let bytes = file.metadata().unwrap().len();
        let rows = SerializedFileReader::new(file).unwrap().metadata().file_metadata().num_rows();
        files.push(FileReference { path, bytes, rows: rows.try_into().unwrap(), foreign: None });
    }
    let group = FileGroup::new(DatasetName::new(name).unwrap(), 1, files, Arc::clone(schema));
    StoredTable { schema: Arc::clone(schema), files: vec![group], is_result: false }
}

/// A worker in this process.
pub(crate) struct Peer {
    pub(crate) worker: Worker,
    pub(crate) url: Url,
    pub(crate) files: Arc<Folder>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    spill: TempDir,
}

pub(crate) fn identity() -> Identity {
    Identity { version: "test".to_owned(), storage: "folder".to_owned() }
}

/// Each file is its own task, as far as there are workers, and is read by no other one.
pub(crate) fn forced() -> Spread {
    Spread { partitions: 2, bytes_per_partition: 1, bytes_of_each_task: 0 }
}

pub(crate) fn credentials() -> Credentials {
    Credentials { token: Some(Token::new(TOKEN).unwrap()), tls: None }
}

impl Peer {
    pub(crate) async fn start(root: &Path) -> Self {
        Self::with(root, identity(), WorkerLimits::default()).await
    }

    pub(crate) async fn with(root: &Path, identity: Identity, limits: WorkerLimits) -> Self {
        Self::spreading(root, identity, limits, forced()).await
    }

    async fn spreading(root: &Path, identity: Identity, limits: WorkerLimits, spread: Spread) -> Self {
        let files = Folder::at(root);
        let spill = tempfile::tempdir().unwrap();
        let options = WorkerOptions {
            identity,
            token: Some(Token::new(TOKEN).unwrap()),
            files: Arc::new(Files(Arc::clone(&files))),
            result_files: None,
            functions: functions(),
            spread,
            limits,
            spill_folder: spill.path().to_owned(),
        };
        let channels = Arc::new(Channels::new(&credentials()).unwrap());
        let worker = Worker::open(options, channels).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = worker.clone();
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serving.serve(listener, None, stopped).await.unwrap();
        });
        Self { worker, url, files, stop: Some(stop), spill }
    }

    /// Where it spills.
    pub(crate) fn spill(&self) -> &Path {
        self.spill.path()
    }

    /// Waits until nothing of any query is left on it, and returns how long that took.
    pub(crate) async fn idle(&self) -> Duration {
        let started = Instant::now();
        while !self.worker.status().is_idle() {
            assert!(started.elapsed() < Duration::from_secs(30), "{:?}", self.worker.status());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        started.elapsed()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

pub(crate) async fn fleet(root: &Path, workers: usize) -> Vec<Peer> {
    fleet_spreading(root, workers, forced()).await
}

pub(crate) async fn fleet_spreading(root: &Path, workers: usize, spread: Spread) -> Vec<Peer> {
    let mut peers = Vec::new();
    for _ in 0..workers {
        peers.push(Peer::spreading(root, identity(), WorkerLimits::default(), spread).await);
    }
    peers
}

pub(crate) fn urls(peers: &[Peer]) -> Vec<Url> {
    peers.iter().map(|peer| peer.url.clone()).collect()
}

/// A query of some tables.
pub(crate) struct Plans {
    pub(crate) files: PinnedFiles,
}

impl Plans {
    pub(crate) fn new() -> Self {
        Self { files: PinnedFiles::default() }
    }

    pub(crate) fn scan(&mut self, name: &str, table: &StoredTable) -> LogicalPlanBuilder {
        let scan = StoredScan::new(table, &mut self.files).unwrap();
        LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(scan)), None).unwrap()
    }

    pub(crate) fn query(self, plan: LogicalPlan) -> Query {
        let deadline = Instant::now() + Duration::from_secs(60);
        let id = uuid::Uuid::now_v7();
        Query {
            plan,
            files: self.files,
            memory_bytes: 256 << 20,
            deadline,
            id,
            call: None,
            is_analyzed: false,
            kept: None,
        }
    }
}

/// All rows of a query.
pub(crate) async fn collect(peer: &Peer, query: Query, workers: Vec<Url>) -> Result<Vec<RecordBatch>, Error> {
    let mut rows = peer.worker.run(query, workers);
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}
