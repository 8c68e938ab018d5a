//! Certificates and keys in PEM files, and what can be wrong with them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::words::date;

/// A PEM file that was read.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    /// Its path, for messages.
    pub path: &'a Path,
    /// Its content.
    pub content: &'a [u8],
}

/// Certificates or keys that can't be used. The message names the file, and contains nothing of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The file has no certificate.
    #[error("{} has no certificate: it must be PEM, with a part that begins with -----BEGIN CERTIFICATE-----", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file has no private key.
    #[error("{} has no private key: it must be PEM, with a part that begins with -----BEGIN PRIVATE KEY-----", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key needs a password.
    #[error("the key in {} is encrypted: give it decrypted, as `openssl pkey -in FILE -out FILE` writes it", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The key is of a kind that TLS can't use.
    #[error("the key in {} can't be used: it must be ECDSA (P-256 or P-384), Ed25519, or RSA of 2,048 to 8,192 bits", path.display())]
    UnsupportedKey {
        /// The file.
        path: PathBuf,
    },
    /// The key belongs to another certificate.
    #[error(
        "the key in {} is not that of the first certificate in {}: give the key that the certificate was made for, and put the \
         certificate before those of its CAs",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate has expired.
    #[error("the certificate in {} expired at {}", path.display(), date(*at))]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it expired.
        at: SystemTime,
    },
    /// The certificate is not valid yet.
    #[error("the certificate in {} is valid only from {} on: check this machine's clock", path.display(), date(*from))]
    NotValidYet {
        /// The file.
        path: PathBuf,
        /// When it becomes valid.
        from: SystemTime,
    },
}

/// The CAs in a PEM file, to check the certificates of the other end.
///
/// # Errors
/// A file without certificates, or with one that is damaged.
pub fn roots(pem: Pem<'_>) -> Result<RootCertStore, CredentialError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| pem.damaged(error))?;
    }
    Ok(roots)
}

/// All certificates of a file; at least one.
pub(crate) fn certificates(pem: Pem<'_>) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    let found = CertificateDer::pem_slice_iter(pem.content).collect::<Result<Vec<_>, _>>();
    match found.map_err(|error| pem.damaged(words(&error)))? {
        found if found.is_empty() => Err(CredentialError::NoCertificate { path: pem.path.to_owned() }),
        found => Ok(found),
    }
}

/// The private key of a file: PKCS #8, PKCS #1 or SEC 1.
pub(crate) fn private_key(pem: Pem<'_>) -> Result<PrivateKeyDer<'static>, CredentialError> {
    let path = || pem.path.to_owned();
    match PrivateKeyDer::from_pem_slice(pem.content) {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(pem.content) => Err(CredentialError::EncryptedKey { path: path() }),
        Err(PemError::NoItemsFound) => Err(CredentialError::NoKey { path: path() }),
        Err(error) => Err(pem.damaged(words(&error))),
    }
}

/// Whether a PEM file has an encrypted key, in the form of PKCS #8 or in the older one.
fn is_encrypted(content: &[u8]) -> bool {
    let marks: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];
    marks.iter().any(|mark| content.windows(mark.len()).any(|part| part == *mark))
}

/// An error of the parser. Its own text may contain a line of the file, which may be part of a key.
fn words(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "a part has no END line",
        PemError::IllegalSectionStart { .. } => "a BEGIN line is malformed",
        PemError::Base64Decode(_) => "a part is not valid base64",
        PemError::SectionTooLarge => "a part is too large",
        _ => "it can't be parsed as PEM",
    }
}

impl Pem<'_> {
    /// The error that this file is damaged.
    pub(crate) fn damaged(&self, problem: impl ToString) -> CredentialError {
        CredentialError::Damaged { path: self.path.to_owned(), problem: problem.to_string() }
    }
}
