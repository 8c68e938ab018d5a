//! The workers that take part in a try.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{FuturesUnordered, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tonic::{Code, Status, Streaming};
use url::Url;
use uuid::Uuid;

use super::{Query, address, remaining};
use crate::channels::{Channels, is_of_connection};
use crate::error::{Error, Refusal};
use crate::service::Worker;
use crate::wire::{FileMessage, JoinRequest, Joined, KeptMessage};

/// How long a worker may take to answer that it takes part, and whether it is still there.
const ANSWER: Duration = Duration::from_secs(5);
const PROBE: Duration = Duration::from_secs(1);

/// The calls by which workers take part. Dropping them ends the query on all of them.
pub(super) struct Leases {
    channels: Arc<Channels>,
    urls: Vec<Url>,
    ends: Arc<Ends>,
    calls: JoinSet<()>,
}

/// The calls that have ended before the query, in their order.
#[derive(Default)]
struct Ends {
    ended: Mutex<Vec<(Url, End)>>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Lost,
    Late,
}

impl Leases {
    /// Asks workers to take part in a query. Those that refuse are left out.
    ///
    /// # Errors
    /// None takes part.
    pub(super) async fn take(
        worker: &Worker,
        id: Uuid,
        query: &Query,
        workers: &[Url],
    ) -> Result<Self, Error> {
        let channels = Arc::clone(&worker.0.channels);
        let files: Vec<FileMessage> = query.files.all().iter().map(FileMessage::from).collect();
        let call = query.call.as_ref();
        let kept = query.kept.as_ref().map(KeptMessage::try_from).transpose().map_err(Error::Unsupported)?;
        let joins = join_all(workers.iter().map(|url| {
            let request = JoinRequest {
                query: id.as_bytes().to_vec(),
                version: worker.0.identity.version.clone(),
                storage: worker.0.identity.storage.clone(),
                url: url.to_string(),
                // Not a moment less: here the deadline is known best.
                remaining_ms: u64::try_from(remaining(query.deadline).as_millis())
                    .map_or(u64::MAX, |ms| ms.saturating_add(1)),
                memory_bytes: query.memory_bytes as u64,
                files: files.clone(),
                engine_query: query.id.as_bytes().to_vec(),
                request_id: call.map(|call| call.request_id.to_string()),
                kept: kept.clone(),
                traceparent: call.and_then(|call| call.traceparent.as_deref().map(str::to_owned)),
            };
            join(&channels, url, request)
        }));
        let (mut urls, mut refusals, mut calls) = (Vec::new(), Vec::new(), JoinSet::new());
        let ends = Arc::new(Ends::default());
        for (url, joined) in workers.iter().zip(joins.await) {
            match joined {
                Ok(stream) => {
                    urls.push(url.clone());
                    calls.spawn(watch(url.clone(), stream, Arc::clone(&ends)));
                }
                Err(status) => refusals.push(Refusal { address: address(url), reason: refusal(&status) }),
            }
        }
        for refusal in &refusals {
            tracing::warn!(
                worker = refusal.address,
                reason = refusal.reason,
                "a worker does not take part in a query"
            );
        }
        match urls.is_empty() {
            true => Err(Error::NoWorkers(refusals)),
            false => Ok(Self { channels, urls, ends, calls }),
        }
    }

    /// Releases the workers of a plan that has no part for them.
    pub(super) fn release(&mut self) {
        self.calls = JoinSet::new();
    }

    pub(super) fn urls(&self) -> &[Url] {
        &self.urls
    }

    /// Waits until a worker ends the query before its time, and says why.
    pub(super) async fn ended(&self) -> Error {
        loop {
            let changed = self.ends.changed.notified();
            if let Some(error) = self.first_end() {
                return error;
            }
            changed.await;
        }
    }

    fn first_end(&self) -> Option<Error> {
        self.ends.ended.lock().first().map(|(url, end)| match end {
            End::Lost => Error::WorkerLost { address: address(url), after_rows: false },
            End::Late => Error::Deadline,
        })
    }

    /// Whether a worker is lost, asked after a connection failed: perhaps one between two others, which notice it first.
    pub(super) async fn probe(&self) -> Option<Error> {
        let asked = self.urls.iter().map(|url| async move {
            let answer = tokio::time::timeout(PROBE, self.channels.status(url)).await;
            (!matches!(answer, Ok(Ok(_)))).then_some(url)
        });
        let mut asked = asked.collect::<FuturesUnordered<_>>();
        while let Some(silent) = asked.next().await {
            if let Some(url) = silent {
                self.ends.add(url.clone(), End::Lost);
            }
            if let Some(error) = self.first_end() {
                return Some(error);
            }
        }
        self.first_end()
    }

    /// The workers that are lost.
    pub(super) fn lost(&self) -> Vec<Url> {
        let ended = self.ends.ended.lock();
        ended.iter().filter(|(_, end)| *end == End::Lost).map(|(url, _)| url.clone()).collect()
    }
}

impl Ends {
    fn add(&self, url: Url, end: End) {
        self.ended.lock().push((url, end));
        self.changed.notify_waiters();
    }
}

async fn join(channels: &Channels, url: &Url, request: JoinRequest) -> Result<Streaming<Joined>, Status> {
    let joining = async {
        let mut stream = channels.join(url, request).await?;
        match stream.message().await? {
            Some(Joined {}) => Ok(stream),
            None => Err(Status::internal("it ended the query before it began")),
        }
    };
    let silent = || Err(Status::deadline_exceeded("it did not answer in time"));
    tokio::time::timeout(ANSWER, joining).await.unwrap_or_else(|_| silent())
}

/// Waits for the end of a call. The query ends it by dropping it, so any other end is the worker's.
async fn watch(url: Url, mut stream: Streaming<Joined>, ends: Arc<Ends>) {
    let end = loop {
        match stream.message().await {
            Ok(Some(Joined {})) => {}
            Err(status) if status.code() == Code::DeadlineExceeded && !is_of_connection(&status) => {
                break End::Late;
            }
            Ok(None) | Err(_) => break End::Lost,
        }
    };
    ends.add(url, end);
}

fn refusal(status: &Status) -> String {
    match is_of_connection(status) {
        true => format!("can't be reached: {}", crate::error::causes(status)),
        false => format!("refuses it: {}", status.message()),
    }
}
