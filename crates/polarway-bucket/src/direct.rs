//! Requests to a service that the clients of buckets have no method for.

use object_store::client::{HttpClient, HttpConnector as _, HttpRequest, HttpResponse};
use object_store::{ClientOptions, Error, Result};
use tokio::sync::OnceCell;

use crate::transport::Connector;

/// Sends requests that somebody else has signed.
pub(crate) struct Direct {
    connector: Connector,
    options: ClientOptions,
    /// Made when it is needed first: most processes send no such request.
    client: OnceCell<HttpClient>,
}

impl Direct {
    pub(crate) fn new(connector: Connector, options: ClientOptions) -> Self {
        Self { connector, options, client: OnceCell::new() }
    }

    /// The answer to a request. The transport turns most refusals into errors.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let client = self.client.get_or_try_init(async || self.connector.connect(&self.options)).await?;
        client.execute(request).await.map_err(failed)
    }
}

pub(crate) fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "bucket", source: source.into() }
}
