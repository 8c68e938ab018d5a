//! What an engine gives to an executor over several workers.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polarway_query::{DistributedExecutor, PlanFiles, ResultFiles};
use uuid::Uuid;

use crate::config::Location;
use crate::error::Result;
use crate::polarway::{EngineParts, Polarway};

/// What an executor over several workers needs of an engine, and where it is set.
///
/// It reads data files without asking for whom. So an engine gives it once, to the program that has opened it.
pub struct Distribution {
    engine: Arc<EngineParts>,
}

impl Polarway {
    /// What an executor over several workers needs of this engine. `None` if it was asked for before.
    pub fn distribution(&self) -> Option<Distribution> {
        let engine = self.engine();
        engine.begin_distribution().then(|| Distribution { engine: Arc::clone(engine) })
    }
}

impl Distribution {
    /// Opens the files of plans, those of other workers among them.
    pub fn files(&self) -> Arc<dyn PlanFiles> {
        self.engine.plan_files()
    }

    /// Writes files of results that are kept, for queries that other workers coordinate. `None` if results are kept in memory.
    pub fn result_files(&self) -> Option<Arc<dyn ResultFiles>> {
        self.engine.result_files()
    }

    /// A text that differs for each storage: workers of one storage have the same.
    pub fn storage(&self) -> &str {
        &self.engine.storage_identity
    }

    /// A folder of this process's own for what plans spill, where SQL can't read. Whoever uses it makes it.
    pub fn spill_folder(&self) -> PathBuf {
        self.engine.plan_spill_folder()
    }

    /// From now on, queries that are to run on several workers run on this executor.
    ///
    /// # Errors
    /// There is one already.
    pub fn set_executor(&self, executor: Arc<dyn DistributedExecutor>) -> Result<()> {
        self.engine.set_distributed(executor)
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution").field("storage", &self.storage()).finish_non_exhaustive()
    }
}

/// A text for a storage that all processes over it have in common, and those over another one don't. A directory is known by its
/// path and the number of its inode, which is the same for all that mount it.
pub(crate) fn identity(location: &Location, root: Option<&Path>) -> String {
    match (location, root) {
        (Location::Directory(folder), root) => {
            let folder = root.unwrap_or(folder);
            let inode = fs::metadata(folder).map(|metadata| metadata.ino()).unwrap_or_default();
            format!("{} ({inode})", folder.display())
        }
        (Location::Bucket(url), _) => url.to_string(),
        (Location::Memory, _) => format!("memory {}", Uuid::now_v7()),
    }
}
