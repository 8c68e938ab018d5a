//! What the server tells of a handle.

use std::time::Duration;

use arrow_schema::SchemaRef;
use polarway_proto::{schema_from_ipc, v1};

use crate::error::{Error, Result};

/// A result that stays on the server, described.
#[derive(Clone, Debug, PartialEq)]
pub struct HandleInfo {
    /// Its id. Whoever knows it may use the handle.
    pub id: String,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// About what its rows take in Arrow's form, in bytes.
    pub bytes: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub created_us: i64,
    /// When it expires unless it is used before: microseconds since 1970-01-01 UTC.
    pub expires_us: i64,
    /// For how long it lives unused.
    pub ttl: Duration,
}

impl HandleInfo {
    pub(super) fn from_message(message: Option<v1::Handle>) -> Result<Self> {
        let message = message.ok_or_else(|| Error::protocol("the server told of a handle and sent none"))?;
        let v1::Handle { handle_id, schema, rows, bytes, created_us, expires_us, ttl_us } = message;
        Ok(Self {
            id: handle_id,
            schema: schema_from_ipc(schema)?,
            rows,
            bytes,
            created_us,
            expires_us,
            ttl: Duration::from_micros(ttl_us),
        })
    }
}
