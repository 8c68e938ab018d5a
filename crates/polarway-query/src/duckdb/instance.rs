//! One DuckDB, with the data about it that is kept between queries.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::parsers::Parsers;
use super::remote_files::Remote;
use super::sandbox::{self, Purpose, Sandbox};
use super::sessions::Sessions;
use crate::analytics::Analytics;
use crate::config::EngineConfig;
use crate::error::Error;
use crate::queue::control::{Control, StopReason};

/// A DuckDB in which queries run until one of them breaks it.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) parsers: Parsers,
    pub(super) sessions: Sessions,
    pub(super) analytics: Option<Arc<Analytics>>,
    /// The names of the tables that are kept in it.
    kept: Mutex<HashSet<String>>,
    /// Stops the queries that run in it.
    guests: Mutex<Vec<Arc<Control>>>,
    is_retired: AtomicBool,
    /// Dropped last: DuckDB removes what it spilled when it is closed.
    spill: SpillFolder,
}

impl Instance {
    pub(super) fn open(
        config: &EngineConfig,
        purpose: Purpose,
        remote: Option<&Arc<Remote>>,
        number: u64,
    ) -> Result<Self, Error> {
        let spill = SpillFolder::of(&config.temp_dir, number);
        let Sandbox { database, analytics } = sandbox::open(config, purpose, remote, &spill.0)?;
        Ok(Self {
            parsers: Parsers::new(Arc::clone(&database)),
            sessions: Sessions::new(database, config.idle_connections),
            analytics: analytics.map(Arc::new),
            kept: Mutex::default(),
            guests: Mutex::default(),
            is_retired: AtomicBool::new(false),
            spill,
        })
    }

    /// From now on it serves only its running queries. Its kept tables are lost when the last of them ends.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.sessions.clear();
        self.parsers.clear();
    }

    /// Registers a query that runs in it, until the returned guest is dropped.
    pub(super) fn enter(self: &Arc<Self>, control: &Arc<Control>) -> Guest {
        self.guests.lock().push(Arc::clone(control));
        Guest { instance: Arc::clone(self), control: Arc::clone(control) }
    }

    /// Stops the queries that run in it, because it must be closed.
    pub(super) fn stop_guests(&self) {
        let guests = self.guests.lock().clone();
        guests.iter().for_each(|control| control.stop(StopReason::Replaced));
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }

    pub(crate) fn spill_folder(&self) -> &Path {
        &self.spill.0
    }

    /// Notes that a table with this name is kept here.
    pub(crate) fn add_kept(&self, name: &str) {
        self.kept.lock().insert(name.to_owned());
    }

    pub(crate) fn forget_kept(&self, name: &str) {
        self.kept.lock().remove(name);
    }

    pub(crate) fn has_kept(&self, name: &str) -> bool {
        self.kept.lock().contains(name)
    }
}

/// What runs in an instance: a query, or a scan of a kept table.
pub(super) struct Guest {
    instance: Arc<Instance>,
    control: Arc<Control>,
}

impl Guest {
    /// Where it runs.
    pub(super) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.instance.guests.lock();
        if let Some(place) = guests.iter().position(|control| Arc::ptr_eq(control, &self.control)) {
            guests.swap_remove(place);
        }
    }
}

/// Where an instance spills: each has its own folder, since two would use the same file names.
#[derive(Debug)]
struct SpillFolder(PathBuf);

impl SpillFolder {
    /// The first instance uses the configured folder, later ones use folders inside it.
    fn of(folder: &Path, number: u64) -> Self {
        Self(if number == 0 { folder.to_owned() } else { folder.join(number.to_string()) })
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // Only empty folders are removed: the first one may contain the others.
        let _ = std::fs::remove_dir(&self.0);
    }
}
