//! One run of a plan in one DuckDB.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};

use super::diagnose::{Origin, diagnose};
use super::explained;
use super::instance::Instance;
use super::kept;
use super::local_tables::LocalTables;
use super::native::{Connection, NativeError, Pending, Prepared, Rows};
use super::result_types::{ResultColumns, cast_for_arrow};
use super::sessions::Session;
use super::values::bind_values;
use crate::batches::Joiner;
use crate::error::Error;
use crate::output::Output;
use crate::plan::Plan;
use crate::status::Phase;

/// The longest run time of a query whose statement is kept: the data in its plan, such as a sort or a hash table, stays in
/// memory until it runs again. A long query gains nothing from this.
const SHORT: Duration = Duration::from_millis(20);

/// A run of a plan in an instance.
pub(super) struct Execution<'e> {
    pub(super) plan: &'e Plan,
    pub(super) tables: &'e LocalTables<'e>,
    pub(super) instance: &'e Arc<Instance>,
    pub(super) output: &'e mut Output,
}

/// Who gets the rows.
#[derive(Clone, Copy)]
enum Reader {
    OfOutput,
    Nobody,
}

impl Execution<'_> {
    /// Runs on a session, which becomes idle again if the run succeeds.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        self.output.check()?;
        self.output.enter(Phase::Planning);
        let (text, fresh) = (&self.plan.statement.text, self.tables.may_have_changed);
        let output = &*self.output;
        let mut session = self
            .instance
            .sessions
            .take(text, &self.tables.views, fresh, |interrupt| output.attach(interrupt))
            .inspect_err(|_| output.detach())
            .map_err(|error| diagnose(&error, Origin::OtherText, &self.tables.hidden))?;
        let mut outcome = match self.plan.keep.table() {
            Some(name) => self.keep_rows(&session, name),
            None => self.stream_rows(&mut session, Reader::OfOutput),
        };
        if matches!(outcome, Err(Error::Interrupted)) && self.output.check().is_ok() {
            // Nobody stopped it: one of DuckDB's threads failed, and another one, stopped because of that, reported first. Only
            // a second run can show the failure.
            outcome = match self.stream_rows(&mut session, Reader::Nobody) {
                Ok(()) => Err(Error::Internal("a thread of DuckDB failed and did not say how".to_owned())),
                // This query itself broke DuckDB in its first run.
                Err(Error::Replaced(reason)) => Err(Error::Broken(reason)),
                Err(error) => Err(error),
            };
        }
        self.output.detach();
        match outcome {
            Ok(()) if !fresh && !self.instance.is_retired() => self.instance.sessions.give_back(session),
            Ok(()) => {}
            Err(_) => {
                drop(session);
                if let Some(name) = self.plan.keep.table() {
                    let _ = kept::remove_from(self.instance, name); // what failed is what matters
                }
            }
        }
        outcome
    }

    /// Makes the result a table. The table exists once all rows are in it.
    fn keep_rows(&mut self, session: &Session, name: &str) -> Result<(), Error> {
        let failed = |error: NativeError| diagnose(&error, Origin::OtherText, &self.tables.hidden);
        let making = kept::create(name, &self.plan.statement.text);
        let pending = self.start_planning(session.connection.prepare(&making).map_err(failed)?, failed)?;
        self.output.enter(Phase::Running);
        self.instance.add_kept(name);
        let rows = changed_rows(pending.start().map_err(failed)?, failed)?;
        self.output.kept_rows(rows)?;
        let table = format!("FROM {}", kept::table(name));
        let (_, columns) = plan_for_arrow(&session.connection, &table, failed)?;
        self.output.columns(&columns.schema)
    }

    fn stream_rows(&mut self, session: &mut Session, reader: Reader) -> Result<(), Error> {
        let statement = &self.plan.statement;
        let hidden = &self.tables.hidden;
        // Positions in a text that the author did not write are not useful.
        let failed = |is_cast: bool| {
            let is_own = statement.is_own_text && !is_cast;
            let origin = if is_own { Origin::OwnText } else { Origin::OtherText };
            move |error: NativeError| diagnose(&error, origin, hidden)
        };
        let as_text = self.plan.form.hugeint_as_text;
        let (mut prepared, kept_columns) =
            session.prepare(&statement.text, as_text).map_err(failed(false))?;
        // Column types can depend on parameter types.
        let mut known = kept_columns.filter(|_| statement.bound.is_empty());
        if known.is_none()
            && let Some(mut types) = prepared.column_types()
        {
            let columns = types.columns();
            let cast = cast_for_arrow(&columns, &statement.text, as_text);
            if let Some(cast) = &cast {
                prepared = session.connection.prepare(cast).map_err(failed(true))?;
                types = prepared.column_types().unwrap_or(types);
            }
            let schema = types.to_arrow().map_err(failed(false))?;
            known = Some(ResultColumns::new(&schema, &columns, cast.is_some()));
        }
        let is_cast = known.as_ref().is_some_and(|columns| columns.is_cast);
        let pending = self.start_planning(prepared, failed(is_cast))?;
        if let Some(columns) = &known {
            self.give_columns(reader, &columns.schema)?;
        }
        self.output.enter(Phase::Running);
        let started = Instant::now();
        let mut rows = pending.start().map_err(failed(is_cast))?;
        let columns = match known {
            Some(columns) => columns,
            None => {
                let mut types = rows.column_types();
                let columns = types.columns();
                let cast = cast_for_arrow(&columns, &statement.text, as_text);
                if let Some(cast) = &cast {
                    drop(rows);
                    let prepared = session.connection.prepare(cast).map_err(failed(true))?;
                    let pending = self.start_planning(prepared, failed(true))?;
                    rows = pending.start().map_err(failed(true))?;
                    types = rows.column_types();
                }
                let schema = types.to_arrow().map_err(failed(false))?;
                let columns = ResultColumns::new(&schema, &columns, cast.is_some());
                self.give_columns(reader, &columns.schema)?;
                columns
            }
        };
        let prepared = self.forward(rows, &columns, reader, failed(columns.is_cast))?;
        // With other parameter values, the text may have other types and need another cast.
        let is_for_all_values = statement.bound.is_empty() || !columns.is_cast;
        if statement.is_repeatable && is_for_all_values && started.elapsed() <= SHORT {
            session.keep(&statement.text, as_text, prepared, columns);
        }
        Ok(())
    }

    /// Binds a statement's values and plans it.
    fn start_planning(
        &self,
        mut prepared: Prepared,
        failed: impl Fn(NativeError) -> Error,
    ) -> Result<Pending, Error> {
        bind_values(&mut prepared, self.plan)?;
        // An interrupt before this point may be lost, a later one is not; the check catches the earlier one.
        let pending = prepared.pending().map_err(failed)?;
        self.output.check()?;
        Ok(pending)
    }

    fn forward(
        &mut self,
        mut rows: Rows,
        columns: &ResultColumns,
        reader: Reader,
        failed: impl Fn(NativeError) -> Error,
    ) -> Result<Prepared, Error> {
        let joining = |error| Error::Internal(format!("batches can't be joined: {error}"));
        let mut joiner = Joiner::new(Arc::clone(&columns.schema), self.plan.form.batch_bytes);
        while let Some(batch) = rows.next(&columns.schema).map_err(&failed)? {
            columns.check(&batch)?;
            let batch = match self.plan.statement.explained {
                Some(explain) => explained::without_files(&batch, explain.format),
                None => batch,
            };
            if let Some(joined) = joiner.push(batch).map_err(joining)? {
                self.give_rows(reader, joined)?;
            }
            self.output.check()?;
        }
        if let Some(rest) = joiner.finish().map_err(joining)? {
            self.give_rows(reader, rest)?;
        }
        Ok(rows.into_prepared())
    }

    fn give_columns(&mut self, reader: Reader, schema: &SchemaRef) -> Result<(), Error> {
        match reader {
            Reader::OfOutput => self.output.columns(schema),
            Reader::Nobody => Ok(()),
        }
    }

    fn give_rows(&mut self, reader: Reader, batch: RecordBatch) -> Result<(), Error> {
        match reader {
            Reader::OfOutput => self.output.rows(batch),
            Reader::Nobody => Ok(()),
        }
    }
}

/// The number of rows, from a statement that returns only this number.
fn changed_rows(mut answer: Rows, failed: impl Fn(NativeError) -> Error + Copy) -> Result<u64, Error> {
    let schema = answer.column_types().to_arrow().map_err(failed)?;
    let mut rows = 0;
    while let Some(batch) = answer.next(&schema).map_err(failed)? {
        let counts = batch.column(0).as_primitive_opt::<Int64Type>();
        let counts = counts.ok_or_else(|| Error::Internal("DuckDB did not count rows".to_owned()))?;
        rows += counts.values().iter().map(|count| count.unsigned_abs()).sum::<u64>();
    }
    Ok(rows)
}

/// Plans a text without parameters, cast to what Arrow has; returns it with its columns.
pub(super) fn plan_for_arrow(
    connection: &Connection,
    text: &str,
    failed: impl Fn(NativeError) -> Error + Copy,
) -> Result<(Pending, ResultColumns), Error> {
    let plan = |text: &str| {
        let prepared = connection.prepare(text).map_err(failed)?;
        let types = prepared.column_types();
        let types = types
            .ok_or_else(|| Error::Internal("a text without parameters has unknown columns".to_owned()))?;
        Ok::<_, Error>((prepared, types))
    };
    let (mut prepared, mut types) = plan(text)?;
    let columns = types.columns();
    let cast = cast_for_arrow(&columns, text, false);
    if let Some(cast) = &cast {
        (prepared, types) = plan(cast)?;
    }
    let pending = prepared.pending().map_err(failed)?;
    let schema = types.to_arrow().map_err(failed)?;
    Ok((pending, ResultColumns::new(&schema, &columns, cast.is_some())))
}
