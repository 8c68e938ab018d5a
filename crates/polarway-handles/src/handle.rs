//! What is known of a handle.

use arrow_schema::SchemaRef;
use polarway_storage::Lease;

use crate::id::HandleId;

/// A result that is kept, described.
#[derive(Clone, Debug, PartialEq)]
pub struct Handle {
    /// What it is called.
    pub id: HandleId,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// About what its rows take as Arrow in memory, in bytes.
    pub bytes: u64,
    /// Since when and for how long it is kept.
    pub lease: Lease,
}
