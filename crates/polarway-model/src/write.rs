//! Writes and deletions.

use crate::name::DatasetName;
use crate::request::RequestId;

/// What a write does with the existing rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WriteMode {
    /// The new rows replace all rows; the dataset is created if it does not exist.
    #[default]
    Overwrite,
    /// The dataset is created; the write is refused if it exists.
    Create,
    /// The new rows are appended; the dataset must exist.
    Append,
}

/// Options of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// What happens to the existing rows.
    pub mode: WriteMode,
    /// With it, a retry of the write within ten minutes is answered and not carried out again.
    pub request: Option<RequestId>,
    /// With it, the write is refused unless the dataset is at this version; 0 is a dataset that was never written.
    pub expected_version: Option<u64>,
}

impl WriteOptions {
    /// A write in this mode, without conditions.
    pub fn new(mode: WriteMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Sets the id by which a retry finds this write.
    #[must_use]
    pub fn with_request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    /// Refuses the write unless the dataset is at this version.
    #[must_use]
    pub fn expecting(mut self, version: u64) -> Self {
        self.expected_version = Some(version);
        self
    }
}

/// Options of a deletion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// With it, a retry of the call within ten minutes is answered and not carried out again.
    pub request: Option<RequestId>,
    /// With it, the dataset is deleted only if it is at this version.
    pub expected_version: Option<u64>,
    /// Whether its data is removed at once, and not only after the retention time: older versions can't be read any more. For a
    /// dataset that is deleted already, the remaining data is removed.
    pub purge: bool,
}

/// The version that a write made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The dataset.
    pub name: DatasetName,
    /// The number of the version that the write made, from 1.
    pub version: u64,
    /// The rows of that version, for an append with the rows before it.
    pub rows: u64,
    /// The size of its files, in bytes.
    pub bytes: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Whether an earlier call with the same request id made it.
    pub was_retry: bool,
}
