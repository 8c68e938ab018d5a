//! Builds a client.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderValue, Uri};

use crate::client::DistributedClient;
use crate::connection::Workers;
use crate::error::{Error, ErrorKind, Result};
use crate::revision;
use crate::tls::TlsFiles;

/// A client's timeout unless another is given.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Builds a client from addresses, a timeout, a token and certificates. Made by [`DistributedClient::builder`].
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
    tls: TlsFiles,
}

impl Builder {
    /// A builder without an address, with the default timeout.
    pub(crate) fn new() -> Self {
        Self { urls: Vec::new(), timeout: TIMEOUT, token: None, tls: TlsFiles::default() }
    }

    /// Adds a server, such as `http://localhost:50052`, or `https://tables.example:50052` with TLS. Several are workers over the
    /// same tables: when one does not answer, the next is asked.
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

    /// The token that the servers require. Without TLS, anybody on the network between this client and a server can read it: see
    /// [`unencrypted_hosts`](Self::unencrypted_hosts).
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// A PEM file of the CAs that may have signed the certificates of `https://` servers, instead of those that this
    /// system trusts.
    pub fn tls_ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.ca = Some(file.into());
        self
    }

    /// PEM files of this client's certificate, followed by those of its CAs, and of its key, for `https://` servers that
    /// require one (mTLS).
    pub fn tls_identity(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.identity = Some((certificate.into(), key.into()));
        self
    }

    /// The hosts to which the token and tables would be sent unencrypted over a network: those with `http://` that are not this
    /// machine. If there is a token, connecting to them logs a warning.
    pub fn unencrypted_hosts(&self) -> Vec<String> {
        let uris = self.urls.iter().filter_map(|url| parse_url(url).ok());
        let exposed = uris.filter(|uri| uri.scheme() == Some(&Scheme::HTTP) && !is_this_machine(uri));
        exposed.filter_map(|uri| uri.host().map(str::to_owned)).collect()
    }

    /// Connects, and checks that a server of this protocol answers.
    ///
    /// # Errors
    /// Malformed addresses, a token that can't be sent, certificates that can't be used, no server that answers, and a server or
    /// a client that is too old for the other. This is not retried, so that a wrong address is found at once.
    pub async fn connect(self) -> Result<DistributedClient> {
        let client = self.connect_lazily()?;
        revision::check(&client.server_info_at_start().await?)?;
        Ok(client)
    }

    /// Asks whether a server serves, and nothing else: a server answers that without a token. A connection that can't be made is an
    /// error at once.
    ///
    /// # Errors
    /// As of [`Self::connect_lazily`]; a server that does not answer, or says that it does not serve.
    pub async fn check_health(self) -> Result<()> {
        self.connect_lazily()?.health_at_start().await
    }

    /// A client that connects with its first call, and retries that like any other.
    ///
    /// # Errors
    /// Malformed addresses, a token that can't be sent, and certificates that can't be used. It must be called inside
    /// a tokio runtime.
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
        let tls = match uris.iter().any(|uri| uri.scheme() == Some(&Scheme::HTTPS)) {
            true => Some(self.tls.configuration()?),
            false if self.tls.is_set() => {
                let message =
                    "certificates are given, and no URL begins with https://: nothing would be encrypted";
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            false => None,
        };
        if token.is_some() {
            for host in self.unencrypted_hosts() {
                tracing::warn!("the token goes to {host} in the clear: use https://");
            }
        }
        let workers = Workers::new(&uris, tls.as_ref(), token)?;
        Ok(DistributedClient::new(Arc::new(workers), self.timeout))
    }
}

fn parse_url(url: &str) -> Result<Uri> {
    let invalid = |what: &str| {
        let message = format!("{url:?} {what}: give a URL such as http://localhost:50052");
        Error::new(ErrorKind::Configuration, message)
    };
    let uri: Uri = url.parse().map_err(|_| invalid("is no URL"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(invalid("does not start with http:// or https://")),
    }
    match uri.authority() {
        Some(authority) if !authority.host().is_empty() => Ok(uri),
        _ => Err(invalid("names no host")),
    }
}

/// Whether a packet to this address stays on this machine.
fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

fn bearer(token: &str) -> Result<HeaderValue> {
    // The message must not contain the token.
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| {
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
        for url in ["", "localhost:50052", "ftp://here", "http://", "https://", "not a url"] {
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

    #[tokio::test]
    async fn certificates_without_an_address_that_uses_them_are_refused() {
        let message = refused(Builder::new().url("http://localhost:1").tls_ca("ca.crt"));
        assert!(message.contains("https://"), "{message}");
        let message = refused(Builder::new().url("https://localhost:1").tls_ca("/no/such/ca.crt"));
        assert!(message.contains("/no/such/ca.crt"), "{message}");
    }

    #[test]
    fn hosts_that_are_reached_in_the_clear_are_told() {
        let told = |urls: &[&str]| Builder::new().urls(urls.iter().copied()).unencrypted_hosts();
        assert_eq!(told(&["http://tables.example:50052", "http://10.0.0.1"]), ["tables.example", "10.0.0.1"]);
        let fine = ["https://tables.example", "http://localhost:1", "http://127.0.0.2:1", "http://[::1]:1"];
        assert!(told(&fine).is_empty());
    }
}
