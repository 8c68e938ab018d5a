//! Where a bucket is, as a URL.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;

/// A cloud whose protocol a bucket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Amazon S3, and other services with its protocol.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// Google Cloud Storage.
    Gcs,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::S3, Self::Azure, Self::Gcs];

    /// Its name in settings and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "azure",
            Self::Gcs => "gcs",
        }
    }

    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Azure => "az",
            Self::Gcs => "gs",
        }
    }
}

/// A bucket, and the prefix in it under which everything lies: `s3://bucket/prefix`, `az://container/prefix` or
/// `gs://bucket/prefix`.
///
/// ```
/// use polarway_bucket::{BucketUrl, Provider};
///
/// let url: BucketUrl = "s3://lake/tables/".parse()?;
/// assert_eq!((url.provider(), url.bucket(), url.prefix()), (Provider::S3, "lake", "tables"));
/// assert_eq!(url.to_string(), "s3://lake/tables");
/// # Ok::<(), polarway_bucket::InvalidUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    provider: Provider,
    bucket: String,
    prefix: String,
}

/// A text that is no URL of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: write s3://bucket/prefix, az://container/prefix or gs://bucket/prefix")]
pub struct InvalidUrl {
    what: &'static str,
}

impl BucketUrl {
    /// A bucket of a provider, by its name, which a prefix may follow after a slash.
    ///
    /// # Errors
    /// A name that no bucket has, and a prefix that no object can have.
    pub fn new(provider: Provider, bucket_and_prefix: &str) -> Result<Self, InvalidUrl> {
        let (bucket, prefix) = bucket_and_prefix.split_once('/').unwrap_or((bucket_and_prefix, ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'$');
        if bucket.is_empty() || !bucket.bytes().all(is_name) || bucket.bytes().all(|byte| byte == b'.') {
            return Err(InvalidUrl { what: "that is not the name of a bucket" });
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_plain = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && !part.contains(['?', '#', '%', '\\', '*'])
        };
        let is_prefix = prefix.is_empty() || (prefix.split('/').all(is_plain) && Path::parse(prefix).is_ok());
        if !is_prefix {
            return Err(InvalidUrl { what: "that is not the prefix of objects" });
        }
        Ok(Self { provider, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    /// Whether a text is meant as a URL and not as a path, right or wrong: `s3://lake`, and also `s3:/lake` and `https://lake`.
    pub fn is_meant_by(text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
        text.contains("://") || Provider::ALL.iter().any(|known| known.scheme().eq_ignore_ascii_case(scheme))
    }

    /// Whose protocol the bucket speaks.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The name of the bucket; Azure calls it a container.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix, without a slash at its ends; empty for the whole bucket.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The same with another prefix, if this one has none.
    ///
    /// # Errors
    /// A prefix that no object can have.
    pub fn or_prefix(self, prefix: &str) -> Result<Self, InvalidUrl> {
        if self.prefix.is_empty() {
            Self::new(self.provider, &format!("{}/{prefix}", self.bucket))
        } else {
            Ok(self)
        }
    }

    /// Whether all that lies here lies in the other place too.
    pub fn is_within(&self, other: &Self) -> bool {
        let inside = self.prefix.strip_prefix(&other.prefix);
        self.provider == other.provider
            && self.bucket == other.bucket
            && (other.prefix.is_empty()
                || inside.is_some_and(|inside| inside.is_empty() || inside.starts_with('/')))
    }
}

impl FromStr for BucketUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl { what: "that is not a URL" })?;
        let provider =
            Provider::ALL.into_iter().find(|provider| provider.scheme().eq_ignore_ascii_case(scheme));
        Self::new(provider.ok_or(InvalidUrl { what: "no bucket has a URL with this scheme" })?, rest)
    }
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.provider.scheme(), self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_bucket_and_perhaps_a_prefix() {
        for (text, shown, prefix) in [
            ("s3://lake", "s3://lake", ""),
            ("s3://lake/", "s3://lake", ""),
            ("S3://lake/a/b/", "s3://lake/a/b", "a/b"),
            ("az://con-tainer/x", "az://con-tainer/x", "x"),
            ("gs://a.b_c/year=2024/ü x", "gs://a.b_c/year=2024/ü x", "year=2024/ü x"),
        ] {
            let url: BucketUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.prefix()), (shown, prefix));
        }
    }

    #[test]
    fn what_is_no_url_of_a_bucket_is_refused_with_what_would_be_one() {
        for text in [
            "",
            "lake",
            "/data/cold",
            "s3:/lake",
            "s3://",
            "s3:///x",
            "s3://user:canary@lake/x",
            "s3://lake?x=1",
            "s3://lake/a//b",
            "s3://lake/../x",
            "s3://lake/a/./b",
            "s3://lake/a#b",
            "s3://lake/a%2Fb",
            "s3://lake/a\nb",
            "s3://la ke",
            "https://lake",
            "s3a://lake",
            "s3://..",
            "s3://lake/a*",
        ] {
            let refusal = text.parse::<BucketUrl>().map(|url| url.to_string()).unwrap_err().to_string();
            assert!(
                refusal.contains("s3://bucket/prefix") && !refusal.contains("canary"),
                "{text}: {refusal}"
            );
        }
    }

    #[test]
    fn a_text_that_is_meant_as_a_url_is_never_taken_for_a_path() {
        for text in ["s3://lake", "S3:/lake", "gs:lake", "az:", "file:///data", "https://lake/x"] {
            assert!(BucketUrl::is_meant_by(text), "{text}");
        }
        for text in ["", "/data/s3:/cold", "./s3", "cold", "C:/data", "a:b"] {
            assert!(!BucketUrl::is_meant_by(text), "{text}");
        }
    }

    #[test]
    fn a_place_lies_within_another_by_whole_names() {
        let within = |inner: &str, outer: &str| {
            inner.parse::<BucketUrl>().unwrap().is_within(&outer.parse::<BucketUrl>().unwrap())
        };
        assert!(
            within("s3://b/x", "s3://b")
                && within("s3://b/x/y", "s3://b/x")
                && within("s3://b/x", "s3://b/x/")
        );
        assert!(
            !within("s3://b/xy", "s3://b/x")
                && !within("s3://b", "s3://b/x")
                && !within("s3://b/x", "gs://b/x")
        );
        assert!(!within("s3://c/x", "s3://b"));
    }
}
