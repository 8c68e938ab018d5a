//! The messages between workers that are ours. Both ends are of the same version, which is the first thing that they check, so
//! the messages are defined here alone and are no part of the public protocol.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion_proto::protobuf;
use polarway_model::{DatasetName, HandleId};
use polarway_query::{FileStorage, PinnedFile, is_plain_path};
use tonic::{Code, Status};

use crate::keep::Kept;

/// Asks a worker about itself: from [`StatusRequest`] to [`PeerStatus`].
pub(crate) const STATUS: &str = "/polarway.peers.v1.Peers/Status";
/// Makes a worker take part in a query for as long as the stream lasts: from [`JoinRequest`] to [`Joined`], once.
pub(crate) const JOIN: &str = "/polarway.peers.v1.Peers/Join";
/// datafusion-distributed's methods that carry plans and rows.
pub(crate) const TASK_METHODS: [&str; 2] =
    ["/worker.WorkerService/CoordinatorChannel", "/worker.WorkerService/ExecuteTask"];
/// The header with the id of the query that a call belongs to.
pub(crate) const QUERY_HEADER: &str = "polarway-query";

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StatusRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PeerStatus {
    #[prost(string, tag = "1")]
    pub(crate) version: String,
    #[prost(string, tag = "2")]
    pub(crate) storage: String,
    /// Differs for each process.
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) instance: Vec<u8>,
    #[prost(bool, tag = "4")]
    pub(crate) is_draining: bool,
    #[prost(uint64, tag = "5")]
    pub(crate) queries: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) memory_bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct JoinRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) query: Vec<u8>,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
    #[prost(string, tag = "3")]
    pub(crate) storage: String,
    /// The URL by which the query's workers know this one.
    #[prost(string, tag = "4")]
    pub(crate) url: String,
    /// How much longer the query may take.
    #[prost(uint64, tag = "5")]
    pub(crate) remaining_ms: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) memory_bytes: u64,
    #[prost(message, repeated, tag = "7")]
    pub(crate) files: Vec<FileMessage>,
    /// The id of the query at the worker that was asked: `query` differs for each try.
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) engine_query: Vec<u8>,
    /// The call that the query came by, for logs and traces.
    #[prost(string, optional, tag = "9")]
    pub(crate) request_id: Option<String>,
    #[prost(string, optional, tag = "10")]
    pub(crate) traceparent: Option<String>,
    /// What becomes of the result, if the workers may keep it.
    #[prost(message, optional, tag = "11")]
    pub(crate) kept: Option<KeptMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeptMessage {
    /// The id of the handle that it becomes.
    #[prost(string, tag = "1")]
    pub(crate) handle: String,
    /// The columns of its files.
    #[prost(message, optional, tag = "2")]
    pub(crate) columns: Option<protobuf::Schema>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Joined {}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FileMessage {
    /// Whether it is in the storage of handles.
    #[prost(bool, tag = "1")]
    pub(crate) is_of_handle: bool,
    #[prost(string, tag = "2")]
    pub(crate) dataset: String,
    #[prost(uint64, tag = "3")]
    pub(crate) version: u64,
    #[prost(string, tag = "4")]
    pub(crate) path: String,
    #[prost(uint64, tag = "5")]
    pub(crate) bytes: u64,
    #[prost(string, optional, tag = "6")]
    pub(crate) identity: Option<String>,
}

impl From<&PinnedFile> for FileMessage {
    fn from(file: &PinnedFile) -> Self {
        Self {
            is_of_handle: file.storage == FileStorage::Handles,
            dataset: file.dataset.to_string(),
            version: file.version,
            path: file.path.clone(),
            bytes: file.bytes,
            identity: file.identity.clone(),
        }
    }
}

impl TryFrom<FileMessage> for PinnedFile {
    type Error = Status;

    fn try_from(message: FileMessage) -> Result<Self, Status> {
        let refused = |why: String| Status::new(Code::PermissionDenied, why);
        if !is_plain_path(&message.path) {
            return Err(refused(format!("the path {:?} may lead out of the storage", message.path)));
        }
        let dataset = DatasetName::new(&message.dataset).map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            storage: if message.is_of_handle { FileStorage::Handles } else { FileStorage::Datasets },
            dataset,
            version: message.version,
            path: message.path,
            bytes: message.bytes,
            identity: message.identity,
        })
    }
}

impl TryFrom<&Kept> for KeptMessage {
    type Error = String;

    fn try_from(kept: &Kept) -> Result<Self, String> {
        let columns = protobuf::Schema::try_from(&*kept.columns).map_err(|error| error.to_string())?;
        Ok(Self { handle: kept.keeper.handle().to_string(), columns: Some(columns) })
    }
}

impl TryFrom<KeptMessage> for (HandleId, SchemaRef) {
    type Error = Status;

    fn try_from(message: KeptMessage) -> Result<Self, Status> {
        let refused = |why: String| Status::new(Code::PermissionDenied, why);
        let handle = message.handle.parse().map_err(|_| {
            refused(format!("{:?} is no handle: a result is kept nowhere else", message.handle))
        })?;
        let columns = message.columns.unwrap_or_default();
        let columns = Schema::try_from(&columns).map_err(|error| refused(error.to_string()))?;
        Ok((handle, Arc::new(columns)))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

    use super::*;

    fn read(handle: &str, columns: &Schema) -> Result<(HandleId, SchemaRef), Status> {
        let columns = Some(protobuf::Schema::try_from(columns).unwrap());
        KeptMessage { handle: handle.to_owned(), columns }.try_into()
    }

    #[test]
    fn the_columns_of_a_kept_result_arrive_with_all_that_they_carry() {
        let inner = Field::new("item", DataType::Decimal128(38, 0), true);
        let inner = inner.with_metadata([("duckdb".to_owned(), "HUGEINT".to_owned())].into());
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let columns = Schema::new_with_metadata(
            vec![
                Field::new("list", DataType::List(Arc::new(inner)), true),
                Field::new("time", time, false).with_metadata([("k".to_owned(), "v".to_owned())].into()),
            ],
            [("origin".to_owned(), "a test".to_owned())].into(),
        );
        let id = HandleId::from_bits([7; 16]);
        assert_eq!(read(&id, &columns).unwrap(), (id, Arc::new(columns)));
    }

    #[test]
    fn a_result_is_kept_in_handles_and_nowhere_else() {
        let id = HandleId::from_bits([7; 16]);
        for place in ["", "trades", "../cold/trades", id.code(), "h_", &format!("{id}/../x"), "/etc/passwd"] {
            let refused = read(place, &Schema::empty()).unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{place}");
        }
    }
}
