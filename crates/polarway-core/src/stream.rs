//! Makes a stream of a source that blocks, a few items at a time, so that a slow reader holds no thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow::array::RecordBatch;
use futures::Stream;
use parking_lot::Mutex;
use polarway_storage::{BatchReader, MemoryBudget, Reservation};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::error::{Error, ErrorKind, Result};
use crate::threads::{Work, drop_on_thread};

/// The most items that are made in one step, since waking a thread for each would cost more than the item …
const ITEMS_AT_A_TIME: usize = 3;

/// … and the time after which a step ends with fewer.
const LONG: Duration = Duration::from_millis(5);

/// The next step begins when at most this many items wait for the reader.
const ITEMS_AHEAD: usize = 1;

/// The most items that wait for the reader.
pub(crate) const ITEMS_IN_ALL: u64 = (ITEMS_AHEAD + ITEMS_AT_A_TIME) as u64;

/// A stream from which nothing was taken for this long gives memory back to others that need it …
const IDLE: Duration = Duration::from_secs(1);

/// … and after this long, all of it, and ends.
const STALLED: Duration = Duration::from_secs(5);

/// How long a source waits for memory.
const WAIT: Duration = Duration::from_secs(10);

/// Makes items, on threads that may block.
pub(crate) trait Source: Send + 'static {
    /// What it makes.
    type Item: Send + 'static;

    /// The next item; `None` after the last.
    fn make_next(&mut self) -> Option<Result<Self::Item>>;

    /// The memory that it needs for the next item, in bytes.
    fn wanted_bytes(&self) -> u64 {
        0
    }

    /// Takes the memory that it needs.
    fn take(&mut self, memory: Reservation) {
        drop(memory);
    }

    /// Gives back the memory that it does not need until the next item.
    fn rest(&mut self) {}

    /// Whether it rests as soon as its reader is idle, also if nobody needs its memory: it holds something else.
    fn rests_when_idle(&self) -> bool {
        false
    }
}

impl Source for BatchReader {
    type Item = RecordBatch;

    fn make_next(&mut self) -> Option<Result<RecordBatch>> {
        Some(self.next()?.map_err(Error::from))
    }
}

/// A stream of the items that a source makes on blocking threads of the current runtime. Between two steps the source waits for
/// its reader and holds no thread. Dropping the stream ends the work.
pub(crate) struct BlockingStream<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    /// An item was taken, or the stream dropped.
    moved: Notify,
}

struct State<T> {
    ready: VecDeque<Result<T>>,
    /// No more items come.
    is_over: bool,
    /// Nobody reads any more.
    is_dropped: bool,
    reader: Option<Waker>,
}

impl<T: Send + 'static> BlockingStream<T> {
    /// Runs a source that has no memory to give back.
    pub(crate) fn alone(source: impl Source<Item = T>, threads: &Work) -> Self {
        Self::start(Box::new(source), None, threads)
    }

    /// Runs a source. If its reader takes nothing while others need memory, the source gives memory back, and in the end the
    /// stream fails.
    pub(crate) fn sharing(source: impl Source<Item = T>, memory: MemoryBudget, threads: &Work) -> Self {
        Self::start(Box::new(source), Some(memory), threads)
    }

    fn start(source: Box<dyn Source<Item = T>>, memory: Option<MemoryBudget>, threads: &Work) -> Self {
        let state = State { ready: VecDeque::new(), is_over: false, is_dropped: false, reader: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), moved: Notify::new() });
        tokio::spawn(serve(Arc::clone(&shared), source, memory, threads.clone()));
        Self(shared)
    }
}

/// Makes items until nobody wants more.
async fn serve<T: Send + 'static>(
    shared: Arc<Shared<T>>,
    mut source: Box<dyn Source<Item = T>>,
    memory: Option<MemoryBudget>,
    threads: Work,
) {
    loop {
        source = match wait_for_reader(&shared, source, memory.as_ref(), &threads).await {
            Some(source) => source,
            None => return,
        };
        let wanted_bytes = source.wanted_bytes();
        if let Some(memory) = memory.as_ref().filter(|_| wanted_bytes > 0) {
            match tokio::time::timeout(WAIT, memory.reserve(wanted_bytes)).await {
                Ok(taken) => source.take(taken),
                Err(_) => {
                    drop_on_thread(source);
                    return shared.give([Err(short_of_memory())], true);
                }
            }
        }
        let made = tokio::select! {
            made = threads.run(move || Ok(make(source))) => made,
            () = shared.dropped() => return,
        };
        match made {
            Ok((rest, items)) => {
                shared.give(items, rest.is_none());
                match rest {
                    Some(rest) => source = rest,
                    None => return,
                }
            }
            Err(error) => return shared.give([Err(error)], true),
        }
    }
}

/// Makes some items; returns them and the rest of the source.
#[expect(clippy::type_complexity, reason = "the two belong together only here")]
fn make<T: Send + 'static>(
    mut source: Box<dyn Source<Item = T>>,
) -> (Option<Box<dyn Source<Item = T>>>, Vec<Result<T>>) {
    let mut made = Vec::with_capacity(ITEMS_AT_A_TIME);
    let began = Instant::now();
    while made.is_empty() || (made.len() < ITEMS_AT_A_TIME && began.elapsed() < LONG) {
        // A panic must reach the reader as an error, not as an early end.
        match catch_unwind(AssertUnwindSafe(|| source.make_next())) {
            Ok(Some(item)) => made.push(item),
            Ok(None) => return (None, made),
            Err(panic) => {
                made.push(Err(Error::from_panic(&*panic)));
                return (None, made);
            }
        }
    }
    (Some(source), made)
}

/// Waits until the reader needs more items; `None` when the stream is over.
async fn wait_for_reader<T: Send + 'static>(
    shared: &Shared<T>,
    mut source: Box<dyn Source<Item = T>>,
    memory: Option<&MemoryBudget>,
    threads: &Work,
) -> Option<Box<dyn Source<Item = T>>> {
    let began = Instant::now();
    let mut has_rested = false;
    loop {
        let moved = shared.moved.notified();
        {
            let state = shared.state.lock();
            if state.is_dropped {
                drop_on_thread(source);
                return None;
            }
            if state.ready.len() <= ITEMS_AHEAD {
                return Some(source);
            }
        }
        let rests_when_idle = !has_rested && source.rests_when_idle();
        let should_rest = async {
            let Some(memory) = memory else { return std::future::pending().await };
            sleep_until(began + if has_rested { STALLED } else { IDLE }).await;
            if !rests_when_idle {
                memory.shortage().await;
            }
        };
        tokio::select! {
            () = moved => {}
            () = should_rest => {
                if has_rested {
                    shared.give_up();
                    drop_on_thread(source);
                    return None;
                }
                has_rested = true;
                let rested = threads.run(move || {
                    source.rest();
                    Ok(source)
                });
                source = match rested.await {
                    Ok(source) => source,
                    Err(error) => {
                        shared.give([Err(error)], true);
                        return None;
                    }
                };
            }
        }
    }
}

fn short_of_memory() -> Error {
    let message = format!("other uploads and loads have had all the memory for {WAIT:?}: go on later");
    Error::new(ErrorKind::ResourceExhausted, message)
}

impl<T> Shared<T> {
    fn give(&self, items: impl IntoIterator<Item = Result<T>>, is_over: bool) {
        let reader = {
            let mut state = self.state.lock();
            state.is_over = is_over;
            if !state.is_dropped {
                state.ready.extend(items);
            }
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Waits until nobody reads any more.
    async fn dropped(&self) {
        loop {
            let moved = self.moved.notified();
            if self.state.lock().is_dropped {
                return;
            }
            moved.await;
        }
    }

    /// Drops the items that the reader has not taken, and ends the stream.
    fn give_up(&self) {
        let message = format!(
            "nothing was read for {} s while others needed the memory: go on where it broke off",
            STALLED.as_secs()
        );
        let waiting = std::mem::take(&mut self.state.lock().ready);
        drop(waiting);
        self.give([Err(Error::new(ErrorKind::ResourceExhausted, message))], true);
    }
}

impl<T> Stream for BlockingStream<T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.0.state.lock();
        match state.ready.pop_front() {
            Some(item) => {
                drop(state);
                self.0.moved.notify_one();
                Poll::Ready(Some(item))
            }
            None if state.is_over => Poll::Ready(None),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for BlockingStream<T> {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.state.lock();
            state.is_dropped = true;
            std::mem::take(&mut state.ready)
        };
        drop(waiting);
        self.0.moved.notify_one();
    }
}
