//! A call of datafusion-distributed, answered on the threads of plans.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::future::poll_fn;
use http::{Request, Response};
use http_body::{Body as _, Frame};
use tokio::sync::mpsc::{self, Receiver};
use tonic::Status;
use tonic::body::Body;
use tower::ServiceExt as _;

use super::{RunningQuery, Shared};
use crate::compute::Work;

/// The frames of an answer that wait for the connection.
const FRAMES: usize = 2;

/// What an answer's body is read from. Dropping it ends the work for it.
struct Pumped {
    frames: Receiver<Result<Frame<Bytes>, Status>>,
    _work: Work<()>,
}

/// Answers a call. Its work is counted until it has ended, which may be later than its answer.
pub(super) async fn answer(
    shared: &Shared,
    query: &Arc<RunningQuery>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let counted = shared.runtime.census().task();
    let (service, counters) = (query.service(), Arc::clone(shared.counters()));
    let (heads, head) = tokio::sync::oneshot::channel();
    let (sender, frames) = mpsc::channel(FRAMES);
    let work = shared.compute.spawn(async move {
        let _counted = counted;
        let answer = match service.oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        };
        let (parts, body) = answer.into_parts();
        if heads.send(parts).is_err() {
            return;
        }
        let mut body = pin!(body);
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let sent = frame.as_ref().ok().and_then(|frame| frame.data_ref());
            counters.sent_bytes.add(sent.map_or(0, |data| data.len() as u64));
            if sender.send(frame).await.is_err() {
                return;
            }
        }
    });
    let parts = head.await.map_err(|_| Status::internal("the call ended without an answer"))?;
    Ok(Response::from_parts(parts, Body::new(Pumped { frames, _work: work })))
}

impl http_body::Body for Pumped {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Ready(ready!(self.frames.poll_recv(context)))
    }
}
