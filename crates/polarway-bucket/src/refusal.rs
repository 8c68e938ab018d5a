//! What an answer that is no success means.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

/// Why a bucket did not do what it was asked for. It has no secret in it, and of the answer only the code and the message.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What it means.
    pub kind: RefusalKind,
    /// The code that the service uses for it, such as `NoSuchBucket`, or the status in words.
    code: String,
    /// The service's own words.
    words: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What a refusal means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// There is no such bucket, container or account.
    NoSuchBucket,
    /// The key, token or signature is wrong.
    WrongKey,
    /// The credentials were valid once.
    ExpiredKey,
    /// No credentials were found.
    NoCredentials,
    /// The credentials are right and do not permit this.
    MissingRight,
    /// The bucket is in another region: this one, if the answer names it.
    WrongRegion(Option<String>),
    /// This machine's clock is too far from the service's.
    WrongClock,
    /// No connection could be made, so nothing was sent.
    Unreachable,
    /// The answer did not come, or broke off.
    NoAnswer,
    /// The service is busy or failed: it may work when tried again.
    Busy,
    /// The service can't do what was asked for.
    Unsupported,
    /// Anything else that was refused.
    Other,
}

impl RefusalKind {
    /// Whether the request certainly had no effect.
    pub fn had_no_effect(&self) -> bool {
        !matches!(self, Self::NoAnswer | Self::Busy)
    }
}

impl Refusal {
    /// The refusal among the causes of an error, if there is one.
    pub fn among_causes<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref() {
                return Some(refusal);
            }
            cause = error.source();
        }
        None
    }

    /// A request to this host that got no answer.
    pub(crate) fn without_answer(
        kind: RefusalKind,
        host: &str,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self { kind, code: host.to_owned(), words: String::new(), source: Some(Arc::new(source)) }
    }

    /// An answer that did not come in time.
    pub(crate) fn too_late(host: &str, seconds: u64) -> Self {
        let words = format!("nothing came for {seconds} s");
        Self { kind: RefusalKind::NoAnswer, code: host.to_owned(), words, source: None }
    }

    /// What an answer with this status, these headers and this body means.
    pub(crate) fn of_answer(status: StatusCode, headers: &HeaderMap, body: &str) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(shown);
        let code =
            element(body, "Code").or_else(|| header("x-ms-error-code")).or_else(|| json_text(body, "error"));
        let words =
            element(body, "Message").or_else(|| json_text(body, "error_description")).unwrap_or_default();
        let region = header("x-amz-bucket-region").or_else(|| element(body, "Region"));
        let kind = kind_of(status, code.as_deref().unwrap_or_default(), region);
        Self { kind, code: code.unwrap_or_else(|| status.to_string()), words, source: None }
    }
}

/// What a status and a code mean. The codes are those of S3 and Google, of Azure, and of the services that give credentials.
fn kind_of(status: StatusCode, code: &str, region: Option<String>) -> RefusalKind {
    match code {
        "NoSuchBucket"
        | "ContainerNotFound"
        | "ContainerBeingDeleted"
        | "ContainerDisabled"
        | "InvalidBucketName" => RefusalKind::NoSuchBucket,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidToken"
        | "InvalidSecurity"
        | "AuthenticationFailed"
        | "NoAuthenticationInformation"
        | "InvalidAuthenticationInfo"
        | "AuthenticationRequired"
        | "invalid_client"
        | "invalid_grant"
        | "InvalidIdentityToken" => RefusalKind::WrongKey,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => RefusalKind::ExpiredKey,
        "RequestTimeTooSkewed" => RefusalKind::WrongClock,
        "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => RefusalKind::WrongRegion(region),
        "SlowDown" | "ServerBusy" | "InternalError" | "ServiceUnavailable" | "OperationTimedOut"
        | "RequestTimeout" | "TooManyRequests" | "Throttling" => RefusalKind::Busy,
        // Another request for the same place was carried out at the same time. The last one is said by servers over a directory.
        "OperationAborted" | "ConditionalRequestConflict" | "ExistingObjectIsDirectory" => RefusalKind::Busy,
        "NotImplemented" | "MethodNotAllowed" | "UnsupportedHeader" | "FeatureNotSupported" => {
            RefusalKind::Unsupported
        }
        _ if status.is_redirection() => RefusalKind::WrongRegion(region),
        _ => match status {
            StatusCode::UNAUTHORIZED => RefusalKind::WrongKey,
            StatusCode::FORBIDDEN => RefusalKind::MissingRight,
            StatusCode::NOT_IMPLEMENTED | StatusCode::METHOD_NOT_ALLOWED => RefusalKind::Unsupported,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => RefusalKind::Busy,
            status if status.is_server_error() => RefusalKind::Busy,
            _ => RefusalKind::Other,
        },
    }
}

/// What the service said, or which part of it said nothing.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RefusalKind::NoCredentials => {
                write!(f, "there are no credentials in variables and files, and {} gave none", self.code)
            }
            RefusalKind::Unreachable => write!(f, "no connection to {}", self.code),
            RefusalKind::NoAnswer => write!(f, "no answer from {}", self.code),
            _ => f.write_str(&self.code),
        }?;
        if !self.words.is_empty() {
            write!(f, ": {}", self.words)?;
        }
        if let RefusalKind::WrongRegion(Some(region)) = &self.kind {
            write!(f, "; its region is {region}")?;
        }
        Ok(())
    }
}

impl StdError for Refusal {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The text of the first element of a name in an XML document of a service.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.trim().is_empty()).then(|| shown(text))
}

fn json_text(json: &str, key: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(json).ok()?;
    value.get(key)?.as_str().map(shown)
}

/// A text of a service as a message may have it: one line that is not long.
fn shown(text: &str) -> String {
    const LONGEST: usize = 200;

    let line = text.trim().chars().map(|character| if character.is_control() { ' ' } else { character });
    line.take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str) -> RefusalKind {
        Refusal::of_answer(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body).kind
    }

    #[test]
    fn an_answer_means_what_its_code_says_and_else_what_its_status_says() {
        for (status, code, kind) in [
            (404, "NoSuchBucket", RefusalKind::NoSuchBucket),
            (404, "ContainerNotFound", RefusalKind::NoSuchBucket),
            (403, "InvalidAccessKeyId", RefusalKind::WrongKey),
            (403, "SignatureDoesNotMatch", RefusalKind::WrongKey),
            (403, "AuthenticationFailed", RefusalKind::WrongKey),
            (400, "ExpiredToken", RefusalKind::ExpiredKey),
            (403, "AccessDenied", RefusalKind::MissingRight),
            (403, "AuthorizationPermissionMismatch", RefusalKind::MissingRight),
            (403, "RequestTimeTooSkewed", RefusalKind::WrongClock),
            (503, "SlowDown", RefusalKind::Busy),
            (409, "OperationAborted", RefusalKind::Busy),
            (409, "SnapshotsPresent", RefusalKind::Other),
            (501, "NotImplemented", RefusalKind::Unsupported),
            (400, "InvalidArgument", RefusalKind::Other),
        ] {
            assert_eq!(meaning(status, &format!("<Error><Code>{code}</Code></Error>")), kind, "{code}");
        }
        assert_eq!(meaning(401, ""), RefusalKind::WrongKey);
        assert_eq!(meaning(403, "<html>"), RefusalKind::MissingRight);
        assert_eq!((meaning(429, ""), meaning(502, "")), (RefusalKind::Busy, RefusalKind::Busy));
        assert_eq!(meaning(400, r#"{"error":"invalid_grant"}"#), RefusalKind::WrongKey);
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        assert_eq!(meaning(400, body), RefusalKind::WrongRegion(Some("eu-west-1".to_owned())));
    }

    #[test]
    fn a_message_has_the_services_words_and_nothing_else_of_its_answer() {
        let body = "<Error><Code>ExpiredToken</Code><Message>The token\nhas expired.</Message><Token-0>canary</Token-0></Error>";
        let refusal = Refusal::of_answer(StatusCode::BAD_REQUEST, &HeaderMap::new(), body);
        assert_eq!(refusal.kind, RefusalKind::ExpiredKey);
        assert_eq!(refusal.to_string(), "ExpiredToken: The token has expired.");
        assert!(!format!("{refusal:?}").contains("canary"));
        let long = format!("<Code>{}</Code>", "x".repeat(100_000));
        assert!(
            Refusal::of_answer(StatusCode::BAD_REQUEST, &HeaderMap::new(), &long).to_string().len() < 500
        );
    }

    #[test]
    fn a_redirect_names_the_region_of_the_bucket() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-bucket-region", http::HeaderValue::from_static("eu-central-1"));
        let refusal = Refusal::of_answer(StatusCode::MOVED_PERMANENTLY, &headers, "");
        assert!(refusal.to_string().ends_with("; its region is eu-central-1"), "{refusal}");
    }
}
