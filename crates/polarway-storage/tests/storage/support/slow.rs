//! A storage that takes its time to remove things: what others do meanwhile falls in between.

use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{Backend, BackendResult};

use super::forward::forward;

/// Longer than it takes to make a table.
const PAUSE: Duration = Duration::from_millis(3);

/// A storage with slow removals.
#[derive(Debug)]
pub(crate) struct SlowRemovals {
    inner: Arc<dyn Backend>,
}

impl SlowRemovals {
    pub(crate) fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { inner })
    }
}

#[deny(clippy::missing_trait_methods)]
impl Backend for SlowRemovals {
    forward!(
        get,
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
        remove_unfinished,
        pause_before_retry,
        check_removable,
        check,
        probe,
        local_path,
        now_us,
        about_now_us
    );

    fn remove(&self, path: &str) -> BackendResult<()> {
        std::thread::sleep(PAUSE);
        self.inner.remove(path)
    }

    fn remove_all(&self, paths: &[String]) -> BackendResult<()> {
        let removed: Vec<_> = paths.iter().map(|path| self.remove(path)).collect();
        removed.into_iter().collect()
    }

    fn remove_empty_folder(&self, folder: &str) -> BackendResult<bool> {
        std::thread::sleep(PAUSE);
        self.inner.remove_empty_folder(folder)
    }
}
