//! Heartbeats: what a stream sends while there is nothing else to send.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

/// The longest time that a stream's sender may send nothing.
pub const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a client waits for the next message of a stream before it considers the connection broken.
pub const SILENCE: Duration = Duration::from_secs(5);

/// A stream of messages, with a heartbeat for each second without a message.
#[derive(Debug)]
pub struct WithHeartbeats<S, F> {
    messages: S,
    heartbeat: F,
    silence: Pin<Box<Sleep>>,
}

impl<S, F> WithHeartbeats<S, F> {
    /// These messages, with heartbeats made by `heartbeat`. Must be called inside a tokio runtime.
    pub fn new(messages: S, heartbeat: F) -> Self {
        Self { messages, heartbeat, silence: Box::pin(sleep(HEARTBEAT)) }
    }
}

impl<S: Stream + Unpin, F: FnMut() -> S::Item + Unpin> Stream for WithHeartbeats<S, F> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        let message = match Pin::new(&mut this.messages).poll_next(context) {
            Poll::Ready(message) => message,
            Poll::Pending => {
                std::task::ready!(this.silence.as_mut().poll(context));
                Some((this.heartbeat)())
            }
        };
        this.silence.as_mut().reset(Instant::now() + HEARTBEAT);
        Poll::Ready(message)
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_beats_each_second() {
        let slow = stream::once(async {
            sleep(Duration::from_millis(2500)).await;
            7
        });
        let start = Instant::now();
        let seen: Vec<_> = WithHeartbeats::new(Box::pin(slow), || 0)
            .map(|message| (message, start.elapsed().as_millis()))
            .collect()
            .await;
        assert_eq!(seen, [(0, 1000), (0, 2000), (7, 2500)]);
    }
}
