//! The layer between the clients and the network: it counts, limits the time, and turns refusals into typed errors.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService, ReqwestConnector,
};
use tokio::time::{Instant, Sleep};

use crate::refusal::{Refusal, RefusalKind};
use crate::traffic::Traffic;

/// How long the service may take until it begins to answer, and then from one part of the answer to the next.
const SILENCE: Duration = Duration::from_secs(30);

/// The same for a request that makes the service copy or join an object of any size.
const LONG_WORK: Duration = Duration::from_secs(600);

/// The slowest rate at which a request's body may be sent, in bytes a second.
const SLOWEST_UPLOAD: u64 = 256 << 10;

/// The longest answer that is read to learn why a request was refused.
const MOST_EXPLANATION_BYTES: usize = 64 << 10;

/// The headers of a request that should only be carried out if the object is as expected.
const CONDITIONS: [&str; 3] = ["if-none-match", "if-match", "x-goog-if-generation-match"];

/// Where a machine asks for its own credentials.
const METADATA_HOSTS: [&str; 4] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata.google.internal"];

/// Makes the connections of a client.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) traffic: Arc<Traffic>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Transport { client, traffic: Arc::clone(&self.traffic) }))
    }
}

#[derive(Debug)]
struct Transport {
    client: HttpClient,
    traffic: Arc<Traffic>,
}

#[async_trait]
impl HttpService for Transport {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let limit = time_limit(&request);
        let is_head = request.method() == Method::HEAD;
        let is_conditional = CONDITIONS.iter().any(|header| request.headers().contains_key(*header));
        self.traffic.count_request();
        let answer = match tokio::time::timeout(limit, self.client.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(no_answer(&host, error)),
            Err(_) if is_metadata(&host) => {
                return Err(no_credentials(&host, Refusal::too_late(&host, limit.as_secs())));
            }
            Err(_) => {
                let refusal = Refusal::too_late(&host, limit.as_secs());
                return Err(HttpError::new(HttpErrorKind::Timeout, refusal));
            }
        };
        if !is_metadata(&host) {
            self.traffic.note_time(answer.headers());
        }
        let status = answer.status();
        if status.is_success() || is_of_protocol(status, is_conditional) {
            return Ok(watched(answer, host));
        }
        let refusal = explain(answer).await;
        // Without a body it is not known whether the object or the bucket is missing; most often it is the object.
        if status == StatusCode::NOT_FOUND && (is_head || refusal.kind != RefusalKind::NoSuchBucket) {
            return Ok(empty(status));
        }
        if is_metadata(&host) {
            return Err(no_credentials(&host, refusal));
        }
        let kind = match refusal.kind {
            RefusalKind::Busy => {
                self.traffic.count_busy();
                HttpErrorKind::Request // it is tried again
            }
            RefusalKind::ExpiredKey | RefusalKind::WrongKey => {
                self.traffic.count_refused_key();
                HttpErrorKind::Unknown
            }
            _ => HttpErrorKind::Unknown,
        };
        Err(HttpError::new(kind, refusal))
    }
}

/// Whether a status is an answer within the protocol, which the client understands: a condition that was not met, or a range that
/// is not there. Without a condition, a conflict is a refusal like others.
fn is_of_protocol(status: StatusCode, is_conditional: bool) -> bool {
    match status {
        StatusCode::CONFLICT => is_conditional,
        _ => matches!(
            status,
            StatusCode::NOT_MODIFIED | StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE
        ),
    }
}

fn time_limit(request: &HttpRequest) -> Duration {
    let copies = ["x-amz-copy-source", "x-ms-copy-source", "x-goog-copy-source"];
    let is_copy = copies.iter().any(|header| request.headers().contains_key(*header));
    let query = request.uri().query().unwrap_or_default();
    let completes = (request.method() == Method::POST && query.to_ascii_lowercase().contains("uploadid="))
        || query.contains("comp=blocklist");
    if is_copy || completes {
        return LONG_WORK;
    }
    SILENCE + Duration::from_secs(request.body().content_length() as u64 / SLOWEST_UPLOAD)
}

fn is_metadata(host: &str) -> bool {
    METADATA_HOSTS.contains(&host)
}

/// A machine without credentials has no such service, and asking again does not help.
fn no_credentials(host: &str, source: Refusal) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, Refusal::without_answer(RefusalKind::NoCredentials, host, source))
}

fn no_answer(host: &str, error: HttpError) -> HttpError {
    let kind = error.kind();
    let meaning = match kind {
        _ if is_metadata(host) => RefusalKind::NoCredentials,
        HttpErrorKind::Connect => RefusalKind::Unreachable,
        _ => RefusalKind::NoAnswer,
    };
    let kind = if meaning == RefusalKind::NoCredentials { HttpErrorKind::Unknown } else { kind };
    HttpError::new(kind, Refusal::without_answer(meaning, host, error))
}

/// Reads an answer, and says what it means. Of one that is too long only the status counts.
async fn explain(answer: HttpResponse) -> Refusal {
    let (parts, body) = answer.into_parts();
    let read = tokio::time::timeout(SILENCE, Limited::new(body, MOST_EXPLANATION_BYTES).collect()).await;
    let bytes = match read {
        Ok(Ok(body)) => body.to_bytes(),
        _ => Bytes::new(),
    };
    Refusal::of_answer(parts.status, &parts.headers, &String::from_utf8_lossy(&bytes))
}

fn empty(status: StatusCode) -> HttpResponse {
    let mut answer = HttpResponse::new(HttpResponseBody::from(Bytes::new()));
    *answer.status_mut() = status;
    answer
}

/// The answer, which fails when a part of it is too late.
fn watched(answer: HttpResponse, host: String) -> HttpResponse {
    answer.map(|body| {
        HttpResponseBody::new(WatchedBody { body, host, silence: Box::pin(tokio::time::sleep(SILENCE)) })
    })
}

struct WatchedBody {
    body: HttpResponseBody,
    host: String,
    /// Ends when the service was silent for too long.
    silence: Pin<Box<Sleep>>,
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(no_answer(&self.host, error)))),
            Poll::Ready(frame) => {
                self.silence.as_mut().reset(Instant::now() + SILENCE);
                Poll::Ready(frame)
            }
            Poll::Pending => self.silence.as_mut().poll(context).map(|()| {
                let refusal = Refusal::too_late(&self.host, SILENCE.as_secs());
                Some(Err(HttpError::new(HttpErrorKind::Timeout, refusal)))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
