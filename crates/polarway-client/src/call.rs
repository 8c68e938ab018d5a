//! How every call is made: at which worker, within which bounds, and again after which failures.
//!
//! A [`Call`] owns the deadline, the waits between tries and the choice of the worker. Each try is an [`Attempt`], which
//! bounds every wait for the server: none of them is open-ended, since a balancer keeps connections alive before a worker
//! that has stopped, and nothing else would tell.

use std::sync::Arc;
use std::time::Duration;

use polarway_proto::SILENCE;
use tonic::{Request, Response, Status};

use crate::connection::{CONNECT, Worker, Workers};
use crate::error::{Error, ErrorKind, Result};
use crate::retry::Tries;

/// How long a worker may take to begin its answer: a connection is made, and then the first sign of life comes.
const OPENING: Duration = CONNECT.saturating_add(SILENCE);

/// What a call is, which says how often it may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Made twice, it does what it does once: it reads, or it writes under an id that the server recognises.
    Idempotent,
    /// It asks whether anybody is there. A connection that can't be made is the answer; a balancer that says or shows that
    /// its worker does not answer is none yet.
    Probe,
    /// It runs a query. A query that ends the worker it runs on must not end all of them: after it has begun, it is run
    /// again this often at the most.
    Query,
}

/// How often a query is run again that had begun.
const QUERY_RUNS_AGAIN: u32 = 2;

/// What a call does at one worker, as often as it takes.
pub(crate) trait Operation: Send {
    /// What it gives in the end.
    type Output: Send;

    /// Does it once. What a failed attempt leaves behind is there for the next one.
    fn attempt(&mut self, attempt: &mut Attempt<'_>) -> impl Future<Output = Result<Self::Output>> + Send;
}

/// One call, from its first try to its last.
pub(crate) struct Call {
    workers: Arc<Workers>,
    kind: Kind,
    tries: Tries,
    /// The worker of the try that is under way.
    worker: Option<Worker>,
    /// No other worker can answer.
    is_for_one_worker: bool,
    /// How long an answer that comes in one piece is waited for. It doubles with each try, in case it takes that long.
    patience: Duration,
}

impl Call {
    /// A call of any worker.
    pub(crate) fn new(workers: &Arc<Workers>, timeout: Duration, kind: Kind) -> Self {
        let tries = match kind {
            Kind::Idempotent | Kind::Probe => Tries::new(timeout),
            Kind::Query => Tries::new(timeout).with_most_breaks(QUERY_RUNS_AGAIN),
        };
        Self {
            workers: Arc::clone(workers),
            kind,
            tries,
            worker: None,
            is_for_one_worker: false,
            patience: OPENING,
        }
    }

    /// The same of this worker alone.
    pub(crate) fn only_of(self, worker: Worker) -> Self {
        Self { worker: Some(worker), is_for_one_worker: true, ..self }
    }

    /// Makes attempts until one succeeds, one fails in a way that another try does not mend, or the time is over.
    ///
    /// A stream is read by several calls of this method: the worker stays the same until an attempt fails.
    ///
    /// # Errors
    /// That of the last attempt.
    pub(crate) async fn run<O: Operation>(&mut self, operation: &mut O) -> Result<O::Output> {
        loop {
            match operation.attempt(&mut self.attempt()).await {
                Ok(output) => return Ok(output),
                Err(error) => self.failed(error).await?,
            }
        }
    }

    /// Makes one more attempt at the worker that is under way. What it gave so far was handed out, so it can't begin anew
    /// elsewhere: a failure is final.
    ///
    /// # Errors
    /// That of the attempt.
    pub(crate) async fn go_on<O: Operation>(&mut self, operation: &mut O) -> Result<O::Output> {
        let result = operation.attempt(&mut self.attempt()).await;
        result.map_err(|error| {
            self.leave_worker(&error);
            error.for_good()
        })
    }

    fn attempt(&mut self) -> Attempt<'_> {
        let worker = self.worker.get_or_insert_with(|| self.workers.pick());
        Attempt { workers: &self.workers, worker, tries: &mut self.tries, patience: self.patience }
    }

    /// Waits before the next attempt, which another worker may have.
    async fn failed(&mut self, error: Error) -> Result<()> {
        self.leave_worker(&error);
        self.patience = self.patience.saturating_mul(2);
        match self.kind {
            Kind::Probe if error.is_of_connection() => Err(error),
            _ => self.tries.after(error).await,
        }
    }

    /// Other workers may do better where an error passes. What one refuses for good, others refuse too; and a handle may
    /// be with this one alone.
    fn leave_worker(&mut self, error: &Error) {
        if error.is_transient()
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
    worker: &'a Worker,
    tries: &'a mut Tries,
    patience: Duration,
}

impl Attempt<'_> {
    /// Waits for an answer in one piece: as long as patience lasts, or all the time that is left.
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
            Ok(message) => message.map_err(Error::from_status),
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
            Ok(result) => result.map_err(Error::from_status),
            Err(_) if bound < left => Err(Error::unreachable(format!("{what_failed} for {bound:?}"))),
            Err(_) => {
                let message = format!("{what_failed} within {:?}", self.tries.timeout());
                Err(Error::new(ErrorKind::TimedOut, message))
            }
        }
    }

    /// All workers, which know what each request carries besides its message.
    pub(crate) fn workers(&self) -> &Workers {
        self.workers
    }

    /// The worker that is asked.
    pub(crate) fn worker(&self) -> &Worker {
        self.worker
    }

    /// How long an answer in one piece is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The whole time that the call has, from its beginning or its last progress.
    pub(crate) fn timeout(&self) -> Duration {
        self.tries.timeout()
    }

    /// The server is at work: the call has the whole timeout again.
    pub(crate) fn going(&mut self) {
        self.tries.going();
    }

    /// The call got on, and what it has done need not be done again.
    pub(crate) fn progress(&mut self) {
        self.tries.progress();
    }
}

/// A call with one message and one answer.
pub(crate) struct Unary<M, F> {
    /// What is asked.
    pub(crate) message: M,
    /// How.
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
        let mut request = attempt.workers.request(self.message.clone());
        // The server need not go on when the time of the call is over.
        request.set_timeout(attempt.tries.left());
        let answer = (self.method)(attempt.worker, request);
        attempt.answer(answer).await
    }
}
