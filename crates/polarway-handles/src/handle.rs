//! What is known of a handle.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use polarway_model::{HandleId, HandleInfo};
use polarway_storage::Lease;

/// A handle as a store has it, with its lease; what others know of it is a [`HandleInfo`].
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
    /// Who made it; absent where it was made before that was written down.
    pub owner: Option<Arc<str>>,
}

impl From<Handle> for HandleInfo {
    fn from(handle: Handle) -> Self {
        let Handle { id, schema, rows, bytes, lease, owner: _ } = handle;
        let (created_us, expires_us) = (lease.since_us, lease.expires_us);
        Self { id, schema, rows, bytes, created_us, expires_us, ttl: lease.ttl() }
    }
}
