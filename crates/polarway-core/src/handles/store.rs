//! The store of an engine's handles.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use polarway_handles::{ExternalHandles, Handle, HandleId, HandleStore, MemoryHandles, claim_storage};
use polarway_query::{AfterScan, CatalogError, Engine, FileGroup, Relation};
use polarway_storage::{
    Backend, Clock, Environment, FileChecks, Loader, MemoryBudget, Mirror, Settings, Snapshot, Tables,
};

use crate::config::{Config, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::handles::InUse;
use crate::workspace::STATE_MIRROR_FOLDER;

/// The handles of an engine.
pub(crate) struct Handles {
    store: Arc<dyn HandleStore>,
    place: Place,
    /// How long a handle is kept unless its maker asked for another time.
    pub(crate) ttl: Duration,
    pub(crate) in_use: InUse,
}

pub(crate) enum Place {
    Memory(Arc<MemoryHandles>),
    External(Arc<External>),
}

/// Handles in a storage, and the parts that read them.
pub(crate) struct External {
    pub(crate) books: Arc<ExternalHandles>,
    pub(crate) loader: Loader,
    mirror: Mirror,
    checks: Arc<FileChecks>,
}

/// Where the rows of a handle are.
pub(crate) enum Rows {
    /// In a table of this name that the query engine keeps.
    Table(Handle, String),
    Files(Handle, Arc<Snapshot>, Arc<External>),
}

impl Rows {
    /// The handle.
    pub(crate) fn handle(&self) -> &Handle {
        match self {
            Self::Table(handle, _) | Self::Files(handle, ..) => handle,
        }
    }
}

impl External {
    /// Handles in this storage; remote files are copied below `folder`.
    ///
    /// # Errors
    /// The storage holds something else, or fails.
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        folder: &Path,
        config: &Config,
        memory: &MemoryBudget,
        checks: Arc<FileChecks>,
        environment: Environment,
    ) -> Result<Self> {
        claim_storage(&*backend).map_err(|error| match &config.handles.state {
            Location::Directory(state) if matches!(error, polarway_handles::Error::NotForHandles { .. }) => {
                let state = state.display().to_string();
                let message =
                    format!("{state:?} can't be the folder of handles: {error}; give them another one");
                Error::new(ErrorKind::Configuration, message)
            }
            _ => error.into(),
        })?;
        let mirror =
            Mirror::new(Arc::clone(&backend), folder.join(STATE_MIRROR_FOLDER), config.mirror_bytes)?
                .sharing(environment.workers.clone());
        let settings = Settings {
            grace: config.retention.grace,
            orphan_grace: config.retention.orphan_grace,
            ..Settings::default()
        };
        let tables = Arc::new(Tables::with_environment(backend, settings, environment));
        // No cache: a handle is mostly loaded once.
        let loader = Loader::sharing(Arc::clone(&tables), 0, memory.clone());
        Ok(Self { books: Arc::new(ExternalHandles::new(tables)), loader, mirror, checks })
    }

    /// The folders that DuckDB must be able to read.
    pub(crate) fn folders(&self, root: Option<&Path>) -> Vec<PathBuf> {
        root.map(Path::to_owned).into_iter().chain([self.mirror.folder().to_owned()]).collect()
    }

    fn relation(&self, snapshot: &Snapshot) -> Result<Relation> {
        let locals = snapshot.files.iter().map(|file| self.mirror.local(file));
        let locals = locals.collect::<Result<Vec<_>, _>>()?;
        let files = locals.iter().map(|local| local.path().to_owned()).collect();
        let of_files = snapshot.files.iter().zip(&locals);
        let due: Vec<_> =
            of_files.filter_map(|(file, local)| self.checks.due(snapshot, file, local)).collect();
        let (is_any, checks) = (!due.is_empty(), Arc::clone(&self.checks));
        let check = move || checks.check(&due).map_err(|error| CatalogError::Other(Box::new(error)));
        let after_scan = is_any.then(|| Box::new(check) as AfterScan);
        let group = FileGroup {
            has_exact_float_statistics: snapshot.files.iter().all(|file| file.nan_safe),
            ..FileGroup::new(files, Arc::clone(&snapshot.schema))
        };
        Ok(Relation {
            after_scan,
            is_result: true,
            pin: Box::new(locals),
            ..Relation::of_groups(vec![group], Arc::clone(&snapshot.schema))
        })
    }
}

impl Handles {
    /// Handles in the storage, or without one in the memory of the query engine.
    pub(crate) fn open(
        external: Option<External>,
        queries: &Engine,
        config: &Config,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self> {
        let place = match external {
            Some(external) => Place::External(Arc::new(external)),
            None => Place::Memory(Arc::new(in_memory(queries.clone(), config, Arc::clone(clock)))),
        };
        let store = match &place {
            Place::External(external) => Arc::clone(&external.books) as Arc<dyn HandleStore>,
            Place::Memory(memory) => Arc::clone(memory) as Arc<dyn HandleStore>,
        };
        let in_use = InUse::start(Arc::clone(&store), Arc::clone(clock))?;
        Ok(Self { store, in_use, ttl: config.handles.ttl, place })
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn store(&self) -> &Arc<dyn HandleStore> {
        &self.store
    }

    /// The rows of a handle that is about to be used.
    pub(crate) fn rows(&self, id: HandleId) -> Result<Rows> {
        Ok(match &self.place {
            Place::Memory(memory) => {
                let (handle, table) = memory.table(id)?;
                Rows::Table(handle, table)
            }
            Place::External(external) => {
                let (handle, snapshot) = external.books.pin(id)?;
                Rows::Files(handle, snapshot, Arc::clone(external))
            }
        })
    }

    /// A handle as a relation of a query; it is in use until the query ends.
    pub(crate) fn relation(&self, rows: Rows) -> Result<Relation> {
        let (handle, relation) = match rows {
            Rows::Table(handle, table) => {
                let relation = Relation::kept(table, Arc::clone(&handle.schema));
                (handle, relation)
            }
            Rows::Files(handle, snapshot, external) => (handle, external.relation(&snapshot)?),
        };
        let used = self.in_use.begin(&handle);
        Ok(Relation { pin: Box::new((relation.pin, used)), ..relation })
    }
}

/// Handles in the engine's memory, which is part of the memory of queries.
fn in_memory(queries: Engine, config: &Config, clock: Arc<dyn Clock>) -> MemoryHandles {
    let remove = {
        let queries = queries.clone();
        move |table: &str| {
            if let Err(error) = queries.remove_kept(table) {
                tracing::warn!(table, %error, "a handle's table could not be removed");
            }
        }
    };
    MemoryHandles::new(config.handle_budget_bytes(), clock, Box::new(remove))
        .over_tables_that_may_go(Box::new(move |table| queries.has_kept(table)))
}
