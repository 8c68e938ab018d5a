//! TLS between workers: the same certificate for calls that come and calls that go, and the same CAs for both. The files are
//! read again when they change; connections that are open stay as they are.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use polarway_distributed::PeerTls;
use polarway_tls::{ALPN, Identity, Pem, VERSIONS, provider, roots};
use rustls::{ClientConfig, ServerConfig};

use super::config::{PeerTlsFiles, PeersError};
use crate::reload::Reloaded;
use crate::tls::{TlsError, configuration};

/// The names of the files' settings: the certificate, its key, the CAs.
const FLAGS: [&str; 3] = ["--peer-tls-cert", "--peer-tls-key", "--peer-tls-ca"];

impl PeerTlsFiles {
    /// The first of the settings that is set.
    pub(super) fn given(&self) -> Option<&'static str> {
        let files = [&self.certificate, &self.key, &self.ca];
        FLAGS.into_iter().zip(files).find_map(|(flag, path)| path.as_ref().map(|_| flag))
    }

    /// The certificate, its key and the CAs; `None` if there are none.
    ///
    /// # Errors
    /// Some are there, and others are not.
    pub(super) fn all(&self) -> Result<Option<[PathBuf; 3]>, PeersError> {
        let Some(given) = self.given() else { return Ok(None) };
        let needed = |path: &Option<PathBuf>, missing| {
            let why = "each worker proves who it is with its certificate, and checks those of the others";
            path.clone().ok_or(PeersError::Incomplete { given, missing, why })
        };
        let [certificate, key, ca] = FLAGS;
        let files = [needed(&self.certificate, certificate)?, needed(&self.key, key)?, needed(&self.ca, ca)?];
        Ok(Some(files))
    }
}

/// The TLS of a worker, from the newest state of its files that can be used.
#[derive(Debug)]
pub(super) struct WorkerTls {
    ends: Reloaded<Ends>,
    name: Option<String>,
}

/// The configurations of both ends, made from one state of the files.
#[derive(Debug)]
struct Ends {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl WorkerTls {
    /// Reads the files, and watches them. `name` is the name in the certificates of all workers, if they don't have those of
    /// their addresses. It must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Files that are missing or can't be used.
    pub(super) fn start(files: [PathBuf; 3], name: Option<String>) -> Result<Self, TlsError> {
        let paths = files.clone();
        let make = move |contents: &[Vec<u8>]| Ends::of(&paths, contents);
        let ends = Reloaded::start::<TlsError, _>("the certificate for other workers", files.to_vec(), make)?;
        Ok(Self { ends, name })
    }
}

impl PeerTls for WorkerTls {
    fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.ends.current().server)
    }

    fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.ends.current().client)
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl Ends {
    fn of(paths: &[PathBuf; 3], contents: &[Vec<u8>]) -> Result<Self, TlsError> {
        let pem = |index: usize| Pem {
            path: &paths[index],
            content: contents.get(index).map(Vec::as_slice).unwrap_or_default(),
        };
        let (certificate, key, ca) = (pem(0), pem(1), pem(2));
        let provider = provider();
        let identity = Identity::from_pem(certificate, key, &provider, SystemTime::now())?;
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&VERSIONS)?
            .with_root_certificates(roots(ca)?)
            .with_client_cert_resolver(identity.resolver());
        client.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { server: Arc::new(configuration(&identity, Some(ca), provider)?), client: Arc::new(client) })
    }
}
