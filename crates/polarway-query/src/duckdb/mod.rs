//! DuckDB as the executor, and as the parser of its own dialect: everything about how it is called and configured, and how it
//! differs from others. Only `engine.rs` names this module.
//!
//! A plan's files are made local, each table becomes a temporary view that gives every column its stored type, and the
//! statement runs over these views, inside a DuckDB that can read only data files.

mod analytics;
mod binding;
mod column_names;
mod culprits;
mod diagnose;
mod execution;
mod explained;
mod instance;
mod instances;
mod kept;
mod listing;
mod local_tables;
mod native;
mod parsers;
mod remote_files;
mod result_types;
mod sandbox;
mod scan;
mod sessions;
mod sql_type;
mod stored_types;
mod values;
mod view;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use self::binding::Binding;
use self::culprits::Culprits;
use self::diagnose::{Hidden, Origin, diagnose};
use self::execution::Execution;
use self::instances::Instances;
use self::local_tables::LocalTables;
use self::native::NativeError;
use self::remote_files::Remote;
use self::sandbox::Purpose;
use self::scan::TableScan;
use self::view::is_wide;
use crate::analytics::Analytics;
use crate::bound_plan::BoundPlan;
use crate::config::EngineConfig;
use crate::engines::LocalEngine;
use crate::error::Error;
use crate::executor::{Executor, KeptPart, KeptScan, LocalFiles};
use crate::gate::{Dialect, NamedColumns};
use crate::output::Output;
use crate::plan::{Plan, PlannedTable, TableSource};

pub(crate) use self::native::duckdb_version;

/// Why a kept table can't be read.
const TABLE_IS_GONE: &str = "a result that is read went with the DuckDB that kept it";

/// A DuckDB that can read only data files, and its replacement if a query breaks it.
pub(crate) struct DuckDb {
    instances: Instances,
    binding: Binding,
    culprits: Culprits,
    files: Arc<dyn LocalFiles>,
    remote: Option<Arc<Remote>>,
    /// Folders that no message may name.
    folders: Vec<PathBuf>,
}

impl DuckDb {
    /// Opens DuckDB in memory, locks it down, and verifies the lock.
    pub(crate) fn open(config: EngineConfig, files: Arc<dyn LocalFiles>) -> Result<Self, Error> {
        let folders = config.readable.iter().chain([&config.temp_dir]).chain(&config.analytics).cloned();
        let remote = files.remote().map(Remote::new);
        Ok(Self {
            folders: folders.collect(),
            binding: Binding::new(&config),
            instances: Instances::open(config, Purpose::Running, remote.clone())?,
            culprits: Culprits::default(),
            files,
            remote,
        })
    }

    /// The size of a kept table's values as Arrow, in bytes.
    pub(crate) fn kept_bytes(&self, name: &str) -> Result<u64, Error> {
        let instance = self.instances.current()?;
        instance.sessions.connect().and_then(|connection| kept::bytes(&connection, name)).map_err(internal)
    }

    /// Whether a kept table still exists.
    pub(crate) fn has_kept(&self, name: &str) -> bool {
        self.instances.current().is_ok_and(|instance| instance.has_kept(name))
    }

    /// Reads a part of a kept table.
    pub(crate) fn scan_kept(self: &Arc<Self>, part: KeptPart) -> Box<dyn KeptScan> {
        Box::new(TableScan::new(Arc::clone(self), part))
    }

    /// Removes a kept table, if it exists. Queries that already read it can finish.
    pub(crate) fn remove_kept(&self, name: &str) -> Result<(), Error> {
        kept::remove_from(&*self.instances.current()?, name).map_err(internal)
    }

    /// How often it was replaced, and why there is none now, if so. Then this tries to open one, and blocks in the meantime.
    pub(crate) fn condition(&self) -> (u64, Option<String>) {
        self.instances.condition()
    }

    fn run(&self, plan: &Plan, tables: &LocalTables<'_>, output: &mut Output) -> Result<(), Error> {
        let text = &plan.statement.text;
        // Tables that were kept in another instance are lost.
        let may_repeat = |output: &Output| !output.has_rows() && !plan.reads_kept_tables();
        let mut are_gone = false;
        self.instances.run(output, may_repeat, |output, instance| {
            output.check()?;
            are_gone = !tables.kept().all(|name| instance.has_kept(name));
            if are_gone {
                return Ok(());
            }
            if let Some(reason) = self.culprits.find(text, tables.files()) {
                return Err(Error::Internal(format!(
                    "this query broke the query engine twice, and is not run again within a minute: {reason}"
                )));
            }
            let _guest = instance.enter(output.control());
            let outcome = Execution { plan, tables, instance, output }.run();
            match &outcome {
                Err(Error::Broken(reason)) => self.culprits.add(text, tables.files(), reason),
                Err(Error::OutOfMemory(_)) => instance.sessions.clear(),
                _ => {}
            }
            outcome
        })?;
        match are_gone {
            true => Err(Error::Replaced(TABLE_IS_GONE.to_owned())),
            false => Ok(()),
        }
    }
}

impl Executor for DuckDb {
    fn execute(&self, plan: &Plan, output: &mut Output) -> Result<(), Error> {
        let named = match plan.tables.iter().any(is_wide) {
            true => plan.statement.columns(self)?,
            false => &NamedColumns::All,
        };
        let mut tables = LocalTables::open(plan, named, &*self.files, &self.folders)?;
        let mut outcome = self.run(plan, &tables, output);
        if matches!(outcome, Err(Error::Binder(_))) && tables.leave_out_columns() {
            // The message suggests columns that are similar to a misspelled one.
            tables.add_nearest_columns(named)?;
            outcome = self.run(plan, &tables, output);
        }
        if let Some(remote) = &self.remote {
            outcome = outcome.map_err(|error| remote.restore(error));
        }
        if outcome.as_ref().err().is_none_or(Error::may_come_of_wrong_files) {
            tables.check_after_scan()?;
        }
        outcome
    }

    fn has_at_hand(&self, plan: &Plan) -> bool {
        let has_at_hand = |table: &PlannedTable| match &table.source {
            TableSource::Stored(stored) => stored.files.iter().all(|group| self.files.has_at_hand(group)),
            TableSource::Kept(_) | TableSource::Listing(..) => true,
        };
        plan.tables.iter().all(has_at_hand)
    }

    fn tend(&self, now: Instant) {
        self.instances.end_overdue(now);
    }

    /// While nothing runs, the files in the spill folder belong to statements that idle sessions keep.
    fn rest(&self) {
        let Ok(instance) = self.instances.current() else { return };
        let is_empty =
            std::fs::read_dir(instance.spill_folder()).is_ok_and(|mut files| files.next().is_none());
        if !is_empty {
            instance.sessions.clear();
        }
    }
}

impl LocalEngine for DuckDb {
    fn bind(&self, plan: &Plan) -> Result<BoundPlan, Error> {
        let named = match plan.tables.iter().any(is_wide) {
            true => plan.statement.columns(self)?,
            false => &NamedColumns::All,
        };
        self.binding.bind(plan, named)
    }
}

impl Dialect for DuckDb {
    fn tree(&self, text: &str) -> Result<String, Error> {
        self.instances.run(&mut (), |()| true, |(), instance| instance.parsers.tree(text))
    }

    fn timestamp(&self, literal: &str) -> Result<Option<i64>, Error> {
        self.instances.run(&mut (), |()| true, |(), instance| instance.parsers.timestamp(literal))
    }

    fn analytics(&self) -> Result<Option<Arc<Analytics>>, Error> {
        Ok(self.instances.current()?.analytics.clone())
    }
}

impl std::fmt::Debug for DuckDb {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DuckDb").field("instances", &self.instances).finish_non_exhaustive()
    }
}

fn internal(error: NativeError) -> Error {
    diagnose(&error, Origin::OtherText, &Hidden::default())
}
