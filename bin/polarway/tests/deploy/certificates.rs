//! Certificates as an operator makes them.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

/// An authority, a certificate of it for servers, and one for clients, each as PEM.
pub(crate) struct Certificates {
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let authority = Issuer::new(authority, authority_key);
        let signed = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let mut parameters = CertificateParams::new(names).unwrap();
            // A worker asks itself for its health, with its own certificate.
            parameters.extended_key_usages =
                vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
            let key = KeyPair::generate().unwrap();
            (parameters.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
        };
        Self {
            authority: authority_pem,
            server: signed(&["polarway", "localhost", "127.0.0.1"]),
            client: signed(&["client"]),
        }
    }

    /// Puts them into a folder, under the names that the files of `deploy/` use.
    pub(crate) fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        let (server, client) = (&self.server, &self.client);
        let files = [
            ("ca.crt", &self.authority),
            ("server.crt", &server.0),
            ("server.key", &server.1),
            ("client.crt", &client.0),
            ("client.key", &client.1),
        ];
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }
}
