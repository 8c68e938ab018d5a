//! Makes every call: chooses the worker, bounds each wait, and retries after some failures.
//!
//! A [`Call`] owns the deadline, the waits between tries and the choice of the worker. Each try is an [`Attempt`], which
//! bounds every wait for the server. No wait is without a bound: a balancer keeps connections alive in front of a worker that
//! has stopped, so nothing else would show that the worker does not answer.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use polarway_proto::SILENCE;
use polarway_proto::transport::{TIMEOUT_HEADER, encode_timeout};
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status};

use crate::call_id::{CallId, ID_HEADER};
use crate::channel::CONNECT;
use crate::connection::{Worker, Workers};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Tries;
use crate::trace_context;

/// How long a worker may take to begin its answer: the time to connect, and the longest silence after that.
const OPENING: Duration = CONNECT.saturating_add(SILENCE);

/// The kind of a call. It decides how often the call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To repeat it does no harm: it reads, or it writes under an id that the server recognises.
    Idempotent,
    /// It asks whether a server answers. A connection that can't be made is an answer, and is not retried. A balancer's error
    /// about its worker is not, and is retried.
    Probe,
    /// It runs a query. A query that makes its worker fail must not make all of them fail: a query that has begun is repeated
    /// only a few times.
    Query,
}

/// How often a query that has begun is run again.
const QUERY_RUNS_AGAIN: u32 = 2;

/// The work of a call at one worker. It may be repeated.
pub(crate) trait Operation: Send {
    /// The result.
    type Output: Send;

    /// Does the work once. The state that a failed attempt leaves is kept for the next one.
    fn attempt(&mut self, attempt: &mut Attempt<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// One call, from its first try to its last.
pub(crate) struct Call {
    workers: Arc<Workers>,
    kind: Kind,
    tries: Tries,
    id: CallId,
    /// The worker of the current try.
    worker: Option<Worker>,
    /// No other worker can answer.
    is_for_one_worker: bool,
    /// The longest wait for an answer that is one message. It doubles with each try, because the answer may take that long.
    patience: Duration,
}

impl Call {
    /// A call that any worker may answer.
    pub(crate) fn new(workers: &Arc<Workers>, timeout: Duration, kind: Kind) -> Self {
        let tries = match kind {
            Kind::Idempotent | Kind::Probe => Tries::new(timeout),
            Kind::Query => Tries::new(timeout).with_most_breaks(QUERY_RUNS_AGAIN),
        };
        Self {
            workers: Arc::clone(workers),
            kind,
            tries,
            id: CallId::fresh(),
            worker: None,
            is_for_one_worker: false,
            patience: OPENING,
        }
    }

    /// The same call, which only this worker may answer.
    pub(crate) fn only_of(self, worker: Worker) -> Self {
        Self { worker: Some(worker), is_for_one_worker: true, ..self }
    }

    /// Makes attempts until one succeeds, one fails with an error that a retry can't avoid, or the time is over.
    ///
    /// A stream is read by several calls of this method: the worker stays the same until an attempt fails.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(crate) async fn run<O: Operation>(&mut self, operation: &mut O) -> Result<O::Output> {
        loop {
            match operation.attempt(&mut self.attempt()).await {
                Ok(output) => return Ok(output),
                Err(error) => self.failed(error.of_call(self.id)).await?,
            }
        }
    }

    /// Makes one more attempt at the current worker. The user has earlier results already, so the call can't start again at
    /// another worker: a failure is final.
    ///
    /// # Errors
    /// That of the attempt.
    pub(crate) async fn go_on<O: Operation>(&mut self, operation: &mut O) -> Result<O::Output> {
        let result = operation.attempt(&mut self.attempt()).await;
        result.map_err(|error| {
            self.leave_worker(&error);
            error.of_call(self.id).for_good()
        })
    }

    fn attempt(&mut self) -> Attempt<'_> {
        let worker = self.worker.get_or_insert_with(|| self.workers.pick());
        let (workers, tries, patience) = (&self.workers, &mut self.tries, self.patience);
        Attempt { workers, id: self.id, worker, tries, patience }
    }

    /// Waits before the next attempt, which may go to another worker.
    async fn failed(&mut self, error: Error) -> Result<()> {
        self.leave_worker(&error);
        self.patience = self.patience.saturating_mul(2);
        match self.kind {
            Kind::Probe if error.is_of_connection() => Err(error),
            _ => self.tries.after(error).await,
        }
    }

    /// Changes the worker after a transient error, and after one of its certificate. After other errors it stays: other workers
    /// would refuse the call too, and a handle may exist on this worker only.
    fn leave_worker(&mut self, error: &Error) {
        if (error.is_transient() || error.kind() == ErrorKind::Insecure)
            && !self.is_for_one_worker
            && let Some(worker) = self.worker.take()
        {
            self.workers.pass_over(&worker);
        }
    }
}

/// One try of a call, at one worker.
pub(crate) struct Attempt<'a> {
    workers: &'a Workers,
    id: CallId,
    worker: &'a Worker,
    tries: &'a mut Tries,
    patience: Duration,
}

impl Attempt<'_> {
    /// Waits for an answer that is one message, for `patience` or until the deadline.
    async fn answer<R>(&self, answer: impl Future<Output = Result<Response<R>, Status>>) -> Result<R> {
        let response = self.within(self.patience, "the server did not answer", answer).await?;
        Ok(response.into_inner())
    }

    /// Waits for a stream to begin.
    ///
    /// # Errors
    /// What the server says, and a stream that does not begin.
    pub(crate) async fn open<S>(&self, opening: impl Future<Output = Result<S, Status>>) -> Result<S> {
        self.within(OPENING, "the server did not begin to answer", opening).await
    }

    /// Waits for the next message of a stream.
    ///
    /// # Errors
    /// What the server says, and a stream that falls silent.
    pub(crate) async fn next<M>(&self, message: impl Future<Output = Result<M, Status>>) -> Result<M> {
        match tokio::time::timeout(SILENCE, message).await {
            Ok(message) => message.map_err(|status| self.worker.failure(status)),
            Err(_) => Err(Error::unreachable(format!("the server has been silent for {SILENCE:?}"))),
        }
    }

    async fn within<T>(
        &self,
        bound: Duration,
        what_failed: &str,
        future: impl Future<Output = Result<T, Status>>,
    ) -> Result<T> {
        let left = self.tries.left();
        match tokio::time::timeout(bound.min(left), future).await {
            Ok(result) => result.map_err(|status| self.worker.failure(status)),
            Err(_) if bound < left => Err(Error::unreachable(format!("{what_failed} for {bound:?}"))),
            Err(_) => {
                let message = format!("{what_failed} within {:?}", self.tries.timeout());
                Err(Error::new(ErrorKind::TimedOut, message))
            }
        }
    }

    /// The id of the call.
    pub(crate) fn id(&self) -> CallId {
        self.id
    }

    /// The headers of a request: those of all requests, and those of this call. The server may stop after `time`, if it is given.
    pub(crate) fn headers(&self, time: Option<Duration>) -> HeaderMap {
        let mut headers = self.workers.headers();
        if let Some(id) = self.id.header() {
            headers.insert(ID_HEADER, id);
        }
        if let Some(time) = time {
            headers.insert(TIMEOUT_HEADER, encode_timeout(time));
        }
        trace_context::add(&mut headers);
        headers
    }

    /// A request with these headers.
    pub(crate) fn request<M>(&self, message: M, time: Option<Duration>) -> Request<M> {
        Request::from_parts(MetadataMap::from_headers(self.headers(time)), Extensions::new(), message)
    }

    /// The worker that is asked.
    pub(crate) fn worker(&self) -> &Worker {
        self.worker
    }

    /// The longest wait for an answer that is one message.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The timeout of the call. It counts from the beginning, or from the last progress.
    pub(crate) fn timeout(&self) -> Duration {
        self.tries.timeout()
    }

    /// The server works on the call: the timeout starts again.
    pub(crate) fn going(&mut self) {
        self.tries.going();
    }

    /// The call made progress that a retry keeps.
    pub(crate) fn progress(&mut self) {
        self.tries.progress();
    }
}

/// A call with one message and one answer.
pub(crate) struct Unary<M, F> {
    /// The request.
    pub(crate) message: M,
    /// The method.
    pub(crate) method: F,
}

impl<M, F, R, A> Operation for Unary<M, F>
where
    M: Clone + Send,
    F: Fn(&Worker, Request<M>) -> A + Send,
    A: Future<Output = Result<Response<R>, Status>> + Send,
    R: Send,
{
    type Output = R;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<R> {
        // The server can stop when the call's time is over.
        let request = attempt.request(self.message.clone(), Some(attempt.tries.left()));
        let answer = (self.method)(attempt.worker, request);
        attempt.answer(answer).await
    }
}
