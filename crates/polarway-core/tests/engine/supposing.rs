//! Queries over what was the newest version a moment ago, while a storage that is far away is asked for a newer one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use polarway_core::components::{Backend, BackendResult};
use polarway_core::{Config, ErrorKind, Polarway};
use tempfile::TempDir;

use crate::forward::forward;
use crate::support::{config, lines, trades};

/// Called with the path of each small file before it is read.
type OnGet = dyn Fn(&str) + Send + Sync;

/// A storage that is far away, whose small files a test watches.
struct FarAway {
    inner: Arc<dyn Backend>,
    on_get: Arc<OnGet>,
}

impl std::fmt::Debug for FarAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FarAway").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for FarAway {
    forward!(
        head,
        list,
        open,
        open_lazily,
        open_pinned,
        begin_to_open,
        create_data,
        create_commit,
        create_freeing_commit,
        settle_commit,
        replace,
        copy_data,
        copy_pinned,
        remove,
        remove_all,
        remove_unfinished,
        remove_empty_folder,
        pause_before_retry,
        check_removable,
        check,
        probe,
        now_us,
        about_now_us
    );

    fn get(&self, path: &str) -> BackendResult<Option<Bytes>> {
        (self.on_get)(path);
        self.inner.get(path)
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }
}

async fn far(
    folder: &TempDir,
    change: impl FnOnce(&mut Config),
    on_get: impl Fn(&str) + Send + Sync + 'static,
) -> Polarway {
    let mut config = config(folder);
    change(&mut config);
    let on_get: Arc<OnGet> = Arc::new(on_get);
    let layer = move |inner| Arc::new(FarAway { inner, on_get: Arc::clone(&on_get) }) as Arc<dyn Backend>;
    Polarway::builder(config).storage_layer(layer).open().await.unwrap()
}

const TOTAL: &str = "SELECT count(*) AS trades, sum(cents)::BIGINT AS cents FROM trades";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_query_again_runs_while_the_storage_is_asked_for_a_newer_version() {
    let folder = tempfile::tempdir().unwrap();
    let here = Polarway::open(config(&folder)).await.unwrap();
    here.store("trades", trades(&[("BTC", 5)])).await.unwrap();
    let engine = Arc::new(OnceLock::<Polarway>::new());
    let (looks, asking) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&engine));
    let counted = Arc::clone(&looks);
    let on_get = move |path: &str| {
        let Some(engine) = asking.get().filter(|_| path.contains("trades/_polarway/commits")) else { return };
        counted.fetch_add(1, Ordering::SeqCst);
        let end = Instant::now() + Duration::from_secs(60);
        while !engine.queries().unwrap().iter().any(|query| query.summary.times.running > Duration::ZERO) {
            assert!(Instant::now() < end, "no query runs while the storage is asked");
            std::thread::yield_now();
        }
    };
    let polarway = far(&folder, |_| {}, on_get).await;
    assert_eq!(lines(&polarway.query(TOTAL).await.unwrap()), ["1,5"]);
    engine.set(polarway.clone()).unwrap_or_else(|_| unreachable!());
    let mut again = polarway.query_stream(TOTAL).await.unwrap();
    let row = futures::StreamExt::next(&mut again).await.unwrap().unwrap();
    assert_eq!(row.num_rows(), 1);
    assert!(futures::StreamExt::next(&mut again).await.is_none());
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    assert_eq!(again.datasets().len(), 1);
    here.append("trades", trades(&[("ETH", 3)])).await.unwrap();
    assert_eq!(lines(&polarway.query(TOTAL).await.unwrap()), ["2,8"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_gives_less_than_what_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let here = Polarway::open(config(&folder)).await.unwrap();
    here.store("trades", trades(&[("BTC", 1)])).await.unwrap();
    let delay = |_: &str| std::thread::sleep(Duration::from_millis(2)); // as a network does
    let polarway = far(&folder, |_| {}, delay).await;
    let mut trades_now = 1;
    for round in 0..24 {
        match round % 6 {
            0 | 1 | 3 => {
                here.append("trades", trades(&[("BTC", 1)])).await.unwrap();
                trades_now += 1;
            }
            2 => {
                here.store("trades", trades(&vec![("SOL", 1); trades_now])).await.unwrap();
            }
            4 => {
                here.delete("trades").await.unwrap();
                let error = polarway.query(TOTAL).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::UnknownDataset, "round {round}: {error}");
                continue;
            }
            _ => {
                here.store("trades", trades(&[("ETH", 1)])).await.unwrap();
                trades_now = 1;
            }
        }
        let newest = here.query_stream(TOTAL).await.unwrap().datasets();
        for _ in 0..2 {
            let found = lines(&polarway.query(TOTAL).await.unwrap());
            assert_eq!(found, [format!("{trades_now},{trades_now}")], "round {round}");
        }
        let stream = polarway.query_stream(TOTAL).await.unwrap();
        assert_eq!(stream.datasets(), newest, "round {round}");
    }
}
