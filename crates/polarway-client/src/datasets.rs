//! Lists and describes datasets and their versions, and tells about the worker that answers.

use polarway_model::{
    At, CacheStats, Dataset, DeleteOptions, Description, Published, RequestId, ServerInfo, Version,
};
use polarway_proto::client::PolarwayServiceClient;
use polarway_proto::v1::{
    DeleteDatasetRequest, GetCacheStatsRequest, GetDatasetRequest, GetServerInfoRequest, ListDatasetsRequest,
    ListVersionsRequest,
};

use crate::channel::Channel;
use crate::client::DistributedClient;
use crate::error::{Error, Result};

impl DistributedClient {
    /// All datasets with their newest versions, by name.
    ///
    /// # Errors
    /// Errors of the server.
    pub async fn datasets(&self) -> Result<Vec<Dataset>> {
        let mut datasets = Vec::new();
        let mut request = ListDatasetsRequest::default();
        loop {
            let page = self.unary(request.clone(), |mut service, request| async move {
                service.list_datasets(request).await
            });
            let page = page.await?;
            for dataset in page.datasets {
                datasets.push(dataset.try_into()?);
            }
            if page.next_page_token.is_empty() {
                return Ok(datasets);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Describes a dataset's newest version.
    ///
    /// # Errors
    /// A dataset that does not exist; the message has the names near it.
    pub async fn describe(&self, name: &str) -> Result<Description> {
        self.describe_at(name, At::Newest).await
    }

    /// Describes a version of a dataset.
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
        Ok(dataset.try_into()?)
    }

    /// All versions that a dataset ever had, oldest first; also those whose data is removed.
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
            versions.extend(page.versions.into_iter().map(Version::from));
            if page.next_page_token.is_empty() {
                return Ok(versions);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Deletes a dataset. Its older versions stay readable by number until retention removes them.
    ///
    /// # Errors
    /// A dataset that does not exist, and errors of the storage.
    pub async fn delete(&self, name: &str) -> Result<Published> {
        self.delete_with(name, DeleteOptions::default()).await
    }

    /// Deletes a dataset with conditions.
    ///
    /// # Errors
    /// As [`delete`](Self::delete); besides, a condition that is not met.
    pub async fn delete_with(&self, name: &str, options: DeleteOptions) -> Result<Published> {
        let request = options.request.unwrap_or_else(RequestId::fresh);
        let request = DeleteDatasetRequest::new(name, DeleteOptions { request: Some(request), ..options });
        let response = self
            .unary(request, |mut service, request| async move { service.delete_dataset(request).await })
            .await?;
        let published = response.published;
        let published =
            published.ok_or_else(|| Error::protocol("the server deleted a dataset and did not say how"))?;
        Ok(published.try_into()?)
    }

    /// The state of the cache of the worker that answers. Each worker has its own.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn cache_stats(&self) -> Result<CacheStats> {
        let method = |mut service: PolarwayServiceClient<Channel>, request| async move {
            service.get_cache_stats(request).await
        };
        Ok(self.unary(GetCacheStatsRequest {}, method).await?.into())
    }

    /// The worker that answers: its version, the protocol's, DuckDB's.
    ///
    /// # Errors
    /// A server that does not answer.
    pub async fn server_info(&self) -> Result<ServerInfo> {
        let method = |mut service: PolarwayServiceClient<Channel>, request| async move {
            service.get_server_info(request).await
        };
        Ok(self.unary(GetServerInfoRequest {}, method).await?.into())
    }
}
