//! The store of an engine's handles.

use std::sync::Arc;
use std::time::Duration;

use polarway_handles::{ExternalHandles, Handle, HandleId, HandleStore, MemoryHandles, claim_storage};
use polarway_query::{Engine, FileGroup, FileStorage, Relation, StoredTable, TableSource};
use polarway_storage::{Backend, Clock, Environment, Loader, MemoryBudget, Settings, Snapshot, Tables};

use crate::catalog::file_reference;
use crate::config::{Config, Location};
use crate::error::{Error, ErrorKind, Result};
use crate::handles::InUse;

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
    /// Handles in this storage.
    ///
    /// # Errors
    /// The storage holds something else, or fails.
    pub(crate) fn open(
        backend: Arc<dyn Backend>,
        config: &Config,
        memory: &MemoryBudget,
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
        let settings = Settings {
            grace: config.retention.grace,
            orphan_grace: config.retention.orphan_grace,
            ..Settings::default()
        };
        let tables = Arc::new(Tables::with_environment(backend, settings, environment));
        // No cache: a handle is mostly loaded once.
        let loader = Loader::sharing(Arc::clone(&tables), 0, memory.clone());
        Ok(Self { books: Arc::new(ExternalHandles::new(tables)), loader })
    }
}

/// The stored rows of a handle.
fn stored_rows(snapshot: &Snapshot) -> TableSource {
    let files = FileGroup {
        storage: FileStorage::Handles,
        has_exact_float_statistics: snapshot.files.iter().all(|file| file.nan_safe),
        ..FileGroup::new(
            snapshot.name.clone(),
            snapshot.version,
            snapshot.files.iter().map(file_reference).collect(),
            Arc::clone(&snapshot.schema),
        )
    };
    let files = if snapshot.files.is_empty() { Vec::new() } else { vec![files] };
    TableSource::Stored(StoredTable { schema: Arc::clone(&snapshot.schema), files, is_result: true })
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
        let (handle, source) = match rows {
            Rows::Table(handle, table) => (handle, TableSource::Kept(table)),
            Rows::Files(handle, snapshot, _) => (handle, stored_rows(&snapshot)),
        };
        let used = self.in_use.begin(&handle);
        Ok(Relation { pin: Box::new(used), ..Relation::new(source) })
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
