//! What there is: datasets, their schemas and versions, and the worker that answers.

use arrow_schema::SchemaRef;
use bytes::Bytes;
use polarway_ipc::{ChunkDecoder, DecodeLimits};
use polarway_model::At;
use polarway_proto::v1::{
    self, DeleteDatasetRequest, GetCacheStatsRequest, GetDatasetRequest, GetServerInfoRequest,
    ListDatasetsRequest, ListVersionsRequest,
};
use uuid::Uuid;

use crate::client::DistributedClient;
use crate::error::{Error, Result};
use crate::upload::Published;

pub use polarway_proto::v1::{
    DatasetSummary as Dataset, GetCacheStatsResponse as CacheStats, GetServerInfoResponse as ServerInfo,
    Version, VersionKind,
};

/// A version of a dataset, described.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// The dataset.
    pub name: String,
    /// The version; 0 for Parquet files that Polarway did not write.
    pub version: u64,
    /// When it was made: microseconds since 1970-01-01 UTC.
    pub time_us: i64,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
    /// How many files it has.
    pub files: u64,
    /// What its files take, in bytes.
    pub bytes: u64,
    /// What it takes in memory as Arrow, in bytes; an estimate for version 0.
    pub arrow_bytes: u64,
}

/// How a dataset is deleted, where it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// With it, the dataset is deleted only if it is at this version.
    pub expected_version: Option<u64>,
    /// Whether its data goes at once, instead of when retention lets it go. Of a dataset that is deleted already, what is
    /// left goes.
    pub purge: bool,
}

impl DistributedClient {
    /// All datasets with their newest versions, by name.
    ///
    /// # Errors
    /// What the server says.
    pub async fn datasets(&self) -> Result<Vec<Dataset>> {
        let mut datasets = Vec::new();
        let mut request = ListDatasetsRequest::default();
        loop {
            let page = self.unary(request.clone(), |mut service, request| async move {
                service.list_datasets(request).await
            });
            let page = page.await?;
            datasets.extend(page.datasets);
            if page.next_page_token.is_empty() {
                return Ok(datasets);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// A dataset's newest version, described.
    ///
    /// # Errors
    /// A dataset that does not exist; the message has the names near it.
    pub async fn describe(&self, name: &str) -> Result<Description> {
        self.describe_at(name, At::Newest).await
    }

    /// A version of a dataset, described.
    ///
    /// # Errors
    /// A dataset or a version that does not exist.
    pub async fn describe_at(&self, name: &str, at: At) -> Result<Description> {
        let request = GetDatasetRequest { name: name.to_owned(), at: Some(at.into()) };
        let response = self
            .unary(request, |mut service, request| async move { service.get_dataset(request).await })
            .await?;
        let dataset = response
            .dataset
            .ok_or_else(|| Error::protocol("the server sent a description without a dataset"))?;
        let v1::Dataset { name, version, time_us, schema_ipc, rows, files, bytes, arrow_bytes } = dataset;
        let schema = read_schema(schema_ipc)?;
        Ok(Description { name, version, time_us, schema, rows, files, bytes, arrow_bytes })
    }

    /// All versions that a dataset ever had, oldest first, with those whose data is gone.
    ///
    /// # Errors
    /// A dataset that never existed.
    pub async fn versions(&self, name: &str) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        let mut request = ListVersionsRequest { name: name.to_owned(), ..ListVersionsRequest::default() };
        loop {
            let page = self.unary(request.clone(), |mut service, request| async move {
                service.list_versions(request).await
            });
            let page = page.await?;
            versions.extend(page.versions);
            if page.next_page_token.is_empty() {
                return Ok(versions);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Deletes a dataset. Its older versions stay readable by number until retention removes them.
    ///
    /// # Errors
    /// A dataset that does not exist, and what the storage says.
    pub async fn delete(&self, name: &str) -> Result<Published> {
        self.delete_with(name, DeleteOptions::default()).await
    }

    /// Deletes a dataset with conditions.
    ///
    /// # Errors
    /// As [`delete`](Self::delete); besides, a condition that is not met.
    pub async fn delete_with(&self, name: &str, options: DeleteOptions) -> Result<Published> {
        let request = DeleteDatasetRequest {
            name: name.to_owned(),
            request_id: format!("{}/0", Uuid::now_v7()),
            expected_version: options.expected_version,
            purge: options.purge,
        };
        let response = self
            .unary(request, |mut service, request| async move { service.delete_dataset(request).await })
            .await?;
        response.published.ok_or_else(|| Error::protocol("the server deleted a dataset and did not say how"))
    }

    /// How the cache of the worker that answers is doing; others have their own.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn cache_stats(&self) -> Result<CacheStats> {
        self.unary(GetCacheStatsRequest {}, |mut service, request| async move {
            service.get_cache_stats(request).await
        })
        .await
    }

    /// The worker that answers: its version, the protocol's, DuckDB's.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn server_info(&self) -> Result<ServerInfo> {
        self.unary(GetServerInfoRequest {}, |mut service, request| async move {
            service.get_server_info(request).await
        })
        .await
    }
}

/// A schema as it travels alone: the message that an Arrow IPC stream begins with.
pub(crate) fn read_schema(ipc: Bytes) -> Result<SchemaRef> {
    let mut decoder = ChunkDecoder::new(DecodeLimits::default());
    decoder.decode(ipc)?;
    Ok(decoder.schema().cloned().ok_or(polarway_ipc::Error::NoSchema)?)
}
