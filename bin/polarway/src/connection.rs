//! Makes a client from the options.

use std::path::PathBuf;

use polarway::{Builder, DistributedClient, Error, ErrorKind};

use crate::arguments::Connection;
use crate::failure::{Failure, Result, warn};

impl Connection {
    /// Connects.
    pub(crate) async fn connect(&self) -> Result<DistributedClient> {
        self.builder()?.connect().await.map_err(|error| self.failure(error))
    }

    /// Asks whether the server serves. It needs no token for that: nothing else is asked.
    pub(crate) async fn health(&self) -> Result<()> {
        self.builder()?.check_health().await.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: Error) -> Failure {
        match error.kind() {
            ErrorKind::Unreachable => Failure::new(format!(
                "no server answers at {}: {error}. Start one with `polarway server`, or name another with --url",
                self.url.join(", ")
            )),
            _ => error.into(),
        }
    }

    /// A builder with the token from the environment. The token is not an option, because lists of processes show options.
    fn builder(&self) -> Result<Builder> {
        let urls: Vec<String> = self.url.iter().map(|url| with_scheme(url)).collect();
        let is_encrypted = urls.iter().any(|url| url.starts_with("https://"));
        let mut builder = DistributedClient::builder().urls(urls).timeout(self.timeout);
        if let Some(ca) = self.tls_ca.clone().or_else(|| file_of("POLARWAY_TLS_CA", is_encrypted)) {
            builder = builder.tls_ca(ca);
        }
        if let Some((certificate, key)) = self.identity(is_encrypted)? {
            builder = builder.tls_identity(certificate, key);
        }
        if let Some(token) = variable("POLARWAY_AUTH_TOKEN") {
            for host in builder.unencrypted_hosts() {
                warn(&format!(
                    "the token goes to {host} in the clear, and whoever is on the way can read it: use https://"
                ));
            }
            builder = builder.token(token);
        }
        Ok(builder)
    }

    /// This client's certificate and key: both as options, or both as variables.
    fn identity(&self, is_encrypted: bool) -> Result<Option<(PathBuf, PathBuf)>> {
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            return Ok(Some((certificate.clone(), key.clone())));
        }
        let file = |name| file_of(name, is_encrypted);
        match (file("POLARWAY_TLS_CERT"), file("POLARWAY_TLS_KEY")) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            _ => Err(Failure::usage(
                "of POLARWAY_TLS_CERT and POLARWAY_TLS_KEY only one is set: a certificate needs its key",
            )),
        }
    }
}

/// A file that a variable names. A shell may have the variables of a server, too, so they mean nothing without TLS.
fn file_of(name: &str, is_encrypted: bool) -> Option<PathBuf> {
    std::env::var_os(name).filter(|file| is_encrypted && !file.is_empty()).map(PathBuf::from)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Adds `http://` to an address without it.
fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}
