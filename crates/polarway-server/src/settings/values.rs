//! Values as text: one parser for flags, variables and the file.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use polarway_core::{BucketUrl, HandleStoreKind, Location, Provider};
use polarway_distributed::PeerSource;

use crate::{KeySource, LogFormat, Reflection};

/// What a valid value would be: `a number of GB, such as 2.0`.
pub(crate) type Invalid = &'static str;

/// The value of a duration that means: never.
const NEVER: &str = "never";

/// The value of a number that means: no limit.
pub(crate) const UNLIMITED: &str = "unlimited";

/// The value of a number that means: computed from other settings.
const AUTO: &str = "auto";

const GB: f64 = 1e9;

/// The engine's minimum. It is checked here too, since only here the value's origin is known.
const LEAST_GRACE: Duration = Duration::from_secs(600);

pub(crate) fn address(text: &str) -> Result<SocketAddr, Invalid> {
    const EXPECTED: &str = "an address and a port, such as 0.0.0.0:50052 or localhost:50052";

    let mut found = text.to_socket_addrs().map_err(|_| EXPECTED)?;
    found.next().ok_or(EXPECTED)
}

/// An address; an empty text is none.
pub(crate) fn optional_address(text: &str) -> Result<Option<SocketAddr>, Invalid> {
    if text.trim().is_empty() { Ok(None) } else { address(text.trim()).map(Some) }
}

/// Hosts and ports of workers; an empty text is none.
pub(crate) fn workers(text: &str) -> Result<Vec<String>, Invalid> {
    const EXPECTED: &str =
        "hosts and ports of workers with commas between them, such as worker-1:50053,worker-2:50053";

    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = text.split(',').map(|worker| worker.trim().to_owned()).collect();
    PeerSource::list(list.iter().map(String::as_str)).map(|_| list).map_err(|_| EXPECTED)
}

/// A name with the port of all workers behind it; an empty text is none.
pub(crate) fn workers_name(text: &str) -> Result<Option<String>, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let found = PeerSource::dns(text).map(|_| Some(text.to_owned()));
    found.map_err(|_| "one name and a port, such as polarway-workers:50053")
}

pub(crate) fn directory(text: &str) -> Result<PathBuf, Invalid> {
    if text.is_empty() || BucketUrl::is_meant_by(text) { Err("a directory") } else { Ok(text.into()) }
}

/// A directory, or the URL of a bucket.
pub(crate) fn location(text: &str) -> Result<Location, Invalid> {
    const EXPECTED: &str =
        "a directory, or a URL such as s3://bucket/prefix, az://container/prefix or gs://bucket/prefix";

    let text = text.trim();
    if text.is_empty() { Err(EXPECTED) } else { text.parse().map_err(|_| EXPECTED) }
}

/// The name of a bucket, which a prefix may follow; an empty text is none.
pub(crate) fn bucket(provider: Provider, text: &str) -> Result<Option<BucketUrl>, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    BucketUrl::new(provider, text).map(Some).map_err(|_| "the name of a bucket, such as lake, or lake/prefix")
}

pub(crate) fn bucket_text(bucket: Option<&BucketUrl>) -> String {
    match bucket {
        None => String::new(),
        Some(url) if url.prefix().is_empty() => url.bucket().to_owned(),
        Some(url) => format!("{}/{}", url.bucket(), url.prefix()),
    }
}

/// The URL of a service of buckets, or of a proxy.
pub(crate) fn service(text: &str) -> Result<Option<String>, Invalid> {
    optional_url(text, "a URL without user and password, such as https://storage.example.com:9000")
}

/// The URL of a collector.
pub(crate) fn collector(text: &str) -> Result<Option<String>, Invalid> {
    optional_url(text, "a URL without user and password, such as http://localhost:4317")
}

/// A URL of HTTP; an empty text is none. It is shown with the other settings, so it must not have a password in it.
fn optional_url(text: &str, expected: Invalid) -> Result<Option<String>, Invalid> {
    let text = text.trim();
    let is_fit = |url: &Uri| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    };
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(url) if is_fit(&url) => Ok(Some(text.to_owned())),
        _ => Err(expected),
    }
}

pub(crate) fn file(text: &str) -> Result<PathBuf, Invalid> {
    if text.is_empty() || BucketUrl::is_meant_by(text) { Err("a file") } else { Ok(text.into()) }
}

/// An empty text is no file.
pub(crate) fn optional_file(text: &str) -> Result<Option<PathBuf>, Invalid> {
    if text.is_empty() { Ok(None) } else { file(text).map(Some) }
}

pub(crate) fn optional_file_text(file: Option<&Path>) -> String {
    file.map_or_else(String::new, |file| file.display().to_string())
}

pub(crate) fn text(text: &str) -> Result<String, Invalid> {
    if text.is_empty() { Err("a text") } else { Ok(text.to_owned()) }
}

/// An empty text is none.
pub(crate) fn optional_text(text: &str) -> Result<Option<String>, Invalid> {
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// An empty text is none.
pub(crate) fn key_source(text: &str) -> Result<Option<KeySource>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let keys = KeySource::parse(text)
        .ok_or("a file, or a URL that begins with https://; http:// is for this machine alone")?;
    Ok(Some(keys))
}

/// What keeps handles: the kind, and the cloud whose bucket it is if it is one.
pub(crate) fn handle_store(text: &str) -> Result<(HandleStoreKind, Option<Provider>), Invalid> {
    let text = text.trim();
    match text {
        "memory" => Ok((HandleStoreKind::Memory, None)),
        "external" => Ok((HandleStoreKind::External, None)),
        _ => match Provider::ALL.into_iter().find(|provider| provider.name() == text) {
            Some(provider) => Ok((HandleStoreKind::External, Some(provider))),
            None => Err("memory, external, s3, azure or gcs"),
        },
    }
}

pub(crate) fn handle_store_text(store: HandleStoreKind, provider: Option<Provider>) -> &'static str {
    match (store, provider) {
        (HandleStoreKind::External, Some(provider)) => provider.name(),
        (HandleStoreKind::External, None) => "external",
        _ => "memory",
    }
}

pub(crate) fn reflection(text: &str) -> Result<Reflection, Invalid> {
    match text.trim() {
        "public" => Ok(Reflection::Public),
        "authenticated" => Ok(Reflection::Authenticated),
        "off" => Ok(Reflection::Off),
        _ => Err("public, authenticated or off"),
    }
}

pub(crate) fn reflection_text(reflection: Reflection) -> &'static str {
    match reflection {
        Reflection::Public => "public",
        Reflection::Authenticated => "authenticated",
        Reflection::Off => "off",
    }
}

pub(crate) fn gigabytes(text: &str) -> Result<u64, Invalid> {
    match text.trim().parse::<f64>() {
        Ok(number) if (0.0..1e9).contains(&number) => Ok((number * GB).round() as u64),
        _ => Err("a number of GB, such as 2.0"),
    }
}

pub(crate) fn gigabytes_above_zero(text: &str) -> Result<u64, Invalid> {
    match gigabytes(text) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => Err("a number of GB above 0, such as 2.0"),
    }
}

/// `None` means that the engine computes it from its other settings.
pub(crate) fn gigabytes_or_auto(text: &str) -> Result<Option<u64>, Invalid> {
    match text.trim() {
        AUTO => Ok(None),
        text => {
            gigabytes_above_zero(text).map(Some).map_err(|_| "a number of GB above 0, such as 2.0, or auto")
        }
    }
}

pub(crate) fn gigabytes_or_auto_text(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| AUTO.to_owned(), in_gigabytes)
}

pub(crate) fn in_gigabytes(bytes: u64) -> String {
    format!("{:?}", bytes as f64 / GB)
}

pub(crate) fn log_format(text: &str) -> Result<LogFormat, Invalid> {
    match text.trim() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("text or json"),
    }
}

pub(crate) fn log_format_text(format: LogFormat) -> &'static str {
    match format {
        LogFormat::Text => "text",
        LogFormat::Json => "json",
    }
}

/// A value as it may be shown: a URL loses its user and password.
pub(crate) fn without_password(text: &str) -> String {
    match text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, rest)) => format!("{scheme}://…@{rest}"),
        None => text.to_owned(),
    }
}

pub(crate) fn switch(text: &str) -> Result<bool, Invalid> {
    text.trim().parse().map_err(|_| "true or false")
}

pub(crate) fn port(text: &str) -> Result<u16, Invalid> {
    text.trim().parse().map_err(|_| match text.contains("://") {
        true => {
            "a port from 0 to 65535; Kubernetes sets such a variable for a service of that name, unless the pod has \
             `enableServiceLinks: false`"
        }
        false => "a port from 0 to 65535",
    })
}

pub(crate) fn count(text: &str) -> Result<usize, Invalid> {
    match text.trim().parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("a whole number from 1 on"),
    }
}

pub(crate) fn count_below_2_to_32(text: &str) -> Result<u32, Invalid> {
    u32::try_from(count(text)?).map_err(|_| "a whole number from 1 to 4294967295")
}

/// The size of a chunk; the protocol allows no larger one.
pub(crate) fn chunk_mebibytes(text: &str) -> Result<usize, Invalid> {
    match text.trim().parse::<usize>() {
        Ok(mebibytes) if (2..=64).contains(&mebibytes) => Ok(mebibytes << 20),
        _ => Err("a whole number of MiB from 2 to 64"),
    }
}

pub(crate) fn count_or_unlimited(text: &str) -> Result<u64, Invalid> {
    match text.trim() {
        UNLIMITED => Ok(u64::MAX),
        text => match text.parse() {
            Ok(count) if count > 0 => Ok(count),
            _ => Err("a whole number from 1 on, or unlimited"),
        },
    }
}

pub(crate) fn count_text(count: u64) -> String {
    if count == u64::MAX { UNLIMITED.to_owned() } else { count.to_string() }
}

pub(crate) fn gigabytes_or_unlimited(text: &str) -> Result<u64, Invalid> {
    match text.trim() {
        UNLIMITED => Ok(u64::MAX),
        text => gigabytes_above_zero(text).map_err(|_| "a number of GB above 0, such as 2.0, or unlimited"),
    }
}

pub(crate) fn gigabytes_text(bytes: u64) -> String {
    if bytes == u64::MAX { UNLIMITED.to_owned() } else { in_gigabytes(bytes) }
}

pub(crate) fn duration(text: &str) -> Result<Duration, Invalid> {
    humantime::parse_duration(text.trim()).map_err(|_| "a duration, such as 90s, 30m or 1h 30m")
}

pub(crate) fn grace(text: &str) -> Result<Duration, Invalid> {
    match duration(text)? {
        grace if grace < LEAST_GRACE => Err("a duration such as 1h; grace must be ten minutes at least"),
        grace => Ok(grace),
    }
}

pub(crate) fn duration_above_zero(text: &str) -> Result<Duration, Invalid> {
    match duration(text)? {
        Duration::ZERO => Err("a duration above 0, such as 60s"),
        duration => Ok(duration),
    }
}

pub(crate) fn duration_or_never(text: &str) -> Result<Option<Duration>, Invalid> {
    if text.trim() == NEVER {
        return Ok(None);
    }
    match duration_above_zero(text) {
        Ok(duration) => Ok(Some(duration)),
        Err(_) => Err("a duration above 0, such as 5m, or never"),
    }
}

pub(crate) fn duration_or_never_text(duration: Option<Duration>) -> String {
    duration.map_or_else(|| NEVER.to_owned(), duration_text)
}

pub(crate) fn duration_text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gigabytes_are_ten_to_the_ninth_and_may_be_fractions() {
        assert_eq!(gigabytes("2.0"), Ok(2_000_000_000));
        assert_eq!(gigabytes("0.25"), Ok(250_000_000));
        assert_eq!(gigabytes("0"), Ok(0));
        assert_eq!(in_gigabytes(2_000_000_000), "2.0");
        for text in ["", "lots", "-1", "2 GB", "nan", "inf", "1e300"] {
            assert!(gigabytes(text).is_err(), "{text}");
        }
        assert!(gigabytes_above_zero("0").is_err());
    }

    #[test]
    fn what_has_no_bound_says_so_in_a_word() {
        assert_eq!(count_or_unlimited("unlimited"), Ok(u64::MAX));
        assert_eq!(gigabytes_or_unlimited(" unlimited "), Ok(u64::MAX));
        assert_eq!((count_or_unlimited("5"), gigabytes_or_unlimited("0.5")), (Ok(5), Ok(500_000_000)));
        for text in ["", "0", "-1", "none"] {
            assert!(count_or_unlimited(text).is_err() && gigabytes_or_unlimited(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_units_and_may_be_never_where_that_makes_sense() {
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(duration_or_never("never"), Ok(None));
        for text in ["", "30", "soon", "-5s"] {
            assert!(duration(text).is_err(), "{text}");
            assert!(duration_or_never(text).is_err(), "{text}");
        }
        assert!(duration_or_never("0s").is_err());
    }

    #[test]
    fn an_address_may_name_the_machine_itself() {
        assert_eq!(address("127.0.0.1:0"), Ok(SocketAddr::from(([127, 0, 0, 1], 0))));
        assert!(address("localhost:50052").is_ok_and(|address| address.ip().is_loopback()));
        for text in ["", "50052", "localhost", "1.2.3.4:99999"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_grace_below_ten_minutes_is_refused() {
        assert_eq!(grace("10m"), Ok(LEAST_GRACE));
        assert!(grace("9m 59s").is_err_and(|expected| expected.contains("ten minutes at least")));
        assert_eq!(grace("soon"), duration("soon"));
    }

    #[test]
    fn a_collector_is_a_url_without_a_password() {
        assert_eq!(collector(""), Ok(None));
        assert_eq!(collector("https://collector:4317"), Ok(Some("https://collector:4317".to_owned())));
        for text in ["localhost:4317", "ftp://x", "http://user:canary@x:4317", "http://", "a b", "/v1/traces"]
        {
            assert!(collector(text).is_err_and(|expected| expected.contains("URL")), "{text}");
        }
    }

    #[test]
    fn a_location_is_a_directory_or_the_url_of_a_bucket() {
        for text in ["/data/cold", "s3://bucket/cold", "az://container", "gs://bucket/a/b"] {
            assert_eq!(location(text).map(|location| location.to_string()).as_deref(), Ok(text));
        }
        for text in
            ["", "s3://", "s3:/bucket", "https://bucket/cold", "s3://user:canary@bucket", "S4://bucket"]
        {
            assert!(location(text).is_err_and(|expected| expected.contains("gs://bucket/prefix")), "{text}");
        }
        assert!(directory("s3://bucket/cold").is_err() && directory("s3:/bucket").is_err());
    }

    #[test]
    fn a_bucket_has_a_name_and_perhaps_a_prefix() {
        for text in ["", "lake", "lake/a/b"] {
            assert_eq!(bucket_text(bucket(Provider::Gcs, text).unwrap().as_ref()), text);
        }
        assert!(bucket(Provider::S3, "s3://lake").is_err() && bucket(Provider::S3, "a b").is_err());
        for (text, store) in [("memory", None), ("external", None), ("azure", Some(Provider::Azure))] {
            let (kind, provider) = handle_store(text).unwrap();
            assert_eq!((handle_store_text(kind, provider), provider), (text, store));
        }
        assert!(handle_store("disk").is_err());
    }

    #[test]
    fn a_service_is_a_url_without_a_password() {
        assert_eq!(service(" "), Ok(None));
        assert_eq!(service("http://127.0.0.1:7070"), Ok(Some("http://127.0.0.1:7070".to_owned())));
        for text in ["localhost:9000", "https://user:canary@x", "s3://x"] {
            assert!(service(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_chunk_is_as_large_as_the_protocol_allows_or_smaller() {
        assert_eq!((chunk_mebibytes("2"), chunk_mebibytes("64")), (Ok(2 << 20), Ok(64 << 20)));
        for text in ["", "1", "65", "2.5", "-2", "99999999999999999999"] {
            assert!(chunk_mebibytes(text).is_err(), "{text}");
        }
        assert!(count_below_2_to_32("4294967296").is_err());
    }
}
