//! Queries whose result is read through a handle, so that a read continues after a broken connection.

use std::sync::{Arc, OnceLock};

use arrow_schema::SchemaRef;
use polarway_model::{At, QueryOptions};
use polarway_table::Table;

use crate::client::DistributedClient;
use crate::error::Result;
use crate::query::QueryStream;
use crate::stream::BatchStream;

impl DistributedClient {
    /// The whole result of a query, read through a handle.
    pub(crate) async fn query_by_handle(&self, sql: &str, options: QueryOptions) -> Result<Table> {
        self.query_handle_with(sql, options).await?.load().await
    }

    /// The result of a query as a stream, read through a handle.
    pub(crate) async fn stream_by_handle(&self, sql: &str, options: QueryOptions) -> Result<QueryStream> {
        let (handle, summary) = self.create_handle(sql, options.into()).await?;
        let loading = self.begin_loading(handle.id(), At::Newest.into()).await?;
        let schema = SchemaRef::clone(loading.schema());
        let summary = Arc::new(summary.map_or_else(OnceLock::new, OnceLock::from));
        let batches = BatchStream::new(loading.holding(handle));
        Ok(QueryStream::new(schema, summary, batches))
    }
}
