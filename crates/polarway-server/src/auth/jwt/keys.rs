//! The issuer's current keys, from a file or a URL.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::JwtError;
use super::config::KeySource;
use super::fetch::Fetcher;
use super::key_set::{KeySet, KeySetError};
use crate::reload::Reloaded;

/// The time between two fetches of the keys.
const REFRESH: Duration = Duration::from_secs(300);

/// The same after a fetch that failed.
const RETRY: Duration = Duration::from_secs(10);

/// How long after one fetch the next may begin because a token has an unknown key: anybody can send such tokens.
const LEAST_PAUSE: Duration = Duration::from_secs(10);

/// How long a call waits for keys that are fetched for its token.
const WAIT: Duration = Duration::from_secs(10);

/// The keys, and what keeps them current.
pub(super) enum Keys {
    File(Reloaded<KeySet>),
    Url(Fetched),
}

impl Keys {
    /// Keys for these algorithms. It must be called inside a tokio runtime. Keys from a URL may arrive later: if the issuer does
    /// not answer when the server starts, the server still serves callers with other tokens.
    ///
    /// # Errors
    /// A file that can't be used.
    pub(super) fn start(source: &KeySource, algorithms: Vec<Algorithm>) -> Result<Self, JwtError> {
        match source {
            KeySource::File(path) => {
                let make = move |contents: &[Vec<u8>]| KeySet::parse(&contents.concat(), &algorithms);
                let file = Reloaded::start::<KeySetError, _>("the file of keys", vec![path.clone()], make)?;
                Ok(Self::File(file))
            }
            KeySource::Url(url) => Ok(Self::Url(Fetched::start(Fetcher::new(url.clone())?, algorithms))),
        }
    }

    /// The current keys.
    pub(super) fn current(&self) -> Arc<KeySet> {
        match self {
            Self::File(file) => file.current(),
            Self::Url(fetched) => Arc::clone(&fetched.keys.borrow()),
        }
    }

    /// The keys, and each change to them.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<KeySet>> {
        match self {
            Self::File(file) => file.changes(),
            Self::Url(fetched) => fetched.keys.clone(),
        }
    }

    /// Fetches the keys because a token has an unknown key. Returns whether the key should be looked up again.
    pub(super) async fn look_again(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Url(fetched) => fetched.look_again().await,
        }
    }

    /// Whether no keys have been fetched yet.
    pub(super) fn are_missing(&self) -> bool {
        self.current().keys.is_empty()
    }
}

/// Keys that a task fetches. The task ends when this is dropped.
pub(super) struct Fetched {
    keys: watch::Receiver<Arc<KeySet>>,
    /// The number of fetches, including those that failed.
    rounds: watch::Receiver<u64>,
    asked: Arc<Notify>,
    last_asked: Mutex<Option<Instant>>,
    fetching: JoinHandle<()>,
}

impl Fetched {
    fn start(fetcher: Fetcher, algorithms: Vec<Algorithm>) -> Self {
        let (keys, current) = watch::channel(Arc::default());
        let (round, rounds) = watch::channel(0);
        let asked = Arc::new(Notify::new());
        let wake = Arc::clone(&asked);
        let fetching = tokio::spawn(async move {
            let mut was_well = None;
            loop {
                let fetched = fetcher.fetch().await;
                let parsed = fetched
                    .and_then(|text| KeySet::parse(&text, &algorithms).map_err(|error| error.to_string()));
                let is_well = parsed.is_ok();
                match parsed {
                    Ok(new) => {
                        keys.send_replace(Arc::new(new));
                        if was_well == Some(false) {
                            tracing::info!("the keys of JWTs can be fetched again");
                        }
                    }
                    Err(error) if was_well != Some(false) => {
                        tracing::warn!(
                            "the keys of JWTs can't be fetched, so those before stay in force: {error}"
                        );
                    }
                    Err(_) => {}
                }
                was_well = Some(is_well);
                round.send_modify(|round| *round += 1);
                let _ = timeout(if is_well { REFRESH } else { RETRY }, wake.notified()).await;
            }
        });
        Self { keys: current, rounds, asked, last_asked: Mutex::new(None), fetching }
    }

    async fn look_again(&self) -> bool {
        let mut rounds = self.rounds.clone();
        let before = *rounds.borrow_and_update();
        // The first fetch is under way already.
        if before > 0 {
            let mut last = self.last_asked.lock();
            if last.is_some_and(|last| last.elapsed() < LEAST_PAUSE) {
                return false;
            }
            *last = Some(Instant::now());
            self.asked.notify_one();
        }
        matches!(timeout(WAIT, rounds.changed()).await, Ok(Ok(())))
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        self.fetching.abort();
    }
}
