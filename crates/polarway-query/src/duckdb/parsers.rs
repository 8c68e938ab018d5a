//! Connections that parse: they run only fixed statements, never a user's.

use std::sync::Arc;

use parking_lot::Mutex;

use super::diagnose::{Hidden, Origin, diagnose};
use super::native::{Connection, Database, NativeError, Prepared};
use crate::error::Error;

/// For a text with more bytes, DuckDB uses a significant amount of memory.
const LONG_TEXT: usize = 64 << 10;

/// The parsers of one DuckDB.
#[derive(Debug)]
pub(super) struct Parsers {
    database: Arc<Database>,
    idle: Mutex<Vec<Parser>>,
}

impl Parsers {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self { database, idle: Mutex::new(Vec::new()) }
    }

    /// The syntax tree of a text, as JSON.
    pub(super) fn tree(&self, text: &str) -> Result<String, Error> {
        let tree = self.with(text, |parser| parser.serialize.text(&[text]))?;
        tree.ok_or_else(|| Error::Internal("DuckDB gave no tree".to_owned()))
    }

    /// The time that a text means, in microseconds since 1970 in UTC; `None` if it is no time.
    pub(super) fn timestamp(&self, literal: &str) -> Result<Option<i64>, Error> {
        let time = self.with(literal, |parser| parser.timestamp.text(&[literal]))?;
        Ok(time.and_then(|micros| micros.parse().ok()))
    }

    /// Runs `work` with a parser. A parser that had a long text still holds memory for it, and is not used again.
    fn with<T>(&self, text: &str, work: impl FnOnce(&Parser) -> Result<T, NativeError>) -> Result<T, Error> {
        let said = |error| diagnose(&error, Origin::OtherText, &Hidden::default());
        let parser = self.idle.lock().pop();
        let parser = match parser {
            Some(parser) => parser,
            None => Parser::open(&self.database).map_err(said)?,
        };
        let done = work(&parser);
        if text.len() <= LONG_TEXT {
            self.idle.lock().push(parser);
        }
        done.map_err(said)
    }

    /// Closes all connections that are not in use.
    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle); // not under the lock
    }
}

/// A connection that runs two fixed statements.
#[derive(Debug)]
struct Parser {
    serialize: Prepared,
    timestamp: Prepared,
}

impl Parser {
    fn open(database: &Arc<Database>) -> Result<Self, NativeError> {
        let connection = Connection::open(database)?;
        Ok(Self {
            serialize: connection
                .prepare("SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS VARCHAR)")?,
            timestamp: connection.prepare(
                "SELECT CASE WHEN isfinite(t) THEN CAST(epoch_us(t) AS VARCHAR) END \
                 FROM (SELECT TRY_CAST(? AS TIMESTAMP WITH TIME ZONE) AS t)",
            )?,
        })
    }
}
