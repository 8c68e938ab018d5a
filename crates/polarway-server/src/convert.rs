//! Conversions between the protocol's messages and the engine's types.

use std::time::{SystemTime, UNIX_EPOCH};

use polarway_core::{Chunk, Compression, EngineChoice, Handle, QueryStatus};
use polarway_model::{HandleInfo, RunningQuery};
use polarway_proto::Reason;
use polarway_proto::v1::{self, Failure};

/// The compression with this number in the protocol.
pub(crate) fn compression(number: i32) -> Result<Compression, Failure> {
    match v1::Compression::try_from(number) {
        Ok(v1::Compression::Unspecified) => Ok(Compression::None),
        Ok(v1::Compression::Lz4Frame) => Ok(Compression::Lz4),
        Ok(v1::Compression::Zstd) => Ok(Compression::Zstd),
        Err(_) => Err(Reason::InvalidRequest.failure(format!(
            "{number} is no compression that this server knows: leave it out, or use LZ4_FRAME or ZSTD"
        ))),
    }
}

/// Which workers run a query: those that its caller chose by this number in the protocol, or the server's own choice.
pub(crate) fn engine(number: i32, default: EngineChoice) -> Result<EngineChoice, Failure> {
    match v1::Engine::try_from(number).map(EngineChoice::from) {
        Ok(EngineChoice::Auto) => Ok(default),
        Ok(chosen) => Ok(chosen),
        Err(_) => Err(Reason::InvalidRequest.failure(format!(
            "{number} is no engine that this server knows: leave it out, or use LOCAL or DISTRIBUTED"
        ))),
    }
}

/// Microseconds since 1970 in UTC.
pub(crate) fn time_us(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// A running query, as the protocol has it.
pub(crate) fn running_query(query: &QueryStatus) -> v1::RunningQuery {
    let running = RunningQuery {
        query_id: query.id.to_string(),
        sql: query.sql.to_string(),
        phase: query.phase,
        started_us: time_us(query.started),
        elapsed: query.started.elapsed().unwrap_or_default(),
        rows: query.summary.rows,
        bytes: query.summary.bytes,
    };
    running.into()
}

/// A chunk, as the protocol has it.
pub(crate) fn chunk(chunk: Chunk) -> v1::Chunk {
    v1::Chunk { ipc: chunk.ipc, first_row: chunk.first_row, rows: chunk.rows }
}

/// A handle, as the protocol has it.
pub(crate) fn handle(handle: Handle) -> Result<v1::Handle, Failure> {
    HandleInfo::from(handle).try_into().map_err(unsupported)
}

/// A schema that can't be sent.
pub(crate) fn unsupported(error: polarway_ipc::Error) -> Failure {
    Reason::Unsupported.failure(error.to_string())
}
