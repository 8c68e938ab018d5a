//! Why no client for a bucket could be made.

use std::io;
use std::path::PathBuf;

use crate::url::BucketUrl;

/// The result of making a client.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why no client for a bucket could be made. No message has a secret in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An endpoint that is no URL of a service.
    #[error(
        "the endpoint {endpoint:?} is not a URL such as https://storage.example.com:9000, without a user or password"
    )]
    Endpoint {
        /// The endpoint, without a user and password.
        endpoint: String,
    },

    /// An endpoint without encryption, which nobody allowed.
    #[error(
        "the endpoint {endpoint:?} is not encrypted: use https://, or allow plain HTTP for buckets (--bucket-plain-http)"
    )]
    PlainHttp {
        /// The endpoint.
        endpoint: String,
    },

    /// A file with certificates that can't be used.
    #[error("can't use the certificates in {}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A profile of AWS that can't be used.
    #[error("can't use the AWS profile {profile:?}: {reason}")]
    Profile {
        /// Its name.
        profile: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A file with settings or credentials that can't be read.
    #[error("can't read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },

    /// A variable whose value can't be used.
    #[error("{variable} can't be used: {reason}")]
    Variable {
        /// Its name.
        variable: &'static str,
        /// What is wrong. It does not repeat the value.
        reason: String,
    },

    /// A combination of settings or variables that the client refuses.
    #[error("can't make a client for {url}: {reason}")]
    Client {
        /// The bucket.
        url: BucketUrl,
        /// Why.
        reason: String,
    },
}
