//! The bytes of an upload that have arrived, counted in the memory budget that all parts of the engine share, and in that of the
//! caller.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::Frame;
use parking_lot::Mutex;
use polarway_core::{MemoryBudget, Reservation};
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use tokio::time::Instant;
use tonic::body::Body;

use crate::body::{Filter, NextFrame, filtered, poll_frame};

/// How long an upload waits, without reading on, for memory that other calls hold.
const WAIT: Duration = Duration::from_secs(5);

/// How long an incomplete message may stay in memory without progress while others are short of memory.
const STALLED: Duration = Duration::from_secs(2);

/// An incomplete message of at most this many bytes may stay longer.
const MUCH: u64 = 64 << 10;

/// The retry delay after that wait.
const BUSY: Duration = Duration::from_secs(1);

/// Where the bytes of an upload are counted.
#[derive(Clone)]
pub(super) struct Budgets {
    /// The budget that all parts of the engine share.
    pub(super) engine: MemoryBudget,
    /// The budget that the uploads of one caller share.
    pub(super) caller: MemoryBudget,
}

/// The same bytes in both budgets.
struct Counts {
    engine: Reservation,
    caller: Reservation,
}

impl Budgets {
    fn try_reserve(&self, bytes: u64) -> Option<Counts> {
        let caller = self.caller.try_reserve(bytes)?;
        Some(Counts { engine: self.engine.try_reserve(bytes)?, caller })
    }

    async fn reserve(&self, bytes: u64) -> Counts {
        let caller = self.caller.reserve(bytes).await;
        Counts { engine: self.engine.reserve(bytes).await, caller }
    }
}

/// The memory of a call's bytes that have arrived and were not taken yet.
#[derive(Clone)]
pub(super) struct Arrivals(Arc<Mutex<Counts>>);

impl Arrivals {
    /// For a call of which nothing has arrived.
    pub(super) fn none(budgets: &Budgets) -> Self {
        let counts = Counts { engine: budgets.engine.nothing(), caller: budgets.caller.nothing() };
        Self(Arc::new(Mutex::new(counts)))
    }

    /// The memory of everything that has arrived since the last `take`. It no longer counts for the caller.
    pub(super) fn take(&self) -> Reservation {
        let mut counts = self.0.lock();
        counts.caller.resize(0);
        counts.engine.take()
    }

    /// The same body, but it is only read as far as there is memory for it.
    pub(super) fn count(&self, body: Body, budgets: Budgets) -> Body {
        let arrivals = self.clone();
        filtered(body, Counter { budgets, arrivals, waiting: None, moved: Instant::now(), stalled: None })
    }

    fn add(&self, more: Counts) {
        let mut counts = self.0.lock();
        counts.engine.add(more.engine);
        counts.caller.add(more.caller);
    }

    fn bytes(&self) -> u64 {
        self.0.lock().engine.bytes()
    }
}

/// Counts the frames of a body, and holds one back until there is memory for it.
struct Counter {
    budgets: Budgets,
    arrivals: Arrivals,
    /// A frame that has arrived and waits for memory.
    waiting: Option<Waiting>,
    moved: Instant,
    /// Set while a message is incomplete and no more bytes arrive.
    stalled: Option<BoxFuture<'static, ()>>,
}

struct Waiting {
    frame: Frame<Bytes>,
    turn: BoxFuture<'static, Option<Counts>>,
}

impl Filter for Counter {
    fn poll_frame(&mut self, body: &mut Body, context: &mut Context<'_>) -> Poll<NextFrame> {
        loop {
            if let Some(mut waiting) = self.waiting.take() {
                let Poll::Ready(turn) = waiting.turn.as_mut().poll(context) else {
                    self.waiting = Some(waiting);
                    return Poll::Pending;
                };
                return Poll::Ready(Some(match turn {
                    Some(taken) => {
                        self.arrivals.add(taken);
                        Ok(waiting.frame)
                    }
                    None => Err(short_of_memory().into()),
                }));
            }
            let frame = match poll_frame(body, context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending => return self.poll_stalled(context).map(|failure| Some(Err(failure.into()))),
            };
            self.moved = Instant::now();
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            if let Some(taken) = self.budgets.try_reserve(bytes) {
                self.arrivals.add(taken);
                return Poll::Ready(Some(Ok(frame)));
            }
            let budgets = self.budgets.clone();
            let turn = async move { tokio::time::timeout(WAIT, budgets.reserve(bytes)).await.ok() };
            self.waiting = Some(Waiting { frame, turn: Box::pin(turn) });
        }
    }

    fn holds_frame(&self) -> bool {
        self.waiting.is_some()
    }
}

impl Counter {
    /// Ready when an incomplete message made no progress for too long while others needed its memory.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        loop {
            if self.arrivals.bytes() <= MUCH {
                self.stalled = None;
                return Poll::Pending;
            }
            let (moved, budgets) = (self.moved, self.budgets.clone());
            let stalled = self.stalled.get_or_insert_with(|| {
                Box::pin(async move {
                    tokio::time::sleep_until(moved + STALLED).await;
                    tokio::select! {
                        () = budgets.engine.shortage() => {}
                        () = budgets.caller.shortage() => {}
                    }
                })
            });
            ready!(stalled.as_mut().poll(context));
            self.stalled = None;
            // More bytes may have arrived since the timer began.
            if self.moved.elapsed() >= STALLED {
                let message = format!(
                    "the upload brought only a part of a message and then nothing for {STALLED:?}, while others needed the \
                     memory: send it again"
                );
                return Poll::Ready(Reason::UploadStalled.failure(message));
            }
        }
    }
}

fn short_of_memory() -> Failure {
    let message =
        format!("other uploads and loads have had all the memory for {WAIT:?}: send the upload again");
    Reason::ResourceExhausted.failure(message).with_retry_delay(BUSY)
}
