//! The owner of a token, as long as the token is valid.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use polarway_core::Quota;
use polarway_proto::Reason;
use polarway_proto::v1::Failure;
use tokio::sync::watch;

use super::rights::Rights;

/// The longest time to wait before the clock is read again: it may be set meanwhile.
const LOOK: Duration = Duration::from_secs(60);

/// The owner of a token. All calls with the token share it, and those that run when the token ends are ended.
#[derive(Debug)]
pub(crate) struct Session {
    /// The caller's name.
    pub(super) name: Arc<str>,
    pub(super) rights: Rights,
    pub(super) quota: Quota,
    /// `None` if the session never ends.
    standing: Option<watch::Sender<Standing>>,
}

/// Whether a token is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is, until this time if there is one.
    Good { until: Option<SystemTime> },
    /// It was withdrawn, or its rights were changed.
    Withdrawn,
}

impl Session {
    /// A session that lasts as long as the server.
    pub(super) fn lasting(name: impl Into<Arc<str>>, rights: Rights) -> Self {
        Self { name: name.into(), rights, quota: Quota::default(), standing: None }
    }

    /// A session that ends at a time, if one is given, or when it is [withdrawn](Self::withdraw).
    pub(super) fn new(
        name: impl Into<Arc<str>>,
        rights: Rights,
        quota: Quota,
        until: Option<SystemTime>,
    ) -> Self {
        let standing = Some(watch::Sender::new(Standing::Good { until }));
        Self { name: name.into(), rights, quota, standing }
    }

    /// The caller's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may end before the server does.
    pub(crate) fn may_end(&self) -> bool {
        self.standing.is_some()
    }

    /// Sets when the token expires. Returns whether that changed.
    pub(super) fn set_expiry(&self, until: Option<SystemTime>) -> bool {
        self.set(Standing::Good { until })
    }

    /// Ends the session, and all calls that run in it.
    pub(super) fn withdraw(&self) {
        self.set(Standing::Withdrawn);
    }

    fn set(&self, new: Standing) -> bool {
        self.standing
            .as_ref()
            .is_some_and(|standing| standing.send_if_modified(|old| std::mem::replace(old, new) != new))
    }

    /// Checks that the token is valid.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match &self.standing {
            None => Ok(()),
            Some(standing) => {
                let standing = *standing.borrow();
                standing.check()
            }
        }
    }

    /// Waits until the token is no longer valid. Returns the reason.
    pub(crate) async fn ended(&self) -> Failure {
        let Some(standing) = &self.standing else { return std::future::pending().await };
        let mut changes = standing.subscribe();
        loop {
            let standing = *changes.borrow_and_update();
            if let Err(failure) = standing.check() {
                return failure;
            }
            let pause = match standing {
                Standing::Good { until: Some(until) } => {
                    until.duration_since(SystemTime::now()).unwrap_or_default().min(LOOK)
                }
                _ => LOOK,
            };
            // The sender is part of this session.
            let _ = tokio::time::timeout(pause, changes.changed()).await;
        }
    }
}

impl Standing {
    fn check(self) -> Result<(), Failure> {
        match self {
            Self::Good { until: Some(until) } if until <= SystemTime::now() => {
                Err(Reason::TokenExpired.failure("the token has expired: call with a new one"))
            }
            Self::Good { .. } => Ok(()),
            Self::Withdrawn => {
                Err(Reason::TokenWithdrawn.failure("the token was withdrawn, or its rights were changed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(until: Option<SystemTime>) -> Session {
        Session::new("me", Rights::all(), Quota::default(), until)
    }

    fn reason(result: Result<(), Failure>) -> String {
        result.unwrap_err().reason
    }

    #[tokio::test]
    async fn a_session_ends_with_its_token() {
        let now = SystemTime::now();
        assert!(session(None).check().is_ok());
        assert!(session(Some(now + Duration::from_secs(1000))).check().is_ok());
        let expired = session(Some(now));
        assert_eq!(reason(expired.check()), "TOKEN_EXPIRED");
        assert_eq!(expired.ended().await.reason, "TOKEN_EXPIRED");
    }

    #[tokio::test]
    async fn those_who_wait_hear_of_the_end() {
        let session = Arc::new(session(None));
        let waiting = tokio::spawn({
            let session = Arc::clone(&session);
            async move { session.ended().await.reason }
        });
        session.set_expiry(Some(SystemTime::now() + Duration::from_secs(1000)));
        session.withdraw();
        assert_eq!(waiting.await.unwrap(), "TOKEN_WITHDRAWN");
        assert_eq!(reason(session.check()), "TOKEN_WITHDRAWN");
    }
}
