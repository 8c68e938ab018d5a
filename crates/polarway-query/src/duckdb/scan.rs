//! Reads a kept table row by row, without a query: there is no text of a user, so nothing to check and nothing to resolve.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use polarway_sql::identifier;

use super::diagnose::{Hidden, Origin, diagnose};
use super::execution::plan_for_arrow;
use super::instance::Guest;
use super::instance::Instance;
use super::native::{NativeError, Rows};
use super::result_types::ResultColumns;
use super::{DuckDb, TABLE_IS_GONE, kept};
use crate::batches::{BATCH_BYTES, Joiner};
use crate::error::Error;
use crate::executor::{KeptPart, KeptScan};
use crate::queue::control::Control;

/// DuckDB's name for the number of a row. A column of a table can have the same name, and then hides it.
const ROW_NUMBER: &str = "rowid";

/// A scan of a part of a kept table.
pub(super) struct TableScan {
    duckdb: Arc<DuckDb>,
    /// What was not returned yet.
    part: KeptPart,
    open: Option<Open>,
}

/// A statement that runs in an instance of DuckDB.
struct Open {
    // Fields drop in this order: the rows first, then what keeps their instance.
    rows: Rows,
    columns: ResultColumns,
    joiner: Joiner,
    control: Arc<Control>,
    guest: Guest,
}

impl TableScan {
    pub(super) fn new(duckdb: Arc<DuckDb>, part: KeptPart) -> Self {
        Self { duckdb, part, open: None }
    }

    /// The statement for the rows that were not returned yet. A kept table never changes, so its rows are numbered from 0
    /// without gaps, and DuckDB passes over those before the first one; an OFFSET makes it read them.
    fn statement(&self) -> String {
        let KeptPart { table, schema, columns, rows: Range { start, end } } = &self.part;
        let name = |place: &usize| identifier(schema.field(*place).name());
        let columns = columns.as_ref().map(|places| places.iter().map(name).collect::<Vec<_>>().join(", "));
        let is_hidden = schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(ROW_NUMBER));
        let rows = match is_hidden {
            true => format!("LIMIT {} OFFSET {start}", end - start),
            false => format!("WHERE {ROW_NUMBER} >= {start} AND {ROW_NUMBER} < {end}"),
        };
        format!("SELECT {} FROM {} {rows}", columns.as_deref().unwrap_or("*"), kept::table(table))
    }

    fn failed(&self) -> impl Fn(NativeError) -> Error + Copy + use<'_> {
        |error| diagnose(&error, Origin::OtherText, &Hidden::folders(&self.duckdb.folders))
    }

    fn start(&self) -> Result<Open, Error> {
        let instance = self.duckdb.instances.current()?;
        if !instance.has_kept(&self.part.table) {
            return Err(Error::Replaced(TABLE_IS_GONE.to_owned()));
        }
        let control = Arc::new(Control::new(None, Box::new(|_| {})));
        let guest = instance.enter(&control);
        self.noting_a_break(&instance, || {
            let connection = instance.sessions.connect().map_err(self.failed())?;
            control.attach(connection.to_interrupt());
            let (pending, columns) = plan_for_arrow(&connection, &self.statement(), self.failed())?;
            let rows = pending.start().map_err(self.failed())?;
            let joiner = Joiner::new(Arc::clone(&columns.schema), BATCH_BYTES);
            Ok(Open { rows, columns, joiner, control: Arc::clone(&control), guest })
        })
    }

    /// The next rows, of which there are some.
    fn read(&mut self) -> Result<RecordBatch, Error> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.start()?,
        };
        let instance = Arc::clone(open.guest.instance());
        let batch = self.noting_a_break(&instance, || self.next_batch(&mut open))?;
        self.open = Some(open);
        Ok(batch)
    }

    fn next_batch(&self, open: &mut Open) -> Result<RecordBatch, Error> {
        let joining = |error| Error::Internal(format!("batches can't be joined: {error}"));
        loop {
            open.control.check()?;
            let Some(batch) = open.rows.next(&open.columns.schema).map_err(self.failed())? else { break };
            open.columns.check(&batch)?;
            if let Some(joined) = open.joiner.push(batch).map_err(joining)? {
                return Ok(joined);
            }
        }
        let rest = open.joiner.finish().map_err(joining)?;
        rest.ok_or_else(|| Error::Internal("a kept table has lost rows".to_owned()))
    }

    /// Replaces the instance if the work broke it, or found it broken.
    fn noting_a_break<T>(
        &self,
        instance: &Arc<Instance>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let outcome = work();
        if let Err(Error::Broken(reason) | Error::Replaced(reason)) = &outcome {
            self.duckdb.instances.replace(instance, reason);
        }
        outcome
    }
}

impl KeptScan for TableScan {
    fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.part.rows.is_empty() {
            self.open = None;
            return Ok(None);
        }
        let outcome = match self.read() {
            // Nobody stops a scan like this: one of DuckDB's threads failed, and another one, stopped because of that,
            // reported first. A second try shows the failure.
            Err(Error::Interrupted) => self.read(),
            outcome => outcome,
        };
        let batch = outcome.map_err(|error| match error {
            Error::OutOfMemory(fact) => {
                Error::OutOfMemory(format!("{fact}; try again when fewer queries run"))
            }
            error => error,
        })?;
        self.part.rows.start += batch.num_rows() as u64;
        Ok(Some(batch))
    }

    fn rest(&mut self) {
        self.open = None;
    }
}
