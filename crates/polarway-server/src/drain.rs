//! The shutdown of a server: calls may finish for a limited time. The remaining calls are then ended with a reason.

use std::sync::Arc;

use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use tokio::sync::watch;

/// The stage of a server's shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    /// Calls of our methods may finish; other calls end.
    Draining,
    /// All calls end.
    Over,
}

/// Ends the calls of a server. Clones share their state.
#[derive(Clone)]
pub(crate) struct Drain(Arc<watch::Sender<Stage>>);

impl Drain {
    /// A server that serves.
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Stage::Serving)))
    }

    /// The shutdown begins. Streams of services that are not ours end now: a client may watch the health of a server for days.
    pub(crate) fn begin(&self) {
        self.0.send_replace(Stage::Draining);
    }

    /// The time limit is reached: all calls end now.
    pub(crate) fn cut_off(&self) {
        self.0.send_replace(Stage::Over);
    }

    /// Waits until the shutdown begins.
    pub(crate) async fn begun(&self) {
        self.after(Stage::Serving).await;
    }

    async fn after(&self, last: Stage) {
        // The sender is part of this value, so it is there.
        let _ = self.0.subscribe().wait_for(|stage| *stage > last).await;
    }

    /// The end of a call of one of our methods.
    pub(crate) fn of_ours(&self) -> CutOff {
        CutOff { drain: self.clone(), last: Stage::Draining }
    }

    /// The end of a call of another service.
    pub(crate) fn of_others(&self) -> CutOff {
        CutOff { drain: self.clone(), last: Stage::Serving }
    }
}

/// Ends a call with its server.
#[derive(Clone)]
pub(crate) struct CutOff {
    drain: Drain,
    /// The last stage in which the call may run.
    last: Stage,
}

impl CutOff {
    /// Checks that the call may go on.
    ///
    /// # Errors
    /// That the server is shutting down.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if *self.drain.0.borrow() > self.last { Err(shutting_down()) } else { Ok(()) }
    }

    /// Waits until the call must end. Returns the reason.
    pub(crate) async fn ended(&self) -> Failure {
        self.drain.after(self.last).await;
        shutting_down()
    }
}

fn shutting_down() -> Failure {
    Reason::ShuttingDown
        .failure("this worker is shutting down, and the call has not ended in time: make it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn our_methods_may_finish_and_others_end_with_the_beginning_of_the_end() {
        let drain = Drain::new();
        let (load, watch) = (drain.of_ours(), drain.of_others());
        assert!(load.check().is_ok() && watch.check().is_ok());
        drain.begin();
        assert!(load.check().is_ok() && drain.of_ours().check().is_ok());
        assert_eq!(watch.ended().await.reason, "SHUTTING_DOWN");
        drain.cut_off();
        assert_eq!(load.check().unwrap_err().reason, "SHUTTING_DOWN");
        assert_eq!(load.ended().await.reason, "SHUTTING_DOWN");
    }
}
