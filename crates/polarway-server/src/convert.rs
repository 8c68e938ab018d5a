//! Between the protocol's messages and the engine's types.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow_schema::SchemaRef;
use bytes::Bytes;
use polarway_core::{
    Chunk, CommitKind, Compression, Dataset, DatasetVersion, Description, Handle, Phase, PhaseTimes,
    Published, QueryStatus, RequestId, Version, WriteMode, WriteOptions,
};
use polarway_proto::Reason;
use polarway_proto::v1::{self, Failure};

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

/// A request id; an empty one is none.
pub(crate) fn request_id(text: &str) -> Result<Option<RequestId>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = text.parse().map_err(|error| Reason::InvalidRequest.failure(format!("{error}")))?;
    Ok(Some(id))
}

pub(crate) fn write_options(header: &v1::StoreHeader) -> Result<WriteOptions, Failure> {
    let mode = match v1::WriteMode::try_from(header.mode) {
        Ok(v1::WriteMode::Overwrite) => WriteMode::Overwrite,
        Ok(v1::WriteMode::Create) => WriteMode::Create,
        Ok(v1::WriteMode::Append) => WriteMode::Append,
        Ok(v1::WriteMode::Unspecified) | Err(_) => {
            return Err(Reason::InvalidRequest.failure(format!(
                "the header of {:?} has the write mode {}: say OVERWRITE, CREATE or APPEND",
                header.name, header.mode
            )));
        }
    };
    let mut options = WriteOptions::new(mode);
    options.request = request_id(&header.request_id)?;
    options.expected_version = header.expected_version;
    Ok(options)
}

/// Microseconds since 1970 in UTC.
pub(crate) fn time_us(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn query_times(times: &PhaseTimes) -> v1::QueryTimes {
    let PhaseTimes { waiting, checking, resolving, planning, running } = *times;
    v1::QueryTimes {
        waiting_us: micros(waiting),
        checking_us: micros(checking),
        resolving_us: micros(resolving),
        planning_us: micros(planning),
        running_us: micros(running),
    }
}

pub(crate) fn running_query(query: &QueryStatus) -> v1::RunningQuery {
    let phase = match query.phase {
        Phase::Waiting => v1::QueryPhase::Waiting,
        Phase::Checking => v1::QueryPhase::Checking,
        Phase::Resolving => v1::QueryPhase::Resolving,
        Phase::Planning => v1::QueryPhase::Planning,
        Phase::Running => v1::QueryPhase::Running,
    };
    v1::RunningQuery {
        query_id: query.id.to_string(),
        sql: query.sql.to_string(),
        phase: phase.into(),
        started_us: time_us(query.started),
        elapsed_us: micros(query.started.elapsed().unwrap_or_default()),
        rows: query.summary.rows,
        bytes: query.summary.bytes,
    }
}

pub(crate) fn chunk(chunk: Chunk) -> v1::Chunk {
    v1::Chunk { ipc: chunk.ipc, first_row: chunk.first_row, rows: chunk.rows }
}

pub(crate) fn published(published: &Published) -> v1::PublishedVersion {
    v1::PublishedVersion {
        name: published.name.to_string(),
        version: published.version,
        rows: published.rows,
        bytes: published.bytes,
        time_us: published.time_us,
        was_retry: published.was_retry,
    }
}

pub(crate) fn dataset(dataset: &Dataset) -> v1::DatasetSummary {
    v1::DatasetSummary {
        name: dataset.name.to_string(),
        version: dataset.version,
        rows: dataset.rows,
        bytes: dataset.bytes,
        time_us: dataset.time_us,
        error: dataset.error.clone().unwrap_or_default(),
    }
}

/// A schema as a stream of no rows.
fn schema_ipc(schema: &SchemaRef) -> Result<Bytes, Failure> {
    let encoder = polarway_ipc::ChunkEncoder::new(schema, polarway_ipc::EncodeOptions::default());
    Ok(encoder.map_err(|error| Reason::Unsupported.failure(error.to_string()))?.finish().ipc)
}

pub(crate) fn handle(handle: &Handle) -> Result<v1::Handle, Failure> {
    Ok(v1::Handle {
        handle_id: handle.id.to_string(),
        schema: schema_ipc(&handle.schema)?,
        rows: handle.rows,
        bytes: handle.bytes,
        created_us: handle.lease.since_us,
        expires_us: handle.lease.expires_us,
        ttl_us: handle.lease.ttl_us.unsigned_abs(),
    })
}

pub(crate) fn description(description: Description) -> Result<v1::Dataset, Failure> {
    let Description { name, version, time_us, schema, rows, files, bytes, arrow_bytes } = description;
    let schema_ipc = schema_ipc(&schema)?;
    Ok(v1::Dataset {
        name: name.to_string(),
        version,
        time_us,
        schema_ipc,
        rows,
        files: files as u64,
        bytes,
        arrow_bytes,
    })
}

pub(crate) fn version(version: &Version) -> v1::Version {
    let kind = match version.kind {
        None => v1::VersionKind::Adopted,
        Some(CommitKind::Overwrite) => v1::VersionKind::Overwrite,
        Some(CommitKind::Append) => v1::VersionKind::Append,
        Some(CommitKind::Delete) => v1::VersionKind::Delete,
        // These make commits and no versions.
        Some(CommitKind::Compact | CommitKind::Vacuum | CommitKind::Renew) => v1::VersionKind::Unspecified,
    };
    v1::Version {
        version: version.version,
        kind: kind.into(),
        rows: version.rows,
        bytes: version.bytes,
        files: version.files as u64,
        time_us: version.time_us,
        vacuumed: version.vacuumed,
    }
}

pub(crate) fn dataset_version(dataset: &DatasetVersion) -> v1::DatasetVersion {
    v1::DatasetVersion { name: dataset.name.to_string(), version: dataset.version }
}
