//! What is known of a handle.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use polarway_model::{HandleId, HandleInfo};
use polarway_storage::Lease;

/// A handle as its store holds it, with its lease. Others see it as a [`HandleInfo`].
#[derive(Clone, Debug, PartialEq)]
pub struct Handle {
    /// Its id.
    pub id: HandleId,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// The approximate size of its rows as Arrow in memory, in bytes.
    pub bytes: u64,
    /// When its lease began and how long it is kept.
    pub lease: Lease,
    /// Who made it; absent if it was made before owners were recorded.
    pub owner: Option<Arc<str>>,
}

impl From<Handle> for HandleInfo {
    fn from(handle: Handle) -> Self {
        let Handle { id, schema, rows, bytes, lease, owner: _ } = handle;
        let (created_us, expires_us) = (lease.since_us, lease.expires_us);
        Self { id, schema, rows, bytes, created_us, expires_us, ttl: lease.ttl() }
    }
}
