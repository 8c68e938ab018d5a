//! Handles on results: creating, describing, extending and dropping them.

use std::time::Duration;

use futures::{TryFutureExt as _, stream};
use polarway_core::{EngineChoice, HandleOptions};
use polarway_proto::Reason;
use polarway_proto::v1::{
    CreateHandleRequest, CreateHandleResponse, DropHandleRequest, DropHandleResponse, ExtendHandleRequest,
    ExtendHandleResponse, Failure, GetHandleRequest, GetHandleResponse, ListHandlesRequest,
    ListHandlesResponse,
};
use tonic::Status;

use super::answer::{Responses, beating};
use super::datasets::cut_page;
use crate::call::Call;
use crate::convert;

/// Answers at once: the query runs inside the stream, so that heartbeats are sent meanwhile.
pub(super) fn create(
    call: Call,
    request: CreateHandleRequest,
    default: EngineChoice,
) -> Responses<CreateHandleResponse> {
    beating(stream::once(keep(call, request, default).map_err(Status::from)))
}

async fn keep(
    call: Call,
    request: CreateHandleRequest,
    default: EngineChoice,
) -> Result<CreateHandleResponse, Failure> {
    let request_id = request.request_bits()?;
    let CreateHandleRequest { sql, parameters, ttl_us, request_id: _, engine } = request;
    let parameters = super::query::parameters(parameters)?;
    let options = HandleOptions {
        parameters,
        time: call.time_left(),
        ttl: ttl_us.map(ttl).transpose()?,
        request: request_id,
        engine: convert::engine(engine, default)?,
    };
    let kept = call.engine.query_handle_with(&sql, options).await.map_err(|error| call.failure(&error))?;
    call.origin.changed("keep", &kept.handle.id.to_string(), &Ok(()));
    if let (Some(trace), Some(summary)) = (&call.trace, &kept.summary) {
        trace.record_query(summary.times);
    }
    let handle = convert::handle(kept.handle)?;
    Ok(CreateHandleResponse { handle: Some(handle), summary: kept.summary.map(Into::into) })
}

pub(super) async fn get(call: &Call, request: GetHandleRequest) -> Result<GetHandleResponse, Failure> {
    let handle = call.engine.handle(&request.handle_id).await.map_err(|error| call.failure(&error))?;
    Ok(GetHandleResponse { handle: Some(convert::handle(handle)?) })
}

pub(super) async fn list(call: &Call, request: ListHandlesRequest) -> Result<ListHandlesResponse, Failure> {
    let mut handles = call.engine.handles().await.map_err(|error| call.failure(&error))?;
    // The token is the last id of the previous page: creating or dropping handles meanwhile does not shift pages.
    handles.retain(|handle| *handle.id > *request.page_token);
    let is_last = cut_page(&mut handles, request.page_size);
    let next_page_token = match handles.last() {
        Some(last) if !is_last => last.id.to_string(),
        _ => String::new(),
    };
    let handles = handles.into_iter().map(convert::handle).collect::<Result<_, _>>()?;
    Ok(ListHandlesResponse { handles, next_page_token })
}

pub(super) async fn extend(
    call: &Call,
    request: ExtendHandleRequest,
) -> Result<ExtendHandleResponse, Failure> {
    let ttl = request.ttl_us.map(ttl).transpose()?;
    let extended =
        call.engine.extend_handle(&request.handle_id, ttl).await.map_err(|error| call.failure(&error));
    call.origin.changed("extend", &request.handle_id, &extended);
    Ok(ExtendHandleResponse { handle: Some(convert::handle(extended?)?) })
}

pub(super) async fn drop(call: &Call, request: DropHandleRequest) -> Result<DropHandleResponse, Failure> {
    let dropped = call.engine.drop_handle(&request.handle_id).await.map_err(|error| call.failure(&error));
    call.origin.changed("drop", &request.handle_id, &dropped);
    dropped.map(|()| DropHandleResponse {})
}

fn ttl(micros: u64) -> Result<Duration, Failure> {
    match micros {
        0 => Err(Reason::InvalidRequest
            .failure("a handle can't live for no time: leave ttl_us out, or say how long")),
        micros => Ok(Duration::from_micros(micros)),
    }
}
