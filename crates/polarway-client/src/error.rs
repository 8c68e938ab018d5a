//! The client's one error: a kind to act on, a message to read, and what caused it.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use arrow_schema::ArrowError;
use polarway_proto::v1::Failure;
use polarway_proto::{InvalidMessage, Reason, Retry};
use tonic::{Code, Status};

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed: a [kind](ErrorKind) to act on, and a message that says what is wrong and what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_delay: Option<Duration>,
    /// It is not to be retried, though its kind could be.
    is_final: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server refused or failed; the reason says why.
    Refused(Reason),
    /// No server answers: look at its address, and whether it runs.
    Unreachable,
    /// What was asked for did not come within the client's timeout.
    TimedOut,
    /// What came is not what a server of this protocol sends.
    Protocol,
    /// The table that was to be sent, or its source, can't be read.
    Input,
    /// A piece of SQL that is not the single expression or statement that it must be. Nothing was sent.
    Expression,
    /// An address, a token or a timeout that can't be used.
    Configuration,
    /// The server, or a proxy before it, failed in a way that this client does not know.
    Other,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_delay: None, is_final: false, source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
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

    /// After how long the server asks to try again.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        self.retry_delay
    }

    /// The same once more, for another table that it befell, without what caused it.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.kind, self.message.clone())
    }

    /// The same for good: what was handed out already can't be taken back.
    pub(crate) fn for_good(mut self) -> Self {
        self.is_final = true;
        self
    }

    /// Whether the same call may succeed when made again.
    pub(crate) fn is_transient(&self) -> bool {
        match self.kind {
            _ if self.is_final => false,
            ErrorKind::Refused(reason) => reason.retry() == Retry::Yes,
            ErrorKind::Unreachable => true,
            _ => false,
        }
    }

    /// A connection that broke, or never was.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unreachable, message)
    }

    /// Whether the connection itself failed, and nobody answered over it, a proxy neither.
    pub(crate) fn is_of_connection(&self) -> bool {
        let status = self.source.as_ref().and_then(|source| source.downcast_ref::<Status>());
        self.kind == ErrorKind::Unreachable && status.is_some_and(|status| answer_of_proxy(status).is_none())
    }

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
        self.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

/// What comes from the network becomes an error by name, and by no public `From`: its types are none of a program's.
impl Error {
    /// What a server says of one part of a call.
    pub(crate) fn from_failure(failure: Failure) -> Self {
        let kind = match Reason::parse(&failure.reason) {
            Some(reason) => ErrorKind::Refused(reason),
            None => ErrorKind::Other,
        };
        let retry_delay = failure.retry_delay();
        Self { retry_delay, ..Self::new(kind, failure.message) }
    }

    /// How a call ended.
    pub(crate) fn from_status(status: Status) -> Self {
        let failure = Failure::from(&status);
        if !failure.reason.is_empty() {
            return Self::from_failure(failure);
        }
        // A status without a reason was made on the way: by the connection, by tonic, or by a proxy.
        let (kind, message) = match status.code() {
            Code::Unavailable | Code::Cancelled | Code::Aborted | Code::Unknown | Code::Internal => (
                ErrorKind::Unreachable,
                match answer_of_proxy(&status) {
                    Some(answer) => format!("what stands before the server answered {answer} in its place"),
                    None => format!("the connection to the server broke: {}", innermost(&status)),
                },
            ),
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

/// The answer of a proxy that had none from a server, such as `504 Gateway Timeout`: HTTP, and no gRPC.
fn answer_of_proxy(status: &Status) -> Option<&str> {
    // What tonic says of it, where a page came along and where not.
    const PHRASES: [&str; 2] = ["response with status: ", "mapped from HTTP status code "];
    PHRASES.iter().find_map(|phrase| Some(status.message().split_once(phrase)?.1))
}

/// What a status wraps: "transport error" says nothing, "connection refused" does.
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
        // Arrow says "External error" before what it only passes on.
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

/// For tables that become one without fail.
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
            let error = Error::from_status(Status::from(reason.failure("so it is")));
            assert_eq!((error.reason(), error.to_string()), (Some(*reason), "so it is".to_owned()));
            assert_eq!(error.is_transient(), reason.retry() == Retry::Yes, "{reason}");
        }
    }

    #[test]
    fn a_reason_of_a_later_version_is_no_reason_to_retry() {
        let failure = Failure::new(Code::Unavailable, "MOON_IS_FULL", "wait a fortnight");
        let error = Error::from_status(Status::from(failure));
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "wait a fortnight"));
        assert!(!error.is_transient());
    }

    #[test]
    fn what_is_wrong_with_a_source_is_told_in_its_own_words() {
        let own = ArrowError::ExternalError("x.csv has no rows".into());
        assert_eq!(Error::from(own).to_string(), "x.csv has no rows");
    }

    #[test]
    fn a_broken_connection_is_transient_and_a_foreign_server_is_not() {
        assert!(Error::from_status(Status::unavailable("connection reset")).is_transient());
        let foreign = Error::from_status(Status::unimplemented(""));
        assert_eq!((foreign.kind(), foreign.is_transient()), (ErrorKind::Protocol, false));
    }
}
