//! The shutdown of a server: calls may finish for a limited time. The remaining calls are then ended with a reason.

use std::sync::Arc;

use futures::future::BoxFuture;
use polarway_proto::v1::Failure;
use polarway_proto::{Method, Reason};
use tokio::sync::watch;

use crate::ending::Ending;

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

    /// The ending of a call with this path.
    pub(crate) fn of_call(&self, path: &str) -> CutOff {
        let last = if Method::of_path(path).is_some() { Stage::Draining } else { Stage::Serving };
        CutOff { stage: self.0.subscribe(), last }
    }
}

/// Ends a call with its server.
#[derive(Clone)]
pub(crate) struct CutOff {
    stage: watch::Receiver<Stage>,
    /// The last stage in which the call may run.
    last: Stage,
}

impl Ending for CutOff {
    fn check(&self) -> Result<(), Failure> {
        if *self.stage.borrow() > self.last { Err(shutting_down()) } else { Ok(()) }
    }

    fn ended(&self) -> BoxFuture<'static, Failure> {
        let (mut stage, last) = (self.stage.clone(), self.last);
        Box::pin(async move {
            // Without a sender, the server no longer exists.
            let _ = stage.wait_for(|stage| *stage > last).await;
            shutting_down()
        })
    }
}

fn shutting_down() -> Failure {
    Reason::ShuttingDown
        .failure("this worker is shutting down, and the call has not ended in time: make it again")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = "/polarway.v1.PolarwayService/Load";
    const WATCH: &str = "/grpc.health.v1.Health/Watch";

    #[tokio::test]
    async fn our_methods_may_finish_and_others_end_with_the_beginning_of_the_end() {
        let drain = Drain::new();
        let (load, watch) = (drain.of_call(LOAD), drain.of_call(WATCH));
        assert!(load.check().is_ok() && watch.check().is_ok());
        drain.begin();
        assert!(load.check().is_ok() && drain.of_call(LOAD).check().is_ok());
        assert_eq!(watch.ended().await.reason, "SHUTTING_DOWN");
        drain.cut_off();
        assert_eq!(load.check().unwrap_err().reason, "SHUTTING_DOWN");
        assert_eq!(load.ended().await.reason, "SHUTTING_DOWN");
    }
}
