//! The sessions of tokens that were checked: a token is not checked again with each call.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::key_set::KeySet;
use crate::auth::digest::TokenDigest;
use crate::auth::session::Session;

/// The most sessions that are remembered while no call uses them.
const MOST_IDLE: usize = 10_000;

/// The sessions, by their tokens.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<TokenDigest, Checked>>);

/// A token that was checked.
#[derive(Debug)]
struct Checked {
    session: Arc<Session>,
    /// The key that it was checked with.
    key: TokenDigest,
}

impl Sessions {
    /// The session of a token that was checked before and is still valid.
    pub(super) fn find(&self, token: TokenDigest) -> Option<Arc<Session>> {
        let mut sessions = self.0.lock();
        let session = Arc::clone(&sessions.get(&token)?.session);
        if session.check().is_err() {
            sessions.remove(&token);
        }
        Some(session)
    }

    /// Remembers the session of a token that was checked with a key, and returns the one that all its calls share.
    pub(super) fn add(&self, token: TokenDigest, session: Session, key: TokenDigest) -> Arc<Session> {
        let mut sessions = self.0.lock();
        if sessions.len() >= MOST_IDLE {
            // Sessions in use are kept, so that they can be ended when their key is removed. There are at most as many as calls.
            sessions.retain(|_, checked| Arc::strong_count(&checked.session) > 1);
        }
        let checked = Checked { session: Arc::new(session), key };
        Arc::clone(&sessions.entry(token).or_insert(checked).session)
    }

    /// Ends the sessions whose keys were removed.
    pub(super) fn keep_those_of(&self, keys: &KeySet) {
        self.0.lock().retain(|_, checked| {
            let is_there = keys.keys.iter().any(|key| key.fingerprint == checked.key);
            if !is_there {
                checked.session.withdraw();
            }
            is_there
        });
    }
}
