//! One DuckDB, with what is kept of it between queries.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::analytics::Analytics;
use crate::config::EngineConfig;
use crate::error::Error;
use crate::gate::Parsers;
use crate::sandbox::{self, Sandbox};
use crate::sessions::Sessions;

/// A DuckDB that queries run in, until one of them breaks it.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Counted from 0.
    pub(crate) number: u64,
    pub(crate) parsers: Parsers,
    pub(crate) sessions: Sessions,
    pub(crate) analytics: Option<Analytics>,
    /// The names of the tables that are kept in it.
    kept: Mutex<HashSet<String>>,
    is_retired: AtomicBool,
    /// Dropped last: DuckDB removes what it spilled when it is closed.
    spill: SpillFolder,
}

impl Instance {
    pub(crate) fn open(config: &EngineConfig, number: u64) -> Result<Self, Error> {
        let spill = SpillFolder::of(&config.temp_dir, number);
        let Sandbox { database, analytics } = sandbox::open(config, &spill.0)?;
        Ok(Self {
            number,
            parsers: Parsers::new(Arc::clone(&database)),
            sessions: Sessions::new(database, config.idle_connections),
            analytics,
            kept: Mutex::default(),
            is_retired: AtomicBool::new(false),
            spill,
        })
    }

    /// From now on it serves only those that are at work in it. What it keeps goes with the last of them.
    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.sessions.clear();
        self.parsers.clear();
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }

    pub(crate) fn spill_folder(&self) -> &Path {
        &self.spill.0
    }

    /// Notes that a table of this name is kept here.
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

/// Where an instance spills: a folder of its own, since two of them would use the same names.
#[derive(Debug)]
struct SpillFolder(PathBuf);

impl SpillFolder {
    /// That of the first one is the configured folder, those of later ones lie in it.
    fn of(folder: &Path, number: u64) -> Self {
        Self(if number == 0 { folder.to_owned() } else { folder.join(number.to_string()) })
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // Nothing that holds something is removed. The first one's may hold the others'.
        let _ = std::fs::remove_dir(&self.0);
    }
}
