//! Whether a storage takes writes, as far as the last one told.

use metrics::{Gauge, Recorder};
use parking_lot::Mutex;
use polarway_storage::{BackendResult, FailureKind};

use super::list;
use super::storage::StorageRole;

/// The reason why a storage took no writes when it was last written to. No write is made to learn it. Everybody may read the reason, so
/// it names no file.
#[derive(Debug)]
pub(crate) struct RefusedWrites {
    reason: Mutex<Option<&'static str>>,
    takes_writes: Gauge,
}

impl RefusedWrites {
    /// Nothing is refused yet. Without a recorder, nobody notes how writes end.
    pub(crate) fn new(role: StorageRole, backend: &str, recorder: Option<&dyn Recorder>) -> Self {
        let register =
            |recorder| list::STORAGE_TAKES_WRITES.register_gauge(recorder, &[role.name(), backend]);
        let takes_writes = recorder.map_or_else(Gauge::noop, register);
        takes_writes.set(1.0);
        Self { reason: Mutex::default(), takes_writes }
    }

    /// Notes how a write ended. A failure that says nothing of the next write changes nothing.
    pub(crate) fn note<T>(&self, write: &BackendResult<T>) {
        let reason = match write {
            Ok(_) => None,
            Err(error) => match lasting_reason(error.kind) {
                None => return,
                reason => reason,
            },
        };
        let mut known = self.reason.lock();
        if *known != reason {
            self.takes_writes.set(if reason.is_none() { 1.0 } else { 0.0 });
            *known = reason;
        }
    }

    /// Why the last write was refused, if it was.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        *self.reason.lock()
    }
}

/// Why the next write will most likely fail as well, if it will.
fn lasting_reason(kind: FailureKind) -> Option<&'static str> {
    match kind {
        FailureKind::ReadOnly => Some("it is read-only"),
        FailureKind::WriteDenied => Some("permission denied: these credentials may not write there"),
        FailureKind::Full => Some("no space is left"),
        _ => None,
    }
}
