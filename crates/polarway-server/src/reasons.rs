//! Adds a reason to statuses that the layers below ours made.

use http::Response;
use polarway_proto::v1::Failure;
use polarway_proto::{PROTOCOL_REVISION, Reason};
use tonic::body::Body;
use tonic::{Code, Status};

/// Adds a reason to a failed response that has none: the call was refused before it reached one of our methods.
pub(crate) fn with_reason(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok && status.details().is_empty() => {
            Status::from(refusal(&status)).into_http()
        }
        _ => response,
    }
}

/// The failure for a status that tonic made. A status of ours that passed through tonic is unchanged.
pub(crate) fn refusal(status: &Status) -> Failure {
    if !status.details().is_empty() {
        return status.into();
    }
    let message = status.message();
    match status.code() {
        Code::Unimplemented => Reason::UnknownMethod.failure(format!(
            "this server has no such method: it speaks polarway.v1, revision {PROTOCOL_REVISION}. Use a client of the \
             same protocol version"
        )),
        Code::OutOfRange => Reason::MessageTooLarge.failure(format!(
            "a message is too long: cut the table into chunks of at most 64 MiB ({message})"
        )),
        Code::Cancelled => Reason::Cancelled.failure(message),
        // tonic's code for bytes that are not a protobuf message or not a gRPC frame.
        Code::Internal => Reason::MalformedMessage.failure(format!("the bytes are no message of polarway.v1: {message}")),
        code => Failure::new(code, "", message),
    }
}
