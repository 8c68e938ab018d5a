//! TLS on the server's side: the configuration of handshakes, made from files, and made again when the files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use polarway_tls::{ALPN, CredentialError, Identity, Pem, Sides, VERSIONS, provider, roots};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, VerifierBuilderError, WebPkiClientVerifier};

use crate::reload::{FileError, Reloaded};

/// The names of the two ends in the log.
pub(crate) const SIDES: Sides = Sides { ours: "this server", theirs: "the client" };

/// A warning is logged for a certificate that expires within this time.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The files of TLS. Without a certificate, connections are not encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The server's certificate, followed by those of its CAs, as PEM.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    pub key: Option<PathBuf>,
    /// The CAs of clients. With them, a client must have a certificate that one of them signed.
    pub client_ca: Option<PathBuf>,
}

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A certificate without its key, or a key or a CA without a certificate.
    #[error("{given} is given and {missing} is not: TLS needs a certificate and its key")]
    Incomplete {
        /// The setting that is set.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A certificate or a key can't be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The CAs of clients can't be used.
    #[error("clients can't be checked against {}", path.display())]
    ClientCa {
        /// The CAs' file.
        path: PathBuf,
        /// The cause.
        source: VerifierBuilderError,
    },
    /// The algorithms don't fit the versions.
    #[error("TLS can't be set up")]
    Setup(#[from] rustls::Error),
}

impl TlsFiles {
    /// The certificate and its key, if TLS is to be spoken.
    ///
    /// # Errors
    /// One of the two is missing.
    pub(crate) fn pair(&self) -> Result<Option<(&Path, &Path)>, TlsError> {
        const CERTIFICATE: &str = "--tls-cert";
        const KEY: &str = "--tls-key";

        let incomplete = |given, missing| Err(TlsError::Incomplete { given, missing });
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(certificate), Some(key), _) => Ok(Some((certificate, key))),
            (Some(_), None, _) => incomplete(CERTIFICATE, KEY),
            (None, Some(_), _) => incomplete(KEY, CERTIFICATE),
            (None, None, Some(_)) => incomplete("--tls-ca", CERTIFICATE),
            (None, None, None) => Ok(None),
        }
    }
}

/// The configuration of handshakes: from the newest state of the files that can be used. Open connections don't change.
pub(crate) struct Tls(Reloaded<Handshakes>);

/// The configuration of handshakes, made from one state of the files.
struct Handshakes {
    config: Arc<ServerConfig>,
    valid_until: SystemTime,
}

impl Tls {
    /// Reads the files, and watches them. `None` if there are none. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Files that are missing or can't be used.
    pub(crate) fn start(files: &TlsFiles) -> Result<Option<Self>, TlsError> {
        let Some((certificate, key)) = files.pair()? else { return Ok(None) };
        let mut paths = vec![certificate.to_owned(), key.to_owned()];
        paths.extend(files.client_ca.clone());
        let mut is_first = true;
        let make = {
            let paths = paths.clone();
            move |contents: &[Vec<u8>]| {
                let made = Handshakes::of(&paths, contents)?;
                if !std::mem::take(&mut is_first) {
                    made.tell_of_expiry();
                }
                Ok(made)
            }
        };
        let reloaded = Reloaded::start::<TlsError, _>("the TLS certificate", paths, make)?;
        Ok(Some(Self(reloaded)))
    }

    /// The configuration for a handshake that begins now.
    pub(crate) fn current(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current().config)
    }

    /// When the certificate expires.
    pub(crate) fn valid_until(&self) -> SystemTime {
        self.0.current().valid_until
    }

    /// Writes to the log when the certificate expires, as each reload does.
    pub(crate) fn tell_of_expiry(&self) {
        self.0.current().tell_of_expiry();
    }
}

impl Handshakes {
    /// From these files: a certificate, its key and, if there is a third, the CAs of clients.
    fn of(paths: &[PathBuf], contents: &[Vec<u8>]) -> Result<Self, TlsError> {
        let mut files = paths.iter().zip(contents).map(|(path, content)| Pem { path, content });
        let (Some(certificate), Some(key)) = (files.next(), files.next()) else {
            return Err(TlsError::Incomplete { given: "--tls-ca", missing: "--tls-cert" });
        };
        let provider = provider();
        let identity = Identity::from_pem(certificate, key, &provider, SystemTime::now())?;
        let config = configuration(&identity, files.next(), provider)?;
        Ok(Self { config: Arc::new(config), valid_until: identity.valid_until() })
    }

    fn tell_of_expiry(&self) {
        let expiry = humantime::format_rfc3339_seconds(self.valid_until);
        match self.valid_until.duration_since(SystemTime::now()) {
            Ok(left) if left > SOON => tracing::info!("the TLS certificate is valid until {expiry}"),
            _ => tracing::warn!("the TLS certificate is valid only until {expiry}: renew it"),
        }
    }
}

/// The configuration of rustls. With CAs of clients, a client must have a certificate that one of them signed.
pub(crate) fn configuration(
    identity: &Identity,
    client_ca: Option<Pem<'_>>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&VERSIONS)?;
    let mut config = match client_ca {
        None => builder.with_no_client_auth().with_cert_resolver(identity.resolver()),
        Some(ca) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca)?), provider).build();
            let verifier =
                verifier.map_err(|source| TlsError::ClientCa { path: ca.path.to_owned(), source })?;
            let mut config =
                builder.with_client_cert_verifier(verifier).with_cert_resolver(identity.resolver());
            // A resumed session would not check the client's certificate again, which may have expired meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
            config
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
