//! TLS on the client's side: the configuration of handshakes, made from files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use polarway_tls::{ALPN, CredentialError, Identity, Pem, VERSIONS, provider, roots};
use rustls::{ClientConfig, RootCertStore};

use crate::error::{Error, ErrorKind, Result};

/// The files of TLS. Without a CA, those of the system are trusted.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFiles {
    /// The CAs of the servers.
    pub(crate) ca: Option<PathBuf>,
    /// This client's certificate, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    /// Whether anything is set that is used only with TLS.
    pub(crate) fn is_set(&self) -> bool {
        self.ca.is_some() || self.identity.is_some()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Files that are missing or can't be used, and a system without CAs.
    pub(crate) fn configuration(&self) -> Result<Arc<ClientConfig>> {
        let provider = provider();
        let roots = match &self.ca {
            Some(path) => roots(Pem { path, content: &read(path)? }).map_err(unusable)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&VERSIONS)
            .map_err(|error| configuration("TLS can't be set up").caused_by(error))?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (certificate_content, key_content) = (read(certificate)?, read(key)?);
                let certificate = Pem { path: certificate, content: &certificate_content };
                let key = Pem { path: key, content: &key_content };
                let identity = Identity::from_pem(certificate, key, &provider, SystemTime::now());
                builder.with_client_cert_resolver(identity.map_err(unusable)?.resolver())
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }
}

/// The CAs that this machine trusts.
fn system_roots() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems have CAs that do not follow the standard.
    let (used, _) = roots.add_parsable_certificates(found.certs);
    if used > 0 {
        return Ok(roots);
    }
    let message = "this system has no CA that could be trusted: install its package of CAs (ca-certificates), or name the \
                   server's CA with `tls_ca` (--tls-ca)";
    Err(match found.errors.into_iter().next() {
        Some(error) => configuration(message).caused_by(error),
        None => configuration(message),
    })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| configuration(&format!("can't read {}: {error}", path.display())).caused_by(error))
}

fn unusable(error: CredentialError) -> Error {
    configuration(&error.to_string()).caused_by(error)
}

fn configuration(message: &str) -> Error {
    Error::new(ErrorKind::Configuration, message)
}
