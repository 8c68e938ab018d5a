//! Messages about why a TLS connection failed.

use std::error::Error as StdError;
use std::io;
use std::time::SystemTime;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

use crate::identity::system_time;

/// The names of the two ends in a message.
#[derive(Clone, Copy, Debug)]
pub struct Sides {
    /// This end, such as `this client`.
    pub ours: &'static str,
    /// The other end, such as `the server`.
    pub theirs: &'static str,
}

/// The error of TLS among an error and its causes, if there is one.
pub fn tls_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // The error inside of an `io::Error` is not its source.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Why a connection failed.
pub fn explain(error: &Error, sides: Sides) -> String {
    let Sides { ours, theirs } = sides;
    match error {
        Error::InvalidCertificate(problem) => format!("the certificate of {theirs} {}", of_theirs(problem)),
        Error::NoCertificatesPresented => format!("{theirs} sent no certificate, and {ours} requires one"),
        Error::AlertReceived(alert) => of_ours(*alert, sides),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("{theirs} does not speak TLS")
        }
        Error::PeerIncompatible(_) => {
            format!("{theirs} speaks no version or algorithm of TLS that {ours} does: {error}")
        }
        Error::NoApplicationProtocol => format!("{theirs} does not speak HTTP/2 inside of TLS"),
        other => format!("TLS failed: {other}"),
    }
}

/// What is wrong with the other end's certificate.
fn of_theirs(problem: &CertificateError) -> String {
    match problem {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired at {}", date(system_time(*not_after)))
        }
        CertificateError::Expired => "has expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is valid only from {} on: check the clocks", date(system_time(*not_before)))
        }
        CertificateError::NotValidYet => "is not valid yet: check the clocks".to_owned(),
        CertificateError::UnknownIssuer => "is signed by a CA that is not trusted here".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<&str> = presented.iter().map(|name| plain_name(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("is for {names}, and not for {}", expected.to_str())
        }
        CertificateError::NotValidForName => "is for another name".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "was made for another purpose: its extended key usage must include this one".to_owned()
        }
        CertificateError::BadSignature => "has a wrong signature".to_owned(),
        CertificateError::BadEncoding => "can't be parsed".to_owned(),
        CertificateError::Revoked => "was revoked".to_owned(),
        // webpki's error, whose type is not in the API of rustls.
        CertificateError::Other(OtherError(inner)) if inner.to_string().contains("CaUsedAsEndEntity") => {
            "is that of a CA (CA:TRUE) and can't identify a server or a client: make one with CA:FALSE"
                .to_owned()
        }
        other => format!("can't be used: {other}"),
    }
}

/// The alert of the other end, mostly about our certificate.
fn of_ours(alert: AlertDescription, sides: Sides) -> String {
    let Sides { ours, theirs } = sides;
    match alert {
        AlertDescription::CertificateRequired => {
            format!("{theirs} requires a certificate, and {ours} has none")
        }
        AlertDescription::UnknownCA => {
            format!("{theirs} does not trust the certificate of {ours}: it is signed by another CA")
        }
        AlertDescription::CertificateExpired => {
            format!("{theirs} says that the certificate of {ours} has expired or is not valid yet")
        }
        AlertDescription::CertificateRevoked => {
            format!("{theirs} says that the certificate of {ours} was revoked")
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => {
            format!("{theirs} refuses the certificate of {ours} ({alert:?})")
        }
        AlertDescription::ProtocolVersion => format!("{theirs} speaks no version of TLS that {ours} does"),
        AlertDescription::NoApplicationProtocol => format!("{theirs} does not speak HTTP/2 inside of TLS"),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            format!("{theirs} found no algorithm of TLS that both ends have, or no certificate that it needs")
        }
        other => format!("{theirs} ended the TLS connection ({other:?})"),
    }
}

/// `localhost` of `DnsName("localhost")`, and `127.0.0.1` of `IpAddress(127.0.0.1)`.
fn plain_name(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

/// A time for people: `2026-11-27T15:37:25Z`.
pub(crate) fn date(time: SystemTime) -> impl std::fmt::Display {
    humantime::format_rfc3339_seconds(time)
}
