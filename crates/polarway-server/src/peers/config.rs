//! How workers find each other, and what they show to each other: plain data, and what is wrong with it.

use std::net::SocketAddr;
use std::path::PathBuf;

use polarway_distributed::{PeerSource, Token};

use crate::auth::Secret;
use crate::tls::TlsError;

/// Queries that several workers run together. Without an address, this worker takes part in none.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeersConfig {
    /// The address on which other workers call this one. It is not the address of clients.
    pub bind: Option<SocketAddr>,
    /// The workers, this one among them, each as host and port.
    pub list: Vec<String>,
    /// A name that has an address for each worker, with their port.
    pub dns: Option<String>,
    /// A token that all workers know.
    pub token: Option<Secret>,
    /// The files of TLS between workers.
    pub tls: PeerTlsFiles,
    /// The most workers that a query runs on.
    pub query_workers: usize,
    /// Queries of several workers that this one takes part in at a time.
    pub queries: usize,
    /// The memory of all these queries on this worker, in bytes.
    pub memory_bytes: u64,
    /// The memory of one of these queries on this worker, in bytes.
    pub query_memory_bytes: u64,
}

impl Default for PeersConfig {
    fn default() -> Self {
        Self {
            bind: None,
            list: Vec::new(),
            dns: None,
            token: None,
            tls: PeerTlsFiles::default(),
            query_workers: 32,
            queries: 16,
            memory_bytes: 2_000_000_000,
            query_memory_bytes: 1_000_000_000,
        }
    }
}

/// The files of TLS between workers: all three or none. Each end proves with the certificate who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerTlsFiles {
    /// This worker's certificate, followed by those of its CAs, as PEM.
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    pub key: Option<PathBuf>,
    /// The CAs of the workers' certificates.
    pub ca: Option<PathBuf>,
}

/// Why workers can't run queries together as they are set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeersError {
    /// A setting without another one that it needs.
    #[error("{given} is given and {missing} is not: {why}")]
    Incomplete {
        /// The setting that is set.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
        /// What they are for.
        why: &'static str,
    },
    /// Two ways to find the workers.
    #[error("--peers and --peers-dns are both given: one of them is enough to find the workers")]
    TwoSources,
    /// The workers' address is that of clients.
    #[error(
        "--peer-bind is {0}, which is also the address of clients: workers call each other on an address of its own"
    )]
    ClientAddress(SocketAddr),
    /// Whoever reaches the address could run plans.
    #[error(
        "--peer-bind is {0}, which is open to the network, and nothing proves who calls: give all workers the same \
         POLARWAY_PEER_TOKEN, or certificates (--peer-tls-cert, --peer-tls-key, --peer-tls-ca)"
    )]
    Open(SocketAddr),
    /// The engine takes part in queries already, for another server.
    #[error("another server of this program runs queries of several workers on the same engine")]
    Taken,
    /// The worker can't be set up.
    #[error(transparent)]
    Worker(#[from] polarway_distributed::Error),
    /// TLS can't be set up.
    #[error("TLS between workers can't be set up")]
    Tls(#[from] TlsError),
}

/// A configuration that can be used.
pub(super) struct Checked {
    pub(super) bind: SocketAddr,
    pub(super) source: PeerSource,
    pub(super) token: Option<Token>,
    /// The files of TLS: the certificate, its key, the CAs.
    pub(super) tls: Option<[PathBuf; 3]>,
    /// The name in the certificates of all workers, if they don't have those of their addresses.
    pub(super) name: Option<String>,
}

impl PeersConfig {
    /// What is set, if it fits together; `None` if this worker runs all queries alone.
    ///
    /// # Errors
    /// Settings that do not fit together, or that would let strangers run plans.
    pub(super) fn check(&self, clients: SocketAddr) -> Result<Option<Checked>, PeersError> {
        let named = self.named_source()?;
        let Some(bind) = self.bind else {
            let given = named.map(|(flag, _)| flag).or(self.token.is_some().then_some("POLARWAY_PEER_TOKEN"));
            let given = given.or(self.tls.given());
            let why = "workers call each other on an address of its own";
            return match given {
                Some(given) => Err(PeersError::Incomplete { given, missing: "--peer-bind", why }),
                None => Ok(None),
            };
        };
        let Some((_, source)) = named else {
            let why = "a worker has to know the others";
            return Err(PeersError::Incomplete {
                given: "--peer-bind",
                missing: "--peers or --peers-dns",
                why,
            });
        };
        let is_every = clients.ip().is_unspecified() || bind.ip().is_unspecified();
        if bind.port() == clients.port() && bind.port() != 0 && (is_every || bind.ip() == clients.ip()) {
            return Err(PeersError::ClientAddress(bind));
        }
        let tls = self.tls.all()?;
        let token = self.token.as_ref().map(|token| Token::new(token.reveal())).transpose()?;
        match tls.is_none() && token.is_none() && !bind.ip().is_loopback() {
            true => Err(PeersError::Open(bind)),
            false => Ok(Some(Checked { bind, name: certified_name(&source), source, token, tls })),
        }
    }

    /// Where the workers are, and the flag that says so.
    fn named_source(&self) -> Result<Option<(&'static str, PeerSource)>, PeersError> {
        match (&self.dns, self.list.is_empty()) {
            (Some(_), false) => Err(PeersError::TwoSources),
            (Some(dns), true) => Ok(Some(("--peers-dns", PeerSource::dns(dns)?))),
            (None, false) => Ok(Some(("--peers", PeerSource::list(self.list.iter().map(String::as_str))?))),
            (None, true) => Ok(None),
        }
    }
}

/// Certificates of workers behind one name have that name: the addresses behind it come and go.
fn certified_name(source: &PeerSource) -> Option<String> {
    match source {
        PeerSource::Dns { name, .. } => Some(name.clone()),
        PeerSource::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_up(change: impl FnOnce(&mut PeersConfig)) -> PeersConfig {
        let mut config = PeersConfig {
            bind: Some("0.0.0.0:50053".parse().unwrap()),
            list: vec!["worker-1:50053".to_owned(), "worker-2:50053".to_owned()],
            token: Some(Secret::new("0123456789abcdef")),
            ..PeersConfig::default()
        };
        change(&mut config);
        config
    }

    fn refusal(change: impl FnOnce(&mut PeersConfig)) -> String {
        let clients = "0.0.0.0:50052".parse().unwrap();
        set_up(change).check(clients).err().expect("it was accepted").to_string()
    }

    #[test]
    fn a_worker_without_settings_for_peers_takes_part_in_nothing() {
        assert!(PeersConfig::default().check("0.0.0.0:50052".parse().unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_list_or_a_name_is_enough_with_an_address_and_a_token() {
        let clients = "0.0.0.0:50052".parse().unwrap();
        assert!(set_up(|_| {}).check(clients).unwrap().is_some());
        let by_name = set_up(|config| {
            config.list.clear();
            config.dns = Some("workers:50053".to_owned());
        });
        let source = by_name.check(clients).unwrap().unwrap().source;
        assert_eq!(source, PeerSource::Dns { name: "workers".to_owned(), port: 50053 });
    }

    #[test]
    fn settings_that_do_not_fit_together_are_named() {
        let without_bind = refusal(|config| config.bind = None);
        assert!(without_bind.contains("--peers is given and --peer-bind is not"), "{without_bind}");
        let alone = refusal(|config| config.list.clear());
        assert!(alone.contains("--peer-bind is given and --peers or --peers-dns is not"), "{alone}");
        let token_alone = refusal(|config| {
            config.bind = None;
            config.list.clear();
        });
        assert!(token_alone.contains("POLARWAY_PEER_TOKEN is given and --peer-bind is not"), "{token_alone}");
        let both = refusal(|config| config.dns = Some("workers:50053".to_owned()));
        assert!(both.contains("--peers and --peers-dns"), "{both}");
        let same = refusal(|config| config.bind = Some("127.0.0.1:50052".parse().unwrap()));
        assert!(same.contains("also the address of clients"), "{same}");
        let half = refusal(|config| config.tls.certificate = Some("worker.pem".into()));
        assert!(half.contains("--peer-tls-cert is given and --peer-tls-key is not"), "{half}");
    }

    #[test]
    fn an_address_that_is_open_to_the_network_needs_a_token_or_certificates() {
        let open = refusal(|config| config.token = None);
        assert!(open.contains("0.0.0.0:50053") && open.contains("POLARWAY_PEER_TOKEN"), "{open}");
        let short = refusal(|config| config.token = Some(Secret::new("canary")));
        assert!(short.contains("16 characters") && !short.contains("canary"), "{short}");
        let on_loopback = set_up(|config| {
            config.token = None;
            config.bind = Some("127.0.0.1:0".parse().unwrap());
        });
        assert!(on_loopback.check("127.0.0.1:0".parse().unwrap()).unwrap().is_some());
    }
}
