//! Handles as versioned tables in a storage that workers share.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use polarway_model::HandleId;
use polarway_storage::{
    ChangeCounts, DatasetName, Error as StorageError, Lease, Leased, Snapshot, StagedFile, StagedWriter,
    TableWriter, Tables, Write,
};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::store::HandleStore;

/// Handles that any worker can serve: each is a table with one version and a lease.
#[derive(Debug)]
pub struct ExternalHandles {
    tables: Arc<Tables>,
}

impl ExternalHandles {
    /// Handles in this storage, which is [claimed](crate::claim_storage) for them. Other content there is left alone.
    pub fn new(tables: Arc<Tables>) -> Self {
        Self { tables }
    }

    /// The storage.
    pub fn tables(&self) -> &Arc<Tables> {
        &self.tables
    }

    /// Starts to write a handle's rows, for its owner.
    ///
    /// # Errors
    /// A column that can't be stored, a handle with this id exists already, or an error of the storage.
    pub fn writer(
        &self,
        id: HandleId,
        schema: SchemaRef,
        ttl: Duration,
        owner: Arc<str>,
    ) -> Result<TableWriter<&Tables>> {
        Ok(self.tables.writer(&table_name(id)?, schema, Write::leased(ttl))?.owned_by(owner))
    }

    /// Starts to write a file of a handle that another worker may publish.
    ///
    /// # Errors
    /// A column that can't be stored.
    pub fn stage(&self, id: HandleId, file: Uuid, schema: SchemaRef) -> Result<StagedWriter> {
        Ok(self.tables.stage(&table_name(id)?, file, schema)?)
    }

    /// Makes a handle of the files that workers have written for it, for its owner.
    ///
    /// # Errors
    /// A handle with this id exists already, a file that is not there, or an error of the storage.
    pub fn publish_staged(
        &self,
        id: HandleId,
        schema: &SchemaRef,
        ttl: Duration,
        owner: Arc<str>,
        files: &[StagedFile],
    ) -> Result<()> {
        self.tables.publish_staged(&table_name(id)?, schema, ttl, owner, files)?;
        Ok(())
    }

    /// Removes what workers have written for a handle and nobody publishes. What is not there is no error.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn discard_staged(&self, id: HandleId, files: &[Uuid]) -> Result<()> {
        Ok(self.tables.discard_staged(&table_name(id)?, files)?)
    }

    /// Returns a handle and its exact files, and extends its lease.
    ///
    /// # Errors
    /// There is no such handle, or it has ended.
    pub fn pin(&self, id: HandleId) -> Result<(Handle, Arc<Snapshot>)> {
        let snapshot = kept(id, self.tables.renew_if_due(&table_name(id)?)?)?;
        Ok((handle(id, &snapshot)?, snapshot))
    }
}

impl HandleStore for ExternalHandles {
    fn unknown(&self, id: HandleId) -> Error {
        unknown(id)
    }

    fn get(&self, id: HandleId) -> Result<Handle> {
        handle(id, &*kept(id, self.tables.leased(&table_name(id)?)?)?)
    }

    fn list(&self) -> Result<Vec<Handle>> {
        let snapshots = self.tables.all_leased(is_handle)?;
        let with_id = snapshots.iter().filter_map(|snapshot| {
            let id = HandleId::from_code(snapshot.name.as_str())?;
            handle(id, snapshot).ok()
        });
        Ok(with_id.collect())
    }

    fn extend(&self, id: HandleId, ttl: Option<Duration>) -> Result<Handle> {
        handle(id, &*kept(id, self.tables.renew(&table_name(id)?, ttl)?)?)
    }

    fn touch(&self, id: HandleId) -> Result<Handle> {
        self.pin(id).map(|(handle, _)| handle)
    }

    fn remove(&self, id: HandleId) -> Result<()> {
        let name = table_name(id)?;
        loop {
            match kept(id, self.tables.leased(&name)?) {
                Err(Error::Dropped { .. }) => return Ok(()),
                Err(error) => return Err(error),
                Ok(_) => match self.tables.delete(&name, None, None) {
                    // It ended in the meantime; the next look shows how.
                    Err(StorageError::UnknownDataset { .. }) => {}
                    other => return other.map(|_| ()).map_err(Error::from),
                },
            }
        }
    }

    fn tidy(&self) -> Result<()> {
        Ok(self.tables.tidy_leased(is_handle)?)
    }

    fn change_counts(&self) -> Option<ChangeCounts> {
        Some(self.tables.change_counts())
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn check(&self) -> Result<()> {
        Ok(self.tables.probe()?)
    }
}

/// The handle's table name: its id without the characters that a dataset's name may not have.
fn table_name(id: HandleId) -> Result<DatasetName> {
    DatasetName::new(id.code()).map_err(|invalid| Error::Storage(invalid.into()))
}

/// Whether a table of this name can be a handle's.
fn is_handle(name: &DatasetName) -> bool {
    HandleId::from_code(name.as_str()).is_some()
}

fn kept(id: HandleId, leased: Leased) -> Result<Arc<Snapshot>> {
    match leased {
        Leased::Kept(snapshot) => Ok(snapshot),
        Leased::Ended { owner } => Err(Error::Expired { id, owner }),
        Leased::Deleted { owner } => Err(Error::Dropped { id, owner }),
        Leased::Unknown => Err(unknown(id)),
    }
}

fn unknown(id: HandleId) -> Error {
    Error::Unknown { id, hint: "; it may have expired long ago" }
}

fn handle(id: HandleId, snapshot: &Snapshot) -> Result<Handle> {
    Ok(Handle {
        id,
        schema: Arc::clone(&snapshot.schema),
        rows: snapshot.rows,
        bytes: snapshot.arrow_bytes,
        // A table that someone put there without a lease is kept for ever.
        lease: snapshot.lease.unwrap_or_else(|| Lease::starting(snapshot.time_us, Duration::MAX)),
        owner: snapshot.owner.clone(),
    })
}
