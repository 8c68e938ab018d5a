//! One query from text to rows: gate, resolve, run, stream.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use uuid::Uuid;

use crate::batches::{Joiner, bytes};
use crate::catalog::{AfterScan, Catalog, Relation};
use crate::config::{Keep, QueryOptions};
use crate::control::StopSignal;
use crate::diagnose::{Hidden, Origin, diagnose};
use crate::engine::Shared;
use crate::error::Error;
use crate::gate::{Checked, NamedColumns, What};
use crate::instance::Instance;
use crate::kept;
use crate::listing::listing;
use crate::native::{Connection, NativeError, Pending, Prepared, Rows};
use crate::parameters::Parameters;
use crate::plan;
use crate::registry::Registered;
use crate::result_types::{ResultColumns, cast_for_arrow};
use crate::sessions::Session;
use crate::sink::{Closed, ResultEvent, ResultSink};
use crate::status::Phase;
use crate::view::View;

/// How often a query that waits to run again looks whether it may.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a query may run whose statement is kept: what its plan has gathered, a sort or a hash table, stays in memory
/// until it runs again. A long one gains nothing by it.
const SHORT: Duration = Duration::from_millis(20);

/// How often a query is run that ends because another one broke DuckDB.
const MOST_TRIES: u32 = 3;

/// One query on its own thread.
pub(crate) struct Run {
    shared: Arc<Shared>,
    activity: Registered,
    catalog: Arc<dyn Catalog>,
    parameters: Parameters,
    batch_bytes: usize,
    keep: Keep,
    hugeint_as_text: bool,
    sink: Box<dyn ResultSink>,
    stop: StopSignal,
    /// Where the result was made a table.
    kept_in: Option<Arc<Instance>>,
    has_given_columns: bool,
    has_given_rows: bool,
}

impl Run {
    pub(crate) fn new(
        shared: Arc<Shared>,
        activity: Registered,
        catalog: Arc<dyn Catalog>,
        options: QueryOptions,
        sink: Box<dyn ResultSink>,
    ) -> Self {
        let stop = StopSignal(Arc::clone(&activity.control));
        let parameters = Parameters::new(options.parameters);
        let QueryOptions { batch_bytes, keep, hugeint_as_text, .. } = options;
        Self {
            shared,
            activity,
            catalog,
            parameters,
            batch_bytes,
            keep,
            hugeint_as_text,
            sink,
            stop,
            kept_in: None,
            has_given_columns: false,
            has_given_rows: false,
        }
    }

    pub(crate) fn run(mut self) {
        let last = match self.rows() {
            Ok(()) => ResultEvent::End(self.activity.summary()),
            // A stop makes DuckDB fail in several ways; the stop is what the caller wants to know of.
            Err(error) => ResultEvent::Failed(self.activity.control.check().err().unwrap_or(error)),
        };
        let has_failed = matches!(last, ResultEvent::Failed(_));
        // Nobody may be listening any more, or want what was kept.
        let is_closed = self.push(last).is_err();
        if let (Some(name), Some(instance)) = (self.keep.table(), &self.kept_in)
            && (has_failed || is_closed)
        {
            let _ = kept::remove_from(instance, name);
        }
        self.activity.control.finish();
    }

    fn rows(&mut self) -> Result<(), Error> {
        self.activity.control.check()?;
        self.activity.enter(Phase::Checking);
        let sql = Arc::clone(&self.activity.sql);
        let checked =
            self.in_some_instance(|run, instance| run.shared.gate.check(instance, &sql, &*run.catalog))?;
        if self.keep != Keep::No && checked.explained.is_some() {
            return Err(Error::NotAllowed("a plan can't be kept: EXPLAIN answers with text".to_owned()));
        }
        self.parameters.check(&checked.parameters)?;
        let mut resolved = None;
        self.in_some_instance(|run, instance| run.rows_in(instance, &checked, &mut resolved))
    }

    /// Works in the current instance. If that is given up meanwhile because of another query, works once more in the next one;
    /// if this query broke it, gives it up.
    fn in_some_instance<T>(
        &mut self,
        mut work: impl FnMut(&mut Self, &Arc<Instance>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0;
        loop {
            let instance = self.shared.instances.current()?;
            self.activity.runs_in(instance.number);
            let outcome = work(self, &instance);
            tries += 1;
            match &outcome {
                Err(Error::Broken(reason)) => self.shared.instances.replace(&instance, reason),
                Err(Error::Replaced(reason)) if self.activity.control.check().is_ok() => {
                    self.shared.instances.replace(&instance, reason);
                    if tries < MOST_TRIES && !self.has_given_rows {
                        continue;
                    }
                    return Err(Error::Replaced(
                        "another query broke the query engine under this one; run it again".to_owned(),
                    ));
                }
                _ => {}
            }
            return outcome;
        }
    }

    /// Resolves, unless that was done, and runs.
    fn rows_in(
        &mut self,
        instance: &Arc<Instance>,
        checked: &Checked,
        known: &mut Option<Resolved>,
    ) -> Result<(), Error> {
        self.activity.control.check()?;
        let mut resolved = match known {
            // Tables that were kept in another instance are gone: that is for the catalog to tell.
            Some(resolved) if !resolved.has_kept_tables => resolved,
            _ => {
                self.activity.enter(Phase::Resolving);
                known.insert(self.resolve(instance, checked, &checked.columns)?)
            }
        };
        if let Some(reason) = self.shared.culprits.find(&checked.text, resolved.files.iter()) {
            return Err(Error::Internal(format!(
                "this query broke the query engine twice, and is not run again within a minute: {reason}"
            )));
        }
        let mut outcome = self.run_with_a_second_try(instance, checked, resolved);
        if matches!(outcome, Err(Error::Binder(_))) && resolved.leaves_out_columns() {
            // A message tells the columns that are near a misspelt one.
            self.activity.enter(Phase::Resolving);
            let columns = checked.columns.with_nearest(resolved.columns());
            resolved = known.insert(self.resolve(instance, checked, &columns)?);
            outcome = self.run_with_a_second_try(instance, checked, resolved);
        }
        if let Err(Error::Broken(reason)) = &outcome {
            self.shared.culprits.add(&checked.text, resolved.files.iter(), reason);
            self.shared.instances.replace(instance, reason);
        }
        match outcome {
            // Files that changed under the query are the reason for whatever else went wrong.
            Ok(())
            | Err(
                Error::DataFile(_)
                | Error::Execution(_)
                | Error::Binder(_)
                | Error::Broken(_)
                | Error::Internal(_),
            ) => {
                resolved.check_after_scan()?;
                outcome
            }
            Err(error) => Err(error),
        }
    }

    /// Runs. If the memory did not suffice while others had some of it, waits until those have ended and runs again.
    fn run_with_a_second_try(
        &mut self,
        instance: &Arc<Instance>,
        checked: &Checked,
        resolved: &Resolved,
    ) -> Result<(), Error> {
        // Who had memory may have ended before this one heard that there was none.
        let mut others = self.others();
        let mut outcome = self.run_resolved(instance, checked, resolved);
        others.extend(self.others());
        if matches!(outcome, Err(Error::OutOfMemory(_))) {
            instance.sessions.clear();
        }
        if matches!(outcome, Err(Error::OutOfMemory(_))) && !others.is_empty() && !self.has_given_rows {
            let shared = Arc::clone(&self.shared);
            // One at a time, or all that failed together would do so again.
            if let Some(_turn) = self.wait_for(|| shared.second_try.try_lock())? {
                self.wait_for(|| {
                    let have_ended = others.iter().all(|other| shared.registry.is_idle(*other));
                    have_ended.then_some(())
                })?;
                others = self.others();
                outcome = self.run_resolved(instance, checked, resolved);
                others.extend(self.others());
            }
        }
        match outcome {
            Err(Error::OutOfMemory(fact)) if others.is_empty() => {
                Err(Error::QueryTooLarge(format!("{fact}; select fewer rows or columns")))
            }
            Err(Error::OutOfMemory(fact)) => Err(Error::OutOfMemory(format!(
                "{fact}; select fewer rows or columns, or try again when fewer queries run"
            ))),
            outcome => outcome,
        }
    }

    /// The other queries that run now.
    fn others(&self) -> Vec<Uuid> {
        let all = self.shared.registry.all();
        all.iter()
            .filter(|other| other.id != self.activity.id && !other.is_waiting())
            .map(|other| other.id)
            .collect()
    }

    /// Waits for something, as long as a query may wait. Meanwhile it counts as one that waits.
    fn wait_for<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Result<Option<T>, Error> {
        let until = Instant::now() + self.shared.limits.wait;
        self.activity.enter(Phase::Waiting);
        loop {
            self.activity.control.check()?;
            if let Some(ready) = ready() {
                return Ok(Some(ready));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Runs on a session that goes back to the others if all went well.
    fn run_resolved(
        &mut self,
        instance: &Arc<Instance>,
        checked: &Checked,
        resolved: &Resolved,
    ) -> Result<(), Error> {
        self.activity.control.check()?;
        self.activity.enter(Phase::Planning);
        let fresh = !resolved.after_scans.is_empty();
        let mut session = instance
            .sessions
            .take(&checked.text, &resolved.views, fresh)
            .map_err(|error| diagnose(&error, Origin::OtherText, &resolved.hidden))?;
        let mut outcome = match self.keep.clone() {
            Keep::AsTable(name) => self.keep_rows(instance, &session, checked, resolved, &name),
            Keep::No | Keep::ByCaller => self.stream_rows(&mut session, checked, resolved, Output::Sent),
        };
        if matches!(outcome, Err(Error::Interrupted)) && self.activity.control.check().is_ok() {
            // Nobody stopped it: one of DuckDB's threads failed, and another, stopped by that, was the first to say so.
            // Only running it once more tells what the failure was.
            outcome = match self.stream_rows(&mut session, checked, resolved, Output::Dropped) {
                Ok(()) => Err(Error::Internal("a thread of DuckDB failed and did not say how".to_owned())),
                // It was this query itself that broke DuckDB the first time.
                Err(Error::Replaced(reason)) => Err(Error::Broken(reason)),
                Err(error) => Err(error),
            };
        }
        self.activity.control.detach();
        if outcome.is_ok() && !fresh && !instance.is_retired() {
            instance.sessions.give_back(session);
        }
        outcome
    }

    /// Pins what the text reads, and makes views of these columns of it.
    fn resolve(
        &self,
        instance: &Instance,
        checked: &Checked,
        columns: &NamedColumns,
    ) -> Result<Resolved, Error> {
        let references = self.parameters.references(&instance.parsers, checked)?;
        let relations = match references.as_slice() {
            [] => Vec::new(),
            references => self.catalog.resolve(references)?,
        };
        if relations.len() != references.len() {
            return Err(Error::Internal("the catalog gave another number of relations".to_owned()));
        }
        let mut resolved = Resolved::default();
        let mut relations = references.iter().zip(relations);
        for read in &checked.reads {
            let view = read.view.clone();
            if let What::Listing(kind) = read.what {
                let tables = self.catalog.list()?;
                resolved.views.push(View::of_all(view, listing(kind, &tables)));
            } else if let Some((reference, relation)) = relations.next() {
                let described = reference.to_string();
                resolved.views.push(View::new(view, &described, &relation, columns)?);
                resolved.hidden.add_relation(&described, relation.paths());
                let Relation { kept, schema, files, after_scan, pin, .. } = relation;
                resolved.schemas.push(schema);
                resolved.has_kept_tables |= kept.is_some();
                resolved.files.extend(files.into_iter().flat_map(|group| group.paths));
                resolved.after_scans.extend(after_scan);
                resolved.pins.push(pin);
            }
        }
        resolved.hidden.add_folders(&self.shared.folders);
        Ok(resolved)
    }

    /// Makes the result a table. It exists once all rows are in it, and not at all if the query fails.
    fn keep_rows(
        &mut self,
        instance: &Arc<Instance>,
        session: &Session,
        checked: &Checked,
        resolved: &Resolved,
        name: &str,
    ) -> Result<(), Error> {
        let failed = |error: NativeError| diagnose(&error, Origin::OtherText, &resolved.hidden);
        self.activity.control.attach(&session.connection);
        let mut making = session.connection.prepare(&kept::create(name, &checked.text)).map_err(failed)?;
        self.parameters.bind(&mut making, &checked.bound)?;
        let pending = making.pending().map_err(failed)?;
        self.activity.control.check()?;
        self.activity.enter(Phase::Running);
        // Whatever happens from here on, the table goes unless somebody takes it.
        self.kept_in = Some(Arc::clone(instance));
        instance.add_kept(name);
        let rows = changed_rows(pending.start().map_err(failed)?, failed)?;
        if rows > self.shared.limits.result_rows {
            return Err(too_many_rows(self.shared.limits.result_rows));
        }
        self.activity.set_rows(rows);
        let planned = plan_for_arrow(&session.connection, &format!("FROM {}", kept::table(name)), failed)?;
        self.give_columns(Output::Sent, &planned.schema)
    }

    fn stream_rows(
        &mut self,
        session: &mut Session,
        checked: &Checked,
        resolved: &Resolved,
        output: Output,
    ) -> Result<(), Error> {
        // Positions in a text that the author did not write are not worth showing.
        let failed = |is_cast: bool| {
            let is_own = checked.is_own_text && !is_cast;
            let origin = if is_own { Origin::OwnText } else { Origin::OtherText };
            move |error: NativeError| diagnose(&error, origin, &resolved.hidden)
        };
        let as_text = self.hugeint_as_text;
        self.activity.control.attach(&session.connection);
        let (prepared, kept_columns) = session.prepare(&checked.text, as_text).map_err(failed(false))?;
        // The types of parameters have a part in those of columns.
        let mut known = kept_columns.filter(|_| checked.bound.is_empty());
        let mut pending = self.plan(prepared, checked, failed(false))?;
        if known.is_none()
            && let Some(mut types) = pending.column_types()
        {
            let columns = types.columns();
            let cast = cast_for_arrow(&columns, &checked.text, as_text);
            if let Some(cast) = &cast {
                let prepared = session.connection.prepare(cast).map_err(failed(true))?;
                pending = self.plan(prepared, checked, failed(true))?;
                types = pending.column_types().unwrap_or(types);
            }
            let schema = types.to_arrow().map_err(failed(false))?;
            known = Some(ResultColumns::new(&schema, &columns, cast.is_some()));
        }
        if let Some(columns) = &known {
            self.give_columns(output, &columns.schema)?;
        }
        self.activity.enter(Phase::Running);
        let started = Instant::now();
        let is_cast = known.as_ref().is_some_and(|columns| columns.is_cast);
        let mut rows = pending.start().map_err(failed(is_cast))?;
        let columns = match known {
            Some(columns) => columns,
            None => {
                let mut types = rows.column_types();
                let columns = types.columns();
                let cast = cast_for_arrow(&columns, &checked.text, as_text);
                if let Some(cast) = &cast {
                    drop(rows);
                    let prepared = session.connection.prepare(cast).map_err(failed(true))?;
                    let pending = self.plan(prepared, checked, failed(true))?;
                    rows = pending.start().map_err(failed(true))?;
                    types = rows.column_types();
                }
                let schema = types.to_arrow().map_err(failed(false))?;
                let columns = ResultColumns::new(&schema, &columns, cast.is_some());
                self.give_columns(output, &columns.schema)?;
                columns
            }
        };
        let prepared = self.forward(rows, &columns, checked, output, failed(columns.is_cast))?;
        // With other values of its parameters, the text may have other types, and be cast otherwise.
        let is_for_all_values = checked.bound.is_empty() || !columns.is_cast;
        if checked.can_be_kept && is_for_all_values && started.elapsed() <= SHORT {
            session.keep(&checked.text, as_text, prepared, columns);
        }
        Ok(())
    }

    /// Gives a statement its values and plans it.
    fn plan(
        &self,
        mut prepared: Prepared,
        checked: &Checked,
        failed: impl Fn(NativeError) -> Error,
    ) -> Result<Pending, Error> {
        self.parameters.bind(&mut prepared, &checked.bound)?;
        // An interrupt before this point may be lost, one after it is heard; the check catches the former.
        let pending = prepared.pending().map_err(failed)?;
        self.activity.control.check()?;
        Ok(pending)
    }

    fn forward(
        &mut self,
        mut rows: Rows,
        columns: &ResultColumns,
        checked: &Checked,
        output: Output,
        failed: impl Fn(NativeError) -> Error,
    ) -> Result<Prepared, Error> {
        let joining = |error| Error::Internal(format!("batches can't be joined: {error}"));
        let mut joiner = Joiner::new(Arc::clone(&columns.schema), self.batch_bytes);
        while let Some(batch) = rows.next(&columns.schema).map_err(&failed)? {
            columns.check(&batch)?;
            let batch = match checked.explained {
                Some(format) => plan::without_files(&batch, format),
                None => batch,
            };
            if let Some(joined) = joiner.push(batch).map_err(joining)? {
                self.give_rows(output, joined)?;
            }
            self.activity.control.check()?;
        }
        if let Some(rest) = joiner.finish().map_err(joining)? {
            self.give_rows(output, rest)?;
        }
        Ok(rows.into_prepared())
    }

    /// Gives the columns, once: a second try has the same ones.
    fn give_columns(&mut self, output: Output, schema: &SchemaRef) -> Result<(), Error> {
        if self.has_given_columns {
            return Ok(());
        }
        self.has_given_columns = true;
        self.give(output, ResultEvent::Columns(Arc::clone(schema)))
    }

    fn give_rows(&mut self, output: Output, batch: RecordBatch) -> Result<(), Error> {
        let limits = &self.shared.limits;
        let (rows, size) = self.activity.count(batch.num_rows() as u64, bytes(&batch) as u64);
        if rows > limits.result_rows {
            return Err(too_many_rows(limits.result_rows));
        }
        if size > limits.result_bytes {
            let message =
                format!("the result has more than the {} bytes that are allowed", limits.result_bytes);
            return Err(Error::QueryTooLarge(format!(
                "{message}; select fewer rows or columns, or aggregate"
            )));
        }
        self.has_given_rows = true;
        self.give(output, ResultEvent::Rows(batch))
    }

    fn give(&mut self, output: Output, event: ResultEvent) -> Result<(), Error> {
        match output {
            Output::Sent => self.push(event).map_err(|_| Error::Interrupted),
            Output::Dropped => Ok(()),
        }
    }

    /// Gives a step to the reader. If it took so long to take it that others got the slot, waits for another one.
    fn push(&mut self, event: ResultEvent) -> Result<(), Closed> {
        let is_last = matches!(event, ResultEvent::End(_) | ResultEvent::Failed(_));
        self.activity.seat.lock().wait();
        let pushed = self.sink.push(event, &self.stop);
        let has_slot = self.activity.seat.lock().go_on();
        if !has_slot && pushed.is_ok() && !is_last {
            self.shared.admission.come_back(self.activity.shared());
        }
        pushed
    }
}

fn too_many_rows(most: u64) -> Error {
    Error::QueryTooLarge(format!(
        "the result has more than the {most} rows that are allowed; end the query in LIMIT, or aggregate"
    ))
}

/// How many rows a statement made that answers with their number.
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

/// The columns that a text without parameters gives in Arrow.
fn plan_for_arrow(
    connection: &Connection,
    text: &str,
    failed: impl Fn(NativeError) -> Error + Copy,
) -> Result<ResultColumns, Error> {
    let types = |text: &str| {
        let types = connection.prepare(text).and_then(Prepared::pending).map_err(failed)?.column_types();
        types.ok_or_else(|| Error::Internal("a text without parameters has unknown columns".to_owned()))
    };
    let given = types(text)?;
    let columns = given.columns();
    let cast = cast_for_arrow(&columns, text, false).map(|cast| types(&cast)).transpose()?;
    let is_cast = cast.is_some();
    let schema = cast.unwrap_or(given).to_arrow().map_err(failed)?;
    Ok(ResultColumns::new(&schema, &columns, is_cast))
}

/// What becomes of rows.
#[derive(Clone, Copy)]
enum Output {
    Sent,
    Dropped,
}

/// What a query reads, pinned.
#[derive(Default)]
struct Resolved {
    views: Vec<View>,
    files: Vec<PathBuf>,
    schemas: Vec<SchemaRef>,
    has_kept_tables: bool,
    hidden: Hidden,
    after_scans: Vec<AfterScan>,
    /// Held until the query ends.
    pins: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Resolved {
    fn columns(&self) -> impl Iterator<Item = &str> + Clone {
        self.schemas.iter().flat_map(|schema| schema.fields()).map(|field| field.name().as_str())
    }

    fn leaves_out_columns(&self) -> bool {
        self.views.iter().any(|view| view.leaves_out_columns)
    }

    fn check_after_scan(&mut self) -> Result<(), Error> {
        self.after_scans.drain(..).try_for_each(|check| check()).map_err(Error::from)
    }
}
