//! The client's error: a kind for programs, a message for people, and the cause.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::ArrowError;
use polarway_proto::v1::Failure;
use polarway_proto::{InvalidMessage, Reason, Retry};
use tonic::{Code, Status};

use crate::call_id::CallId;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed: a [kind](ErrorKind) for programs, and a message that says what is wrong and what to do.
///
/// The engine has an error of its own: a client can also fail to reach its server.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_delay: Option<Duration>,
    /// It must not be retried, although its kind allows it.
    is_final: bool,
    request_id: Option<Arc<str>>,
    cause: Option<Cause>,
}

#[derive(Debug)]
enum Cause {
    /// The connection itself failed: neither a server nor a proxy answered.
    Connection(Box<Status>),
    Other(Box<dyn StdError + Send + Sync>),
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused or failed; the reason says why.
    Refused(Reason),
    /// No server answers: check the address, and that the server runs.
    Unreachable,
    /// The connection can't be made secure: one end refuses the other's certificate, or speaks TLS where the other does not.
    Insecure,
    /// The answer did not come within the client's timeout.
    TimedOut,
    /// The answer is not one of this protocol.
    Protocol,
    /// The table to send, or its source, can't be read.
    Input,
    /// A piece of SQL that must be a single expression or statement, and is not. Nothing was sent.
    Expression,
    /// An address, a token, a timeout or a certificate that can't be used.
    Configuration,
    /// The server, or a proxy in front of it, failed in a way that this client does not know.
    Other,
}

impl Error {
    /// An error of this kind, without a cause.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_delay: None,
            is_final: false,
            request_id: None,
            cause: None,
        }
    }

    /// The same error with its cause.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Cause::Other(Box::new(source)));
        self
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The server's reason, if the server refused.
    pub fn reason(&self) -> Option<Reason> {
        match self.kind {
            ErrorKind::Refused(reason) => Some(reason),
            _ => None,
        }
    }

    /// The id of the call that failed, if it was made: the server's log has it in each line about the call, as `request_id`.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The same error, with the id of this call.
    pub(crate) fn of_call(self, id: CallId) -> Self {
        Self { request_id: Some(id.to_string().into()), ..self }
    }

    /// How long the server asks to wait before a retry.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        self.retry_delay
    }

    /// A copy for another table that failed with it, without the cause.
    pub(crate) fn again(&self) -> Self {
        Self { request_id: self.request_id.clone(), ..Self::new(self.kind, self.message.clone()) }
    }

    /// The same error, which is not retried: the user has a part of the result already.
    pub(crate) fn for_good(mut self) -> Self {
        self.is_final = true;
        self
    }

    /// Whether a retry of the call may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        match self.kind {
            _ if self.is_final => false,
            ErrorKind::Refused(reason) => reason.retry().may_help(),
            ErrorKind::Unreachable => true,
            _ => false,
        }
    }

    /// Whether the server is only busy: nothing broke.
    pub(crate) fn is_of_busy_server(&self) -> bool {
        self.reason().is_some_and(|reason| reason.retry() == Retry::WhenFree)
    }

    /// A connection that broke or could not be made.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unreachable, message)
    }

    /// Whether the connection itself failed: neither a server nor a proxy answered.
    pub(crate) fn is_of_connection(&self) -> bool {
        matches!(self.cause, Some(Cause::Connection(_)))
    }

    /// An answer that does not follow the protocol.
    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Protocol, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.cause.as_ref()? {
            Cause::Connection(status) => Some(status.as_ref()),
            Cause::Other(error) => Some(error.as_ref()),
        }
    }
}

/// Errors from the network are made by these functions and not by a public `From`: a program does not know their types.
impl Error {
    /// The failure of one part of a call, as the server describes it.
    pub(crate) fn from_failure(failure: Failure) -> Self {
        let kind = match Reason::parse(&failure.reason) {
            Some(reason) => ErrorKind::Refused(reason),
            None => ErrorKind::Other,
        };
        let retry_delay = failure.retry_delay();
        Self { retry_delay, ..Self::new(kind, failure.message) }
    }

    /// The status of a call that failed, over a connection that was not secure for this reason, if any.
    pub(crate) fn from_status(status: Status, insecure: Option<String>) -> Self {
        let failure = Failure::from(&status);
        if !failure.reason.is_empty() {
            return Self::from_failure(failure);
        }
        if let Some(problem) = insecure.or_else(|| plain_where_tls(&status)) {
            let message = format!("the connection can't be made secure: {problem}");
            return Self::new(ErrorKind::Insecure, message).caused_by(status);
        }
        // A status without a reason is not from a server: the connection, tonic or a proxy made it.
        let (kind, message) = match status.code() {
            Code::Unavailable | Code::Cancelled | Code::Aborted | Code::Unknown | Code::Internal => {
                let Some(answer) = answer_of_proxy(&status) else {
                    let message = format!("the connection to the server broke: {}", innermost(&status));
                    let cause = Some(Cause::Connection(Box::new(status)));
                    return Self { cause, ..Self::unreachable(message) };
                };
                let message = format!("a proxy before the server answered {answer}");
                (ErrorKind::Unreachable, message)
            }
            Code::DeadlineExceeded => {
                (ErrorKind::TimedOut, "the server did not answer within the timeout".to_owned())
            }
            Code::Unimplemented => (
                ErrorKind::Protocol,
                "what answers there is no Polarway server, or one of another protocol".to_owned(),
            ),
            code => (ErrorKind::Other, format!("{code}: {}", status.message())),
        };
        Self::new(kind, message).caused_by(status)
    }
}

/// The problem if the server speaks TLS and this client does not: Polarway's server reports that, and other servers send bytes
/// that are not a frame of HTTP/2.
fn plain_where_tls(status: &Status) -> Option<String> {
    let mut next: Option<&(dyn StdError + 'static)> = status.source();
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return match error.reason()? {
                h2::Reason::INADEQUATE_SECURITY => Some("the server speaks TLS: use https://".to_owned()),
                h2::Reason::FRAME_SIZE_ERROR if error.is_library() => Some(
                    "the server does not speak HTTP/2 in the clear: if it speaks TLS, use https://"
                        .to_owned(),
                ),
                _ => None,
            };
        }
        next = error.source();
    }
    None
}

/// The HTTP answer of a proxy whose server did not answer, such as `504 Gateway Timeout`.
fn answer_of_proxy(status: &Status) -> Option<&str> {
    // tonic's words for it, with and without a page in the answer.
    const PHRASES: [&str; 2] = ["response with status: ", "mapped from HTTP status code "];
    PHRASES.iter().find_map(|phrase| Some(status.message().split_once(phrase)?.1))
}

/// The innermost cause: that a connection failed does not help, "connection refused" does.
fn innermost(status: &Status) -> String {
    let mut cause: &dyn StdError = match status.source() {
        Some(source) => source,
        None => return status.message().to_owned(),
    };
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        // Arrow puts "External error" before an error that it only passes on.
        let message = match &error {
            ArrowError::ExternalError(source) => source.to_string(),
            other => other.to_string(),
        };
        Self::new(ErrorKind::Input, message).caused_by(error)
    }
}

impl From<InvalidMessage> for Error {
    fn from(invalid: InvalidMessage) -> Self {
        Self::protocol(format!("what the server sent has a value that it can't have: {invalid}"))
            .caused_by(invalid)
    }
}

impl From<polarway_ipc::Error> for Error {
    fn from(error: polarway_ipc::Error) -> Self {
        Self::protocol(format!("what the server sent is no table: {error}")).caused_by(error)
    }
}

/// For conversions into a table that can't fail.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_arrives_as_itself() {
        for reason in Reason::ALL {
            let error = Error::from_status(Status::from(reason.failure("so it is")), None);
            assert_eq!((error.reason(), error.to_string()), (Some(*reason), "so it is".to_owned()));
            assert_eq!(error.is_transient(), reason.retry().may_help(), "{reason}");
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_no_reason_to_retry() {
        let failure = Failure::new(Code::Unavailable, "MOON_IS_FULL", "wait a fortnight");
        let error = Error::from_status(Status::from(failure), None);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "wait a fortnight"));
        assert!(!error.is_transient());
    }

    #[test]
    fn what_is_wrong_with_a_source_is_told_in_its_own_words() {
        let own = ArrowError::ExternalError("x.csv has no rows".into());
        assert_eq!(Error::from(own).to_string(), "x.csv has no rows");
    }

    #[test]
    fn a_connection_that_broke_is_told_apart_from_a_proxys_answer_and_from_a_refusal() {
        let broken = Error::from_status(Status::unavailable("connection reset"), None);
        assert!(broken.is_of_connection() && broken.source().is_some());
        for other in [
            Status::unavailable("grpc-status header missing, mapped from HTTP status code 502"),
            Status::from(Reason::ALL[0].failure("no")),
        ] {
            assert!(!Error::from_status(other, None).is_of_connection());
        }
        assert!(!Error::unreachable("no address").is_of_connection());
    }

    #[test]
    fn a_broken_connection_is_transient_and_a_foreign_server_is_not() {
        assert!(Error::from_status(Status::unavailable("connection reset"), None).is_transient());
        let foreign = Error::from_status(Status::unimplemented(""), None);
        assert_eq!((foreign.kind(), foreign.is_transient()), (ErrorKind::Protocol, false));
    }
}
