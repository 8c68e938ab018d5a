//! Certificates in files, signed by CAs of the tests.

use std::path::{Path, PathBuf};

use polarway_client::{Builder, DistributedClient};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use tempfile::TempDir;

use crate::support::{PATIENCE, Server};

/// A CA.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A CA that this one signed.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    /// A certificate with its key, which this CA signed, as PEM.
    pub(crate) fn sign(&self, leaf: Leaf) -> Pair {
        let Leaf { params, key } = leaf;
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Pair { certificate, key: key.serialize_pem() }
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

/// A certificate before it is signed: valid for this machine and for both ends, from 2020 to 2100, unless changed.
pub(crate) struct Leaf {
    params: CertificateParams,
    key: KeyPair,
}

impl Leaf {
    pub(crate) fn new() -> Self {
        Self::named(&["localhost", "127.0.0.1"])
    }

    pub(crate) fn named(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2100, 1, 1);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Self { params, key: KeyPair::generate().unwrap() }
    }

    pub(crate) fn expired(mut self) -> Self {
        self.params.not_after = date_time_ymd(2021, 1, 1);
        self
    }

    pub(crate) fn not_valid_yet(mut self) -> Self {
        self.params.not_before = date_time_ymd(2099, 1, 1);
        self
    }

    pub(crate) fn only_for(mut self, usage: ExtendedKeyUsagePurpose) -> Self {
        self.params.extended_key_usages = vec![usage];
        self
    }

    pub(crate) fn with_key(mut self, key: KeyPair) -> Self {
        self.key = key;
        self
    }

    /// As `openssl req -x509` makes it.
    pub(crate) fn self_signed_as_ca(mut self) -> Pair {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = self.params.self_signed(&self.key).unwrap().pem();
        Pair { certificate, key: self.key.serialize_pem() }
    }
}

/// A certificate and its key, as PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// A folder of certificates.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// Replaces a file by another in one step.
    pub(crate) fn replace(&self, name: &str, content: &str) {
        let new = self.write("new", content);
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// Writes a certificate and its key, and returns their paths.
    pub(crate) fn write_pair(&self, name: &str, pair: &Pair) -> (String, String) {
        let certificate = self.write(&format!("{name}.crt"), &pair.certificate);
        (certificate, self.write(&format!("{name}.key"), &pair.key))
    }
}

/// A server that speaks TLS, with a CA of its own.
pub(crate) struct SecureServer {
    pub(crate) server: Server,
    pub(crate) authority: Authority,
    pub(crate) files: Files,
}

impl SecureServer {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, which requires certificates of its clients that its own CA signed.
    pub(crate) fn start_for_known_clients() -> Self {
        let authority = Authority::new("the CA of all");
        let files = Files::new();
        let clients = files.write("clients.crt", authority.pem());
        Self::start_over(authority, files, &["--tls-ca", &clients])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::start_over(Authority::new("the CA of all"), Files::new(), flags)
    }

    fn start_over(authority: Authority, files: Files, flags: &[&str]) -> Self {
        files.write("ca.crt", authority.pem());
        let (certificate, key) = files.write_pair("server", &authority.sign(Leaf::new()));
        let mut all = vec!["--tls-cert", &certificate, "--tls-key", &key];
        all.extend(flags);
        Self { server: Server::start_with(&all), authority, files }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.server.address())
    }

    /// A client that trusts the server's CA.
    pub(crate) fn builder(&self) -> Builder {
        trusting(&self.url(), &self.files.path("ca.crt"))
    }

    pub(crate) async fn client(&self) -> DistributedClient {
        self.builder().connect().await.unwrap()
    }

    /// The same with a certificate of its own.
    pub(crate) fn builder_with(&self, pair: &Pair) -> Builder {
        let (certificate, key) = self.files.write_pair("client", pair);
        self.builder().tls_identity(certificate, key)
    }
}

pub(crate) fn trusting(url: &str, ca: &Path) -> Builder {
    DistributedClient::builder().url(url).timeout(PATIENCE).tls_ca(ca)
}
