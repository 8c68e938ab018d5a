//! Results that are kept, described.

use std::time::Duration;

use arrow_schema::SchemaRef;

use crate::handle_id::HandleId;

/// A description of a result that is kept under a handle.
#[derive(Clone, Debug, PartialEq)]
pub struct HandleInfo {
    /// Its id.
    pub id: HandleId,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// About the size of its rows in memory as Arrow, in bytes.
    pub bytes: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// When it expires unless it is used before: microseconds since 1970-01-01 UTC.
    pub expires_us: i64,
    /// How long it is kept without being used.
    pub ttl: Duration,
}
