//! Connections, kept with the views they have, for the next query that needs the same ones.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::native::{Connection, Database, NativeError};
use crate::view::View;

/// A connection and the views that were made on it.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    views: Vec<View>,
}

/// Idle sessions, the longest idle first.
#[derive(Debug)]
pub(crate) struct Sessions {
    database: Arc<Database>,
    idle: Mutex<VecDeque<Session>>,
    most_idle: usize,
}

impl Sessions {
    pub(crate) fn new(database: Arc<Database>, most_idle: usize) -> Self {
        Self { database, idle: Mutex::new(VecDeque::new()), most_idle }
    }

    /// A session that has exactly these views: nothing of an earlier query can be named, or suggested by an
    /// error message. With `fresh` the views are bound anew, for files that may have changed since.
    pub(crate) fn take(&self, views: Vec<View>, fresh: bool) -> Result<Session, NativeError> {
        if !fresh {
            let mut idle = self.idle.lock();
            let found = idle.iter().rposition(|session| session.views == views);
            if let Some(session) = found.and_then(|index| idle.remove(index)) {
                return Ok(session);
            }
        }
        let connection = Connection::open(&self.database)?;
        for view in &views {
            connection.execute(&view.create())?;
        }
        Ok(Session { connection, views })
    }

    /// Takes back a session whose query ended well.
    pub(crate) fn give_back(&self, session: Session) {
        let mut idle = self.idle.lock();
        idle.push_back(session);
        // Closing a connection takes a moment: not under the lock.
        let surplus = (idle.len() > self.most_idle).then(|| idle.pop_front());
        drop(idle);
        drop(surplus);
    }
}
