//! Three engines in this process, over one folder, each with a worker.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use polarway_core::{
    AccessPolicy, Config, EngineChoice, EngineUsed, Error, HandleStoreKind, Polarway, QueryOptions,
    QuerySummary, Table, WriteMode, WriteOptions,
};
use polarway_distributed::{
    Channels, Coordinator, Credentials, Identity, PeerSource, Peers, Spread, Token, Worker, WorkerLimits,
    WorkerOptions,
};
use polarway_query::PlanFiles;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use url::Url;

/// Rows of a table of trades, in each of its files.
pub(crate) const ROWS_OF_A_FILE: i64 = 4_000;
pub(crate) const FILES: i64 = 4;

/// An engine and its worker.
pub(crate) struct Member {
    pub(crate) engine: Polarway,
    pub(crate) worker: Worker,
    pub(crate) files: Arc<dyn PlanFiles>,
    url: Url,
    _stop: oneshot::Sender<()>,
}

/// The engines, and their folder.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Member>,
    folder: TempDir,
}

impl Fleet {
    pub(crate) async fn start() -> Self {
        Self::with(3, |_| {}, None).await
    }

    /// So many engines, with another configuration or a policy.
    pub(crate) async fn with(
        engines: usize,
        change: impl Fn(&mut Config),
        policy: Option<Arc<dyn AccessPolicy>>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut members = Vec::new();
        let mut seams = Vec::new();
        for number in 0..engines {
            let cold = cold_folder(&folder);
            let mut config = Config::new(folder.path().join(format!("worker-{number}"))).with_cold_tier(cold);
            config.janitor_interval = None;
            config.handles.store = HandleStoreKind::External;
            config.handles.state = state_folder(&folder).to_str().unwrap().parse().unwrap();
            change(&mut config);
            let mut builder = Polarway::builder(config);
            if let Some(policy) = &policy {
                builder = builder.access_policy(Arc::clone(policy));
            }
            let engine = builder.open().await.unwrap();
            let seam = engine.distribution().unwrap();
            assert!(engine.distribution().is_none());
            let token = Token::new("0123456789abcdef").unwrap();
            let options = WorkerOptions {
                identity: Identity { version: "test".to_owned(), storage: seam.storage().to_owned() },
                token: Some(token.clone()),
                files: seam.files(),
                result_files: seam.result_files(),
                functions: polarway_distributed::functions(),
                spread: Spread { partitions: 2, bytes_per_partition: 1, bytes_of_each_task: 0 },
                limits: WorkerLimits::default(),
                spill_folder: seam.spill_folder(),
            };
            let channels = Channels::new(&Credentials { token: Some(token), tls: None }).unwrap();
            let worker = Worker::open(options, Arc::new(channels)).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            let serving = worker.clone();
            tokio::spawn(async move {
                serving.serve(listener, None, async { drop(stopped.await) }).await.unwrap();
            });
            members.push(Member { engine, worker, files: seam.files(), url, _stop: stop });
            seams.push(seam);
        }
        let urls: Vec<Url> = members.iter().map(|member| member.url.clone()).collect();
        for (member, seam) in members.iter().zip(&seams) {
            let peers = Peers::new(&member.worker, PeerSource::List(urls.clone()));
            peers.refresh().await;
            assert_eq!(peers.ready().len(), engines, "{:?}", peers.all());
            let coordinator = Coordinator::new(member.worker.clone(), peers, Handle::current(), engines);
            seam.set_executor(Arc::new(coordinator)).unwrap();
        }
        Self { members, folder }
    }

    /// The engine that is asked.
    pub(crate) fn engine(&self) -> &Polarway {
        &self.members[0].engine
    }

    /// The folder of the datasets.
    pub(crate) fn cold(&self) -> PathBuf {
        cold_folder(&self.folder)
    }

    /// The folder of the handles.
    pub(crate) fn state(&self) -> PathBuf {
        state_folder(&self.folder)
    }

    /// Stores `trades`, in several files, with the last engine.
    pub(crate) async fn store_trades(&self) {
        for file in 0..FILES {
            let mode = if file == 0 { WriteMode::Create } else { WriteMode::Append };
            let stored = self.members[self.members.len() - 1]
                .engine
                .store_with("trades", trades(file), WriteOptions::new(mode))
                .await;
            stored.unwrap();
        }
    }

    /// Waits until nothing of any query is left on any worker.
    pub(crate) async fn idle(&self) {
        let since = Instant::now();
        for member in &self.members {
            while !member.worker.status().is_idle() {
                assert!(since.elapsed() < Duration::from_secs(60), "{:?}", member.worker.status());
                tokio::task::yield_now().await;
            }
        }
    }
}

fn state_folder(folder: &TempDir) -> PathBuf {
    folder.path().join("state")
}

fn cold_folder(folder: &TempDir) -> PathBuf {
    folder.path().join("cold")
}

/// The rows of one file.
pub(crate) fn trades(file: i64) -> RecordBatch {
    let numbers = || (file * ROWS_OF_A_FILE)..((file + 1) * ROWS_OF_A_FILE);
    let symbols: StringArray =
        numbers().map(|n| (n % 11 != 0).then(|| ["BTC", "ETH", "SOL", "ADA"][(n % 4) as usize])).collect();
    let cents: Int64Array = numbers().map(|n| (n % 13 != 0).then_some(n * 7 % 1_000)).collect();
    let sizes: Float64Array =
        numbers().map(|n| Some(if n % 500 == 0 { f64::NAN } else { n as f64 / 4.0 })).collect();
    let days: Date32Array = numbers().map(|n| Some((n % 365) as i32)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(numbers().collect::<Int64Array>()) as _, true),
        ("symbol", Arc::new(symbols) as _, true),
        ("cents", Arc::new(cents) as _, true),
        ("size", Arc::new(sizes) as _, true),
        ("day", Arc::new(days) as _, true),
    ])
    .unwrap()
}

pub(crate) fn on(engine: EngineChoice) -> QueryOptions {
    QueryOptions { engine, ..QueryOptions::default() }
}

/// A table, and what its query did.
pub(crate) async fn ask(
    engine: &Polarway,
    sql: &str,
    options: QueryOptions,
) -> Result<(Table, QuerySummary), Error> {
    use futures::StreamExt as _;

    let mut stream = engine.query_stream_with(sql, options).await?;
    let schema = Arc::clone(stream.schema());
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        batches.push(batch?);
    }
    let summary = stream.summary().unwrap();
    Ok((Table::new(schema, batches), summary))
}

/// The rows of a table as text.
pub(crate) fn rows(table: &Table) -> Vec<String> {
    let mut rows = Vec::new();
    for batch in table.batches() {
        for row in 0..batch.num_rows() {
            let mut text = String::new();
            for column in batch.columns() {
                let value = arrow::util::display::array_value_to_string(column, row).unwrap();
                write!(text, "{}{value}|", if column.is_null(row) { "NULL" } else { "" }).unwrap();
            }
            rows.push(text);
        }
    }
    rows
}

/// Why a query ran on one worker.
pub(crate) fn reason(summary: &QuerySummary) -> Option<&str> {
    match &summary.engine {
        EngineUsed::Local { reason } => reason.as_deref(),
        EngineUsed::Distributed { .. } => None,
    }
}
