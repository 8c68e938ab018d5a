//! How buckets are reached.

use std::path::PathBuf;

use crate::variables::Variables;

/// How buckets are reached: plain data. What is not set here is as the variables of the cloud say, and otherwise as is usual there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketOptions {
    /// The URL of the service, where it is not the cloud's own.
    pub endpoint: Option<String>,
    /// The region of the bucket, for S3.
    pub region: Option<String>,
    /// Whether the name of the bucket is part of the host's name, for S3. Otherwise it begins the path.
    pub virtual_hosted: bool,
    /// Whether an endpoint may be reached without encryption.
    pub plain_http: bool,
    /// A PEM file with certificates of authorities that are trusted beside those of the system.
    pub ca_file: Option<PathBuf>,
    /// The URL of a proxy for all requests. Without it, `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` decide.
    pub proxy: Option<String>,
    /// The variables with the credentials, in place of those of the process.
    pub variables: Option<Variables>,
}
