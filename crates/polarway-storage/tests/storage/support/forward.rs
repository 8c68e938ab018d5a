//! What a wrapper around a storage leaves as it is.

/// The methods of `Backend` with these names, which call those of the storage in the field `inner`.
macro_rules! forward {
    ($($method:ident),+ $(,)?) => { $(forward!(@ $method);)+ };
    (@ get) => { forward!(@ get(path: &str) -> BackendResult<Option<bytes::Bytes>>); };
    (@ head) => { forward!(@ head(path: &str) -> BackendResult<Option<polarway_storage::FileMeta>>); };
    (@ list) => { forward!(@ list(folder: &str) -> BackendResult<Vec<polarway_storage::Entry>>); };
    (@ open) => { forward!(@ open(path: &str, bytes: u64) -> BackendResult<Arc<dyn polarway_storage::ReadAt>>); };
    (@ open_lazily) => { forward!(@ open_lazily(path: &str, bytes: u64) -> BackendResult<Arc<dyn polarway_storage::ReadAt>>); };
    (@ open_pinned) => {
        forward!(@ open_pinned(path: &str, bytes: u64, identity: &str) -> BackendResult<Arc<dyn polarway_storage::ReadAt>>);
    };
    (@ begin_to_open) => {
        forward!(@ begin_to_open(file: &polarway_storage::FileToOpen<'_>) -> Option<polarway_storage::Opening>);
    };
    (@ copy_pinned) => {
        forward!(@ copy_pinned(from: &polarway_storage::FileToOpen<'_>, to: &str) -> BackendResult<()>);
    };
    (@ create_data) => { forward!(@ create_data(path: &str) -> BackendResult<Box<dyn polarway_storage::DataWriter>>); };
    (@ create_commit) => {
        forward!(@ create_commit(path: &str, contents: bytes::Bytes) -> BackendResult<polarway_storage::Created>);
    };
    (@ create_freeing_commit) => {
        forward!(@ create_freeing_commit(path: &str, contents: bytes::Bytes) -> BackendResult<polarway_storage::Created>);
    };
    (@ settle_commit) => { forward!(@ settle_commit(path: &str) -> BackendResult<()>); };
    (@ replace) => { forward!(@ replace(path: &str, contents: bytes::Bytes) -> BackendResult<()>); };
    (@ copy_data) => { forward!(@ copy_data(from: &str, to: &str) -> BackendResult<()>); };
    (@ remove) => { forward!(@ remove(path: &str) -> BackendResult<()>); };
    (@ remove_all) => { forward!(@ remove_all(paths: &[String]) -> BackendResult<()>); };
    (@ remove_unfinished) => {
        forward!(@ remove_unfinished(is_ours: &dyn Fn(&str) -> bool, age: std::time::Duration) -> BackendResult<usize>);
    };
    (@ remove_empty_folder) => { forward!(@ remove_empty_folder(folder: &str) -> BackendResult<bool>); };
    (@ pause_before_retry) => { forward!(@ pause_before_retry(failures: u32) -> bool); };
    (@ check_removable) => { forward!(@ check_removable(folder: &str) -> BackendResult<()>); };
    (@ check) => { forward!(@ check() -> BackendResult<()>); };
    (@ probe) => { forward!(@ probe() -> BackendResult<()>); };
    (@ local_path) => { forward!(@ local_path(path: &str) -> Option<std::path::PathBuf>); };
    (@ now_us) => { forward!(@ now_us(folder: &str) -> BackendResult<i64>); };
    (@ about_now_us) => { forward!(@ about_now_us(folder: &str) -> BackendResult<i64>); };
    (@ $method:ident($($argument:ident: $type:ty),*) -> $result:ty) => {
        fn $method(&self, $($argument: $type),*) -> $result {
            self.inner.$method($($argument),*)
        }
    };
}

pub(crate) use forward;
