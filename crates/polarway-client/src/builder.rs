//! Builds a client.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tonic::metadata::{Ascii, MetadataValue};

use crate::client::DistributedClient;
use crate::connection::Workers;
use crate::error::{Error, ErrorKind, Result};
use crate::revision;

/// A client's timeout unless another is given.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Builds a client from addresses, a timeout and a token. Made by [`DistributedClient::builder`].
///
/// ```no_run
/// # use polarway_client::DistributedClient;
/// # use std::time::Duration;
/// # async fn build() -> Result<(), polarway_client::Error> {
/// let client = DistributedClient::builder()
///     .url("http://worker-1:50052")
///     .url("http://worker-2:50052")
///     .timeout(Duration::from_secs(60))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "it does nothing before `connect`"]
pub struct Builder {
    urls: Vec<String>,
    timeout: Duration,
    token: Option<String>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { urls: Vec::new(), timeout: TIMEOUT, token: None }
    }

    /// Adds a server, such as `http://localhost:50052`. Several are workers over the same tables: when one does not
    /// answer, the next is asked.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Adds several servers.
    pub fn urls<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.urls.extend(urls.into_iter().map(Into::into));
        self
    }

    /// How long a call may take, with its retries; for a stream, how long it may deliver nothing new. The default is 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The token that the servers require.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Connects, and checks that a server of this protocol answers.
    ///
    /// # Errors
    /// Malformed addresses, a token that can't be sent, no server that answers, and a server or a client that is too old for the
    /// other. This is not retried, so that a wrong address is found at once.
    pub async fn connect(self) -> Result<DistributedClient> {
        let client = self.connect_lazily()?;
        revision::check(&client.server_info_at_start().await?)?;
        Ok(client)
    }

    /// A client that connects with its first call, and retries that like any other.
    ///
    /// # Errors
    /// Malformed addresses, and a token that can't be sent. It must be called inside a tokio runtime.
    pub fn connect_lazily(self) -> Result<DistributedClient> {
        if self.timeout.is_zero() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "a timeout of nothing leaves no time to answer",
            ));
        }
        if self.urls.is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "no server was named: give a URL such as http://localhost:50052",
            ));
        }
        let uris = self.urls.iter().map(|url| parse_url(url)).collect::<Result<Vec<_>>>()?;
        let token = self.token.as_deref().map(bearer).transpose()?;
        Ok(DistributedClient::new(Arc::new(Workers::new(uris, token)), self.timeout))
    }
}

fn parse_url(url: &str) -> Result<Uri> {
    let invalid = |what: &str| {
        let message = format!("{url:?} {what}: give a URL such as http://localhost:50052");
        Error::new(ErrorKind::Configuration, message)
    };
    let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(invalid("asks for TLS, which this client does not speak yet")),
        _ => return Err(invalid("does not start with http://")),
    }
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(invalid("names no host")),
    }
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>> {
    // The message must not contain the token.
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().map_err(|_| {
        Error::new(ErrorKind::Configuration, "the token has characters that no HTTP header can hold")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: Builder) -> String {
        let error = builder.connect_lazily().err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        error.to_string()
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_by_name() {
        for url in ["", "localhost:50052", "ftp://here", "http://", "https://here:1", "not a url"] {
            let message = refused(Builder::new().url(url));
            assert!(message.contains(&format!("{url:?}")), "{message}");
            assert!(message.contains("http://localhost:50052"), "{message}");
        }
        assert!(refused(Builder::new()).contains("no server was named"));
    }

    #[tokio::test]
    async fn a_token_that_no_header_can_hold_is_refused_and_not_told() {
        let message = refused(Builder::new().url("http://localhost:1").token("se\ncret"));
        assert!(!message.contains("cret"), "{message}");
    }
}
