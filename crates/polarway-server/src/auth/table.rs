//! The tokens of the file, with the sessions of their owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::audit::RightsChange;
use super::digest::TokenDigest;
use super::file::{self, AuthFileError, Entry};
use super::session::Session;

/// The tokens that are in force.
#[derive(Debug, Default)]
pub(super) struct TokenTable(Vec<(TokenDigest, Arc<Session>)>);

impl TokenTable {
    /// The session of a token, if it is one of these. All are compared, so that the time does not depend on which one matches.
    pub(super) fn find(&self, token: TokenDigest) -> Option<&Arc<Session>> {
        let none = self.0.len() as u64;
        let found = self.0.iter().zip(0..none).fold(none, |mut found, ((digest, _), index)| {
            found.conditional_assign(&index, digest.ct_eq(&token));
            found
        });
        let (_, session) = self.0.get(usize::try_from(found).ok()?)?;
        Some(session)
    }

    /// The tokens of a new state of the file, and the changes. A token whose rights did not change keeps its session, so that its
    /// calls go on. The other sessions end.
    fn following(before: &Self, entries: Vec<Entry>) -> (Self, Vec<RightsChange>) {
        let mut sessions: HashMap<TokenDigest, &Arc<Session>> =
            before.0.iter().map(|(digest, session)| (*digest, session)).collect();
        let mut table = Vec::with_capacity(entries.len());
        let mut changes = Vec::new();
        for Entry { name, digest, rights, quota, expires } in entries {
            let before = sessions.remove(&digest);
            let is_same = |session: &&Arc<Session>| {
                (&session.name, &session.rights, session.quota) == (&name, &rights, quota)
            };
            let session = match before.filter(is_same) {
                Some(session) => {
                    if session.set_expiry(expires) {
                        changes.push(RightsChange::new(session, "expires at another time"));
                    }
                    Arc::clone(session)
                }
                None => {
                    let session = Arc::new(Session::new(name, rights, quota, expires));
                    let what = if before.is_some() { "has other rights" } else { "was added" };
                    changes.push(RightsChange::new(&session, what));
                    session
                }
            };
            if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, &session)) {
                before.withdraw();
            }
            table.push((digest, session));
        }
        for session in sessions.into_values() {
            session.withdraw();
            changes.push(RightsChange::new(session, "was withdrawn"));
        }
        (Self(table), changes)
    }
}

/// A function that makes a table from each new state of the file.
pub(super) fn tables() -> impl Fn(&[Vec<u8>]) -> Result<Arc<TokenTable>, AuthFileError> + Send + 'static {
    let before: Mutex<Option<Arc<TokenTable>>> = Mutex::default();
    move |contents| {
        let entries = file::parse(&contents.concat())?;
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        let table = match &*before {
            None => TokenTable::following(&TokenTable::default(), entries).0,
            Some(before) => {
                let (table, changes) = TokenTable::following(before, entries);
                changes.iter().for_each(RightsChange::log);
                table
            }
        };
        let table = Arc::new(table);
        *before = Some(Arc::clone(&table));
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[(&str, &str, &str)]) -> Vec<Vec<u8>> {
        let entries = entries.iter().map(|(name, token, more)| {
            let digest = TokenDigest::of(token.as_bytes()).to_hex();
            format!("[[token]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n{more}\n")
        });
        vec![entries.collect::<String>().into_bytes()]
    }

    fn found(table: &TokenTable, token: &str) -> Option<Arc<Session>> {
        table.find(TokenDigest::of(token.as_bytes())).cloned()
    }

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        let reader = "role = \"reader\"";
        let table = tables()(&file(&[("a", "1", reader), ("b", "2", reader), ("c", "3", reader)])).unwrap();
        for (token, name) in [("1", "a"), ("2", "b"), ("3", "c")] {
            assert_eq!(&*found(&table, token).unwrap().name, name);
        }
        assert!(found(&table, "4").is_none());
        assert!(found(&TokenTable::default(), "1").is_none());
    }

    #[test]
    fn only_sessions_whose_rights_stay_go_on() {
        let make = tables();
        let reader = "role = \"reader\"";
        let tokens =
            [("same", "1", reader), ("gone", "2", reader), ("more", "3", reader), ("later", "4", reader)];
        let before = make(&file(&tokens)).unwrap();
        let after = [
            ("later", "4", "role = \"reader\"\nexpires = 2100-01-01"),
            ("same", "1", reader),
            ("more", "3", "role = \"writer\""),
            ("new", "5", reader),
        ];
        let after = make(&file(&after)).unwrap();
        for (token, stays) in [("1", true), ("2", false), ("3", false), ("4", true)] {
            assert_eq!(found(&before, token).unwrap().check().is_ok(), stays, "{token}");
        }
        for token in ["1", "3", "4", "5"] {
            assert!(found(&after, token).unwrap().check().is_ok(), "{token}");
        }
        assert!(found(&after, "2").is_none());
        // It must not come back with a session that has ended.
        let again = make(&file(&tokens)).unwrap();
        assert!(found(&again, "2").unwrap().check().is_ok());
    }

    #[test]
    fn a_state_that_can_not_be_used_changes_nothing() {
        let make = tables();
        let before = make(&file(&[("a", "1", "role = \"reader\"")])).unwrap();
        assert!(make(&[b"[[token]]".to_vec()]).is_err());
        assert!(found(&before, "1").unwrap().check().is_ok());
    }
}
