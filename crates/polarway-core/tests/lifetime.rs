//! What an engine starts ends with it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use futures::TryStreamExt as _;
    use polarway_core::arrow::array::{Int64Array, RecordBatch};
    use polarway_core::{
        At, Compression, Config, HandleStoreKind, Location, Polarway, RequestId, WriteMode, WriteOptions,
    };

    /// The threads of this process, by name.
    fn threads() -> Vec<String> {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        // One that ends in between has no name any more.
        let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
        let mut names: Vec<String> = names.map(|name| name.trim_end().to_owned()).collect();
        names.sort();
        names
    }

    /// Opens an engine and has it start all that it can.
    async fn work(folder: &Path, set_up: impl FnOnce(&mut Config)) {
        let mut config = Config::new(folder);
        config.cache_bytes = 1 << 24;
        config.query_memory_bytes = 1 << 28;
        config.query_threads = 2;
        set_up(&mut config);
        let polarway = Polarway::open(config).await.unwrap();
        let numbers = Int64Array::from_iter_values(0..100_000);
        let numbers = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap();
        let with_request = WriteOptions::new(WriteMode::Overwrite).with_request(RequestId::fresh());
        polarway.store_with("numbers", numbers, with_request).await.unwrap();
        let chunks = polarway.load_chunks("numbers", At::Newest, 0, Compression::None).await.unwrap();
        assert!(!chunks.try_collect::<Vec<_>>().await.unwrap().is_empty());
        let kept =
            polarway.query_handle("SELECT n % 7 AS n, count(*) FROM numbers GROUP BY ALL").await.unwrap();
        let id = kept.handle.id;
        let _read_only_in_part = polarway.load_stream(&id.to_string(), At::Newest).await.unwrap();
        assert_eq!(polarway.query(&format!("FROM {id}")).await.unwrap().num_rows(), 7);
    }

    #[test]
    fn engines_that_were_opened_and_dropped_leave_no_thread_and_no_folder_behind() {
        type SetUp = fn(&mut Config);
        let stores: [SetUp; 3] = [
            |_| {},
            |config| config.handles.store = HandleStoreKind::External,
            |config| {
                config.cold_tier = Location::Memory;
                config.handles.store = HandleStoreKind::External;
                config.handles.state = Location::Memory;
            },
        ];
        let before = threads();
        for set_up in stores.iter().cycle().take(18) {
            let folder = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(work(folder.path(), set_up));
            drop(runtime);
            let workers = folder.path().join("tmp");
            wait_until(|| fs::read_dir(&workers).unwrap().count() == 0, || format!("{workers:?} is in use"));
        }
        wait_until(|| threads() == before, || format!("at first {before:?}, in the end {:?}", threads()));
    }

    /// Some threads are told to end and not waited for.
    fn wait_until(is_so: impl Fn() -> bool, otherwise: impl Fn() -> String) {
        let latest = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < latest, "{}", otherwise());
            std::thread::yield_now();
        }
    }
}
