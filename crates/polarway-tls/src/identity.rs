//! A certificate with its key, with which one end proves its identity.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use crate::pem::{CredentialError, Pem, certificates, private_key};

/// A certificate, the certificates of its CAs, and its key. They belong together, and the certificate is valid now.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    valid_until: SystemTime,
}

impl Identity {
    /// Takes the certificate and its key from PEM files, and checks them at this time.
    ///
    /// # Errors
    /// Files that are damaged or hold something else, a key of another certificate, and a certificate that is not valid at
    /// this time.
    pub fn from_pem(
        certificate: Pem<'_>,
        key: Pem<'_>,
        provider: &CryptoProvider,
        now: SystemTime,
    ) -> Result<Self, CredentialError> {
        let chain = certificates(certificate)?;
        let private_key = private_key(key)?;
        let valid_until = validity(certificate, &chain[0], provider, now)?;
        let key = CertifiedKey::from_der(chain, private_key, provider).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CredentialError::Mismatch {
                certificate: certificate.path.to_owned(),
                key: key.path.to_owned(),
            },
            _ => CredentialError::UnsupportedKey { path: key.path.to_owned() },
        })?;
        Ok(Self { key: Arc::new(key), valid_until })
    }

    /// When the certificate expires.
    pub fn valid_until(&self) -> SystemTime {
        self.valid_until
    }

    /// The same, for a configuration of rustls.
    pub fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(Arc::clone(&self.key)))
    }
}

/// The end of a certificate's validity.
fn validity(
    pem: Pem<'_>,
    certificate: &CertificateDer<'_>,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<SystemTime, CredentialError> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| pem.damaged(error))?;
    // rustls reports a certificate's times only in the error about an invalid certificate, and it checks the time before the
    // issuer. With no trusted issuer, the certificate is always invalid, and the error shows whether the time is the reason.
    let problem_at = |time: SystemTime| {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let algorithms = provider.signature_verification_algorithms.all;
        let (none, now) = (RootCertStore::empty(), UnixTime::since_unix_epoch(since_epoch));
        verify_server_cert_signed_by_trust_anchor(&parsed, &none, &[], now, algorithms).err()
    };
    let path = || pem.path.to_owned();
    match problem_at(now) {
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            return Err(CredentialError::Expired { path: path(), at: system_time(not_after) });
        }
        Some(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            return Err(CredentialError::NotValidYet { path: path(), from: system_time(not_before) });
        }
        // Its validity ends before it begins.
        Some(Error::InvalidCertificate(CertificateError::Expired)) => {
            return Err(pem.damaged("the certificate is valid at no time"));
        }
        _ => {}
    }
    match problem_at(UNIX_EPOCH + END_OF_TIME) {
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Ok(system_time(not_after))
        }
        _ => Ok(UNIX_EPOCH + END_OF_TIME),
    }
}

/// 9999-12-31T23:59:59Z, the end of certificates that never expire (RFC 5280, section 4.1.2.5).
const END_OF_TIME: Duration = Duration::from_secs(253_402_300_799);

/// The same time in the type of the standard library.
pub(crate) fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::provider;

    /// A certificate that is valid in the years from 2020 to 2030, and its key.
    fn made() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn at(date: &str) -> SystemTime {
        humantime::parse_rfc3339(date).unwrap()
    }

    fn read(certificate: &str, key: &str, now: &str) -> Result<Identity, String> {
        let certificate = Pem { path: Path::new("server.crt"), content: certificate.as_bytes() };
        let key = Pem { path: Path::new("server.key"), content: key.as_bytes() };
        Identity::from_pem(certificate, key, &provider(), at(now)).map_err(|error| error.to_string())
    }

    const NOW: &str = "2026-11-27T00:00:00Z";

    #[test]
    fn a_valid_pair_tells_when_it_expires() {
        let (certificate, key) = made();
        let identity = read(&certificate, &key, NOW).unwrap();
        assert_eq!(identity.valid_until(), at("2030-01-01T00:00:00Z"));
    }

    #[test]
    fn a_certificate_outside_of_its_time_is_refused_with_that_time() {
        let (certificate, key) = made();
        let late = read(&certificate, &key, "2031-01-01T00:00:00Z").unwrap_err();
        assert_eq!(late, "the certificate in server.crt expired at 2030-01-01T00:00:00Z");
        let early = read(&certificate, &key, "2019-01-01T00:00:00Z").unwrap_err();
        assert!(early.contains("valid only from 2020-01-01T00:00:00Z on"), "{early}");
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_by_name() {
        let error = read(&made().0, &made().1, NOW).unwrap_err();
        assert!(error.contains("the key in server.key is not that of the first certificate"), "{error}");
    }

    #[test]
    fn what_is_no_certificate_or_key_is_refused_by_name_and_a_key_is_not_told() {
        let (certificate, key) = made();
        let middle = key.len() / 2;
        let broken_key = format!("{}!{}", &key[..middle], &key[middle..]);
        let cut_key = &key[..middle];
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let old_encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (certificate, key, expected) in [
            ("", &*key, "server.crt has no certificate"),
            (&*key, &*certificate, "server.crt has no certificate"),
            (empty, &*key, "server.crt is damaged"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", &*key, "server.crt is damaged: a part has no END line"),
            (&*certificate, "", "server.key has no private key"),
            (&*certificate, &*certificate, "server.key has no private key"),
            (&*certificate, no_key, "the key in server.key can't be used"),
            (&*certificate, encrypted, "the key in server.key is encrypted"),
            (&*certificate, old_encrypted, "the key in server.key is encrypted"),
            (&*certificate, &*broken_key, "server.key is damaged: a part is not valid base64"),
            (&*certificate, cut_key, "server.key is damaged: a part has no END line"),
        ] {
            let error = read(certificate, key, NOW).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
            let secret = key.lines().nth(1).filter(|line| line.len() > 20);
            assert!(secret.is_none_or(|line| !error.contains(&line[..20])), "{error}");
        }
    }
}
