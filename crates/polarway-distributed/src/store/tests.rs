//! What plans can't do through their store.

use futures::TryStreamExt as _;
use object_store::ObjectStoreExt as _;
use polarway_model::DatasetName;
use polarway_query::FileStorage;

use super::*;

/// A file of the bytes 0 to 9.
#[derive(Debug)]
pub(crate) struct Digits;

impl PlanFiles for Digits {
    fn allow(&self, _: &PinnedFile) -> std::result::Result<(), String> {
        Ok(())
    }

    fn open(&self, _: &PinnedFile) -> std::result::Result<Arc<dyn RemoteFile>, CatalogError> {
        Ok(Arc::new(Self))
    }
}

impl RemoteFile for Digits {
    fn bytes(&self) -> u64 {
        10
    }

    fn tag(&self) -> &str {
        "digits"
    }

    fn read(
        &self,
        offset: u64,
        into: &mut [u8],
        is_cancelled: &dyn Fn() -> bool,
    ) -> std::result::Result<(), RemoteReadError> {
        if is_cancelled() {
            return Err(RemoteReadError::Cancelled);
        }
        for (byte, value) in into.iter_mut().zip(offset..) {
            *byte = u8::try_from(value).unwrap();
        }
        Ok(())
    }
}

/// A store of one file, and what stops its query.
pub(crate) fn one_file() -> (Arc<PinnedStore>, CancellationToken) {
    let file = PinnedFile {
        storage: FileStorage::Datasets,
        dataset: DatasetName::new("digits").unwrap(),
        version: 1,
        path: "digits/_polarway/data/0.parquet".to_owned(),
        bytes: 10,
        identity: None,
    };
    let slots = Arc::new(Semaphore::new(2));
    let readers = Readers { files: Arc::new(Digits), slots, census: Arc::default() };
    let stopped = CancellationToken::new();
    (Arc::new(PinnedStore::new(readers, &[file], stopped.clone())), stopped)
}

#[tokio::test]
async fn ranges_of_a_pinned_file_are_read_and_no_other_location_is_a_file() {
    let (store, _) = one_file();
    let read = store.get_ranges(&location(0), &[2..4, 0..1, 8..20]).await.unwrap();
    assert_eq!(read, [&[2, 3][..], &[0], &[8, 9]]);
    assert_eq!(store.head(&location(0)).await.unwrap().size, 10);
    for other in ["1", "00", "+0", "0/0", "digits/_polarway/data/0.parquet", "etc/passwd", ""] {
        let error = store.get(&Path::from(other)).await.unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{other}: {error}");
    }
}

#[tokio::test]
async fn a_plan_can_t_write_delete_list_or_copy() {
    let (store, _) = one_file();
    let (at, to) = (location(0), Path::from("1"));
    let errors = [
        store.put(&to, "x".into()).await.unwrap_err(),
        store.put_multipart(&to).await.err().unwrap(),
        store.delete(&at).await.unwrap_err(),
        store.copy(&at, &to).await.unwrap_err(),
        store.rename(&at, &to).await.unwrap_err(),
        store.list(None).try_collect::<Vec<_>>().await.unwrap_err(),
        store.list_with_delimiter(None).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::NotSupported { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_stopped_query_reads_nothing_and_holds_no_read() {
    let (store, stopped) = one_file();
    stopped.cancel();
    assert!(store.get(&location(0)).await.is_err());
    let census = Arc::clone(&store.readers.census);
    drop(store);
    assert!(census.status(0, 0, false).is_idle());
}
