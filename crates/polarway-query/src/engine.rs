//! One query from text to rows: gate, resolve, run, stream.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use crossbeam_channel::Sender;

use crate::batches::Joiner;
use crate::catalog::{AfterScan, Catalog, Reference, Relation};
use crate::config::{EngineConfig, QueryOptions};
use crate::diagnose::{Hidden, Origin, diagnose};
use crate::error::Error;
use crate::gate::{Checked, Gate};
use crate::native::{NativeError, Prepared, Rows};
use crate::sandbox;
use crate::sessions::{Session, Sessions};
use crate::stream::{Control, Event, QueryStream};
use crate::threads::Threads;
use crate::view::View;

/// Batches that may wait for the reader, besides the one that is being made.
const BATCHES_AHEAD: usize = 2;

/// A sandboxed DuckDB that runs SELECT statements over what a [`Catalog`] resolves.
///
/// Cheap to clone; all clones share one instance with its memory, threads and caches.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use polarway_query::{Catalog, Engine, EngineConfig, Error, QueryOptions};
/// # fn print_all(catalog: Arc<dyn Catalog>) -> Result<(), Error> {
/// let engine = Engine::open(EngineConfig::new(vec!["/data/cold".into()], "/data/tmp".into()))?;
/// let stream = engine.query("SELECT carrier, count(*) FROM flights GROUP BY ALL", catalog, QueryOptions::default())?;
/// println!("{}", stream.schema());
/// for batch in stream {
///     println!("{} rows", batch?.num_rows());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gate: Gate,
    sessions: Sessions,
    threads: Arc<Threads>,
    folders: Vec<PathBuf>,
}

impl Engine {
    /// Opens DuckDB in memory, locks it down, and proves that it is locked.
    ///
    /// # Errors
    /// [`Error::Configuration`] when a folder is missing, a value is refused, or a limit is not kept.
    pub fn open(config: EngineConfig) -> Result<Self, Error> {
        let database = sandbox::open(&config)?;
        let gate = Gate::new(Arc::clone(&database), config.text_bytes, config.cached_texts);
        let sessions = Sessions::new(database, config.idle_connections);
        let threads = Threads::new(config.idle_connections);
        let mut folders = config.readable;
        folders.push(config.temp_dir);
        Ok(Self(Arc::new(Shared { gate, sessions, threads, folders })))
    }

    /// Checks, resolves and starts a query; returns when its columns are known. Blocks: call it where that is
    /// allowed.
    ///
    /// # Errors
    /// Whatever is wrong with the text, the names in it, or the deadline. What happens after the first row comes
    /// out of the stream.
    pub fn query(
        &self,
        sql: &str,
        catalog: Arc<dyn Catalog>,
        options: QueryOptions,
    ) -> Result<QueryStream, Error> {
        let control = Control::new(options.deadline);
        let (sender, events) = crossbeam_channel::bounded(BATCHES_AHEAD);
        let run = Run {
            shared: Arc::clone(&self.0),
            sql: sql.to_owned(),
            catalog,
            batch_bytes: options.batch_bytes,
            control: Arc::clone(&control),
            events: sender,
        };
        self.0
            .threads
            .run(Box::new(move || run.run()))
            .map_err(|error| Error::Internal(format!("no thread for the query: {error}")))?;
        // Whatever ends this function before the stream is there stops the query.
        let mut stream = QueryStream::new(Arc::new(arrow::datatypes::Schema::empty()), events, control);
        stream.wait_for_schema()?;
        Ok(stream)
    }
}

/// One query on its own thread.
struct Run {
    shared: Arc<Shared>,
    sql: String,
    catalog: Arc<dyn Catalog>,
    batch_bytes: usize,
    control: Arc<Control>,
    events: Sender<Event>,
}

impl Run {
    fn run(self) {
        let last = match self.rows() {
            Ok(()) => Event::Ended,
            // A stop makes DuckDB fail in several ways; the stop is what the caller wants to know of.
            Err(error) => Event::Failed(self.control.check().err().unwrap_or(error)),
        };
        // Nobody may be listening any more.
        let _ = self.control.send(&self.events, last);
    }

    fn rows(&self) -> Result<(), Error> {
        let checked = self.shared.gate.check(&self.sql)?;
        self.control.check()?;
        let mut resolved = self.resolve(&checked)?;
        self.control.check()?;
        let outcome = self.run_resolved(&checked, &mut resolved);
        match outcome {
            // Files that changed under the query are the reason for whatever else went wrong.
            Ok(())
            | Err(Error::DataFile(_) | Error::Execution(_) | Error::Binder(_) | Error::Internal(_)) => {
                resolved.check_after_scan()?;
                outcome
            }
            Err(error) => Err(error),
        }
    }

    /// Runs on a session that goes back to the others if all went well.
    fn run_resolved(&self, checked: &Checked, resolved: &mut Resolved) -> Result<(), Error> {
        let fresh = !resolved.after_scans.is_empty();
        let mut session = self
            .shared
            .sessions
            .take(&checked.text, std::mem::take(&mut resolved.views), fresh)
            .map_err(|error| diagnose(&error, Origin::OtherText, &resolved.hidden))?;
        let mut outcome = self.stream_rows(&mut session, checked, resolved, Output::Sent);
        if matches!(outcome, Err(Error::Interrupted)) && self.control.check().is_ok() {
            // Nobody stopped it: one of DuckDB's threads failed, and another, stopped by that, was the first to say so.
            // Only running it once more tells what the failure was.
            outcome = match self.stream_rows(&mut session, checked, resolved, Output::Dropped) {
                Ok(()) => Err(Error::Internal("a thread of DuckDB failed and did not say how".to_owned())),
                Err(error) => Err(error),
            };
        }
        self.control.detach();
        if outcome.is_ok() && !fresh {
            self.shared.sessions.give_back(session);
        }
        outcome
    }

    fn resolve(&self, checked: &Checked) -> Result<Resolved, Error> {
        let relations = match checked.references.as_slice() {
            [] => Vec::new(),
            references => self.catalog.resolve(references)?,
        };
        if relations.len() != checked.references.len() {
            return Err(Error::Internal("the catalog gave another number of relations".to_owned()));
        }
        let mut resolved = Resolved::default();
        for ((relation, view), reference) in
            relations.into_iter().zip(&checked.views).zip(&checked.references)
        {
            resolved.views.push(View::new(view.clone(), &described(reference), &relation)?);
            resolved.hidden.add_relation(&described(reference), &relation.files);
            let Relation { after_scan, pin, .. } = relation;
            resolved.after_scans.extend(after_scan);
            resolved.pins.push(pin);
        }
        resolved.hidden.add_folders(&self.shared.folders);
        Ok(resolved)
    }

    fn stream_rows(
        &self,
        session: &mut Session,
        checked: &Checked,
        resolved: &Resolved,
        output: Output,
    ) -> Result<(), Error> {
        let origin = if checked.is_own_text { Origin::OwnText } else { Origin::OtherText };
        let failed = |error: NativeError| diagnose(&error, origin, &resolved.hidden);
        self.control.attach(&session.connection);
        let prepared = session.prepare(&checked.text).map_err(failed)?;
        let types = prepared.column_types();
        if let Some((column, type_name)) = types.first_lossy() {
            return Err(Error::Unsupported(format!(
                "the result's column \"{column}\" is of type {type_name}, which Arrow can't hold; cast it, say to VARCHAR"
            )));
        }
        let schema = types.to_arrow().map_err(failed)?;
        // An interrupt before this point may be lost, one after it is heard; the check catches the former.
        let pending = prepared.pending().map_err(failed)?;
        self.control.check()?;
        self.emit(output, || Event::Started(Arc::clone(&schema)))?;
        let rows = pending.start().map_err(failed)?;
        let prepared = self.forward(rows, schema, output, failed)?;
        session.keep(&checked.text, prepared);
        Ok(())
    }

    fn forward(
        &self,
        mut rows: Rows,
        schema: SchemaRef,
        output: Output,
        failed: impl Fn(NativeError) -> Error,
    ) -> Result<Prepared, Error> {
        let joining = |error| Error::Internal(format!("batches can't be joined: {error}"));
        let mut joiner = Joiner::new(schema, self.batch_bytes);
        while let Some(batch) = rows.next().map_err(&failed)? {
            if let Some(joined) = joiner.push(batch).map_err(joining)? {
                self.emit(output, || Event::Batch(joined))?;
            }
            self.control.check()?;
        }
        if let Some(rest) = joiner.finish().map_err(joining)? {
            self.emit(output, || Event::Batch(rest))?;
        }
        Ok(rows.into_prepared())
    }

    fn emit(&self, output: Output, event: impl FnOnce() -> Event) -> Result<(), Error> {
        match output {
            Output::Sent => self.control.send(&self.events, event()),
            Output::Dropped => Ok(()),
        }
    }
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
    hidden: Hidden,
    after_scans: Vec<AfterScan>,
    /// Held until the query ends.
    pins: Vec<Box<dyn std::any::Any + Send + Sync>>,
}

impl Resolved {
    fn check_after_scan(&mut self) -> Result<(), Error> {
        self.after_scans.drain(..).try_for_each(|check| check()).map_err(Error::from)
    }
}

/// How messages name a reference.
fn described(reference: &Reference) -> String {
    match reference {
        Reference::Dataset { name, .. } => format!("the dataset \"{name}\""),
        Reference::Files { patterns, .. } => patterns.join(", "),
    }
}
