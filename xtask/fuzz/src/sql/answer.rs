//! All of a query's result. The engine's limits bound it, so it waits for no reader.

use std::sync::mpsc::{Receiver, Sender, channel as unbounded};

use arrow::array::RecordBatch;
use polarway_query::{Closed, Error, Release, ResultEvent, ResultSink, StopSignal};

pub(super) struct Sink(Sender<ResultEvent>);

pub(super) fn channel() -> (Sink, Receiver<ResultEvent>) {
    let (sender, events) = unbounded();
    (Sink(sender), events)
}

impl ResultSink for Sink {
    fn push(&mut self, event: ResultEvent, _stop: &StopSignal) -> Result<(), Closed> {
        self.0.send(event).map_err(|_| Closed)
    }

    fn releaser(&mut self) -> Release {
        let sender = self.0.clone();
        Box::new(move |error| {
            let _ = sender.send(ResultEvent::Failed(error)); // nobody may be reading any more
        })
    }
}

/// The rows of a query that ends well.
pub(super) fn batches(events: &Receiver<ResultEvent>) -> Result<Vec<RecordBatch>, Error> {
    let mut batches = Vec::new();
    for event in events {
        match event {
            ResultEvent::Columns(_) => {}
            ResultEvent::Rows(batch) => batches.push(batch),
            ResultEvent::End(_) => return Ok(batches),
            ResultEvent::Failed(error) => return Err(error),
        }
    }
    Err(Error::Internal("its thread ended early".to_owned()))
}
