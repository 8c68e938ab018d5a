//! Connections that are kept, with their views, for the next query that needs the same views.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::native::{Connection, Database, NativeError, Prepared};
use super::result_types::ResultColumns;
use super::view::View;
use crate::queue::control::Interrupt;

/// The longest text whose statement is kept, in bytes.
const LONGEST_KEPT: usize = 64 << 10;

/// The most bytes of views that an idle session may have.
const MOST_VIEW_BYTES: usize = 1 << 20;

/// A connection and the views that were created on it.
#[derive(Debug)]
pub(crate) struct Session {
    /// The last text, prepared: to prepare it again takes as long as a small query.
    kept: Option<Kept>,
    pub(crate) connection: Connection,
    views: Vec<View>,
}

/// A prepared statement between two runs.
#[derive(Debug)]
struct Kept {
    text: String,
    hugeint_as_text: bool,
    prepared: Prepared,
    /// The columns of its result.
    columns: ResultColumns,
}

impl Session {
    /// A statement for this text: the kept one, if it is the same, with the columns of its result.
    pub(crate) fn prepare(
        &mut self,
        text: &str,
        hugeint_as_text: bool,
    ) -> Result<(Prepared, Option<ResultColumns>), NativeError> {
        match self.kept.take() {
            Some(kept) if kept.text == text && kept.hugeint_as_text == hugeint_as_text => {
                Ok((kept.prepared, Some(kept.columns)))
            }
            _ => Ok((self.connection.prepare(text)?, None)),
        }
    }

    /// Keeps a statement for the next query with this text.
    pub(crate) fn keep(
        &mut self,
        text: &str,
        hugeint_as_text: bool,
        prepared: Prepared,
        columns: ResultColumns,
    ) {
        // The plan of a long text uses many times its length.
        if text.len() > LONGEST_KEPT {
            return;
        }
        self.kept = Some(Kept { text: text.to_owned(), hugeint_as_text, prepared, columns });
    }
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

    /// A session that has exactly these views, so that nothing of an earlier query can be named or appear in an error message.
    /// With `fresh` the views are bound again, for files that may have changed since. A session that last ran this text is
    /// preferred. Binding views reads files; `attach` gets what stops that.
    pub(crate) fn take(
        &self,
        text: &str,
        views: &[View],
        fresh: bool,
        attach: impl FnOnce(Arc<dyn Interrupt>),
    ) -> Result<Session, NativeError> {
        if !fresh {
            let mut idle = self.idle.lock();
            let fits = |session: &Session| session.views == views;
            let ran_it = |session: &Session| session.kept.as_ref().is_some_and(|kept| kept.text == text);
            let found = idle.iter().rposition(|session| ran_it(session) && fits(session));
            let found = found.or_else(|| idle.iter().rposition(fits));
            let found = found.and_then(|index| idle.remove(index));
            drop(idle);
            if let Some(session) = found {
                attach(session.connection.to_interrupt());
                return Ok(session);
            }
        }
        let connection = Connection::open(&self.database)?;
        attach(connection.to_interrupt());
        for view in views {
            connection.execute(&view.create())?;
        }
        Ok(Session { kept: None, connection, views: views.to_vec() })
    }

    /// A new connection without views.
    pub(crate) fn connect(&self) -> Result<Connection, NativeError> {
        Connection::open(&self.database)
    }

    /// Closes all idle sessions: the statements that they keep use memory or spill space.
    pub(crate) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle); // not under the lock
    }

    /// Takes back a session whose query ended well.
    pub(crate) fn give_back(&self, session: Session) {
        if session.views.iter().map(|view| view.select.len()).sum::<usize>() > MOST_VIEW_BYTES {
            return;
        }
        let mut idle = self.idle.lock();
        idle.push_back(session);
        // Closing a connection takes a moment: not under the lock.
        let surplus = (idle.len() > self.most_idle).then(|| idle.pop_front());
        drop(idle);
        drop(surplus);
    }
}
