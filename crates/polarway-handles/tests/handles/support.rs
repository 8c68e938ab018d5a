//! The stores, each with a clock that the test sets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch};
use object_store::memory::InMemory;
use polarway_bucket::Bucket;
use polarway_cloud::Given;
use polarway_handles::{
    ExternalHandles, Handle, HandleId, HandleStore, KeptTable, MemoryHandles, SystemRandom, TableHolder,
    fresh_id,
};
use polarway_storage::{Backend, DiskBackend, Environment, ManualClock, ObjectBackend, Settings, Tables};
use tempfile::TempDir;

use crate::given::options;
use crate::timed::TimedBackend;

/// For how long the tests' handles live.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// An id that no other handle has.
pub(crate) fn fresh() -> HandleId {
    fresh_id(&SystemRandom).unwrap()
}

/// How long what has ended is remembered in a storage.
pub(crate) const GRACE: Duration = Duration::from_secs(3600);

/// Holds tables in name only, and remembers those that were removed.
#[derive(Default)]
pub(crate) struct Holder {
    pub(crate) removed: Mutex<Vec<String>>,
    pub(crate) has_lost_all: AtomicBool,
}

impl Holder {
    pub(crate) fn table(self: &Arc<Self>, name: &str) -> Arc<KeptTable> {
        Arc::new(KeptTable::new(name.to_owned(), Arc::clone(self) as _))
    }
}

impl TableHolder for Holder {
    fn has(&self, _name: &str) -> bool {
        !self.has_lost_all.load(Ordering::Relaxed)
    }

    fn remove(&self, name: &str) {
        self.removed.lock().unwrap().push(name.to_owned());
    }
}

/// A store and how to put a handle of three rows into it.
pub(crate) struct Bench {
    pub(crate) store: Arc<dyn HandleStore>,
    pub(crate) clock: Arc<ManualClock>,
    make: Box<dyn Fn(HandleId) -> Handle>,
    _folder: Option<TempDir>,
}

/// A bucket of a server, at a place of its own.
fn bucket_of(given: &Given) -> ObjectBackend {
    let url = format!("{}/test-{}", given.url, uuid::Uuid::now_v7()).parse().unwrap();
    ObjectBackend::of_bucket(Bucket::new(&url, &options(given)).unwrap()).unwrap()
}

impl Bench {
    /// A fresh handle.
    pub(crate) fn make(&self) -> HandleId {
        let id = fresh();
        (self.make)(id);
        id
    }

    pub(crate) fn all() -> Vec<(&'static str, Self)> {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(DiskBackend::open(folder.path()).unwrap());
        let bucket = Arc::new(ObjectBackend::new(Arc::new(InMemory::new())).unwrap());
        let mut all = vec![
            ("memory", Self::memory(1000).0),
            ("a directory", Self::external(disk, Some(folder))),
            ("a bucket", Self::external(bucket, None)),
        ];
        for given in Given::all() {
            let bucket = Arc::new(bucket_of(&given));
            all.push((given.scheme(), Self::external(bucket, None)));
        }
        all
    }

    /// A store in memory, and what holds its tables.
    pub(crate) fn memory(budget: u64) -> (Self, Arc<MemoryHandles>, Arc<Holder>) {
        let clock = clock();
        let holder = Arc::new(Holder::default());
        let handles = Arc::new(MemoryHandles::new(budget, clock.clone()));
        let (store, tables) = (Arc::clone(&handles), Arc::clone(&holder));
        let make = Box::new(move |id: HandleId| {
            let lease = store.lease(TTL);
            let handle =
                Handle { id, schema: rows().schema(), rows: 3, bytes: 24, lease, owner: Some(OWNER.into()) };
            store.add(handle, tables.table(&id.to_string())).unwrap()
        });
        (Self { store: Arc::clone(&handles) as _, clock, make, _folder: None }, handles, holder)
    }

    fn external(backend: Arc<dyn Backend>, folder: Option<TempDir>) -> Self {
        let clock = clock();
        let handles = Arc::new(external(TimedBackend::new(backend, clock.clone()), &clock));
        let store = Arc::clone(&handles);
        let make = Box::new(move |id| write(&store, id));
        Self { store: handles, clock, make, _folder: folder }
    }
}

/// Who makes the handles.
pub(crate) const OWNER: &str = "reports";

pub(crate) fn clock() -> Arc<ManualClock> {
    ManualClock::new(1_767_225_600_000_000)
}

/// One worker's view of a storage.
pub(crate) fn external(backend: Arc<dyn Backend>, clock: &Arc<ManualClock>) -> ExternalHandles {
    let settings = Settings { grace: GRACE, ..Settings::default() };
    let environment = Environment::with_clock(clock.clone());
    ExternalHandles::new(Arc::new(Tables::with_environment(backend, settings, environment)))
}

pub(crate) fn write(handles: &ExternalHandles, id: HandleId) -> Handle {
    let mut writer = handles.writer(id, rows().schema(), TTL, OWNER.into()).unwrap();
    writer.write(&rows()).unwrap();
    writer.publish().unwrap();
    handles.get(id).unwrap()
}

/// The rows of a handle.
pub(crate) fn rows() -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)]).unwrap()
}
