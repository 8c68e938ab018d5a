//! Every way to a dataset.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use polarway_model::{
    At, CacheStats, Dataset, DatasetName, Published, RequestId, Selection, Version, WriteMode, WriteOptions,
};
use polarway_storage::{
    BatchReader, ChunkReader, Pinned, ReadAt, Snapshot, SnapshotFile, TableWriter, Tables,
};

use super::{Access, Action, Target};
use crate::error::Result;

/// Writes a dataset that may be written.
pub(crate) type DatasetWriter = TableWriter<Arc<Tables>>;

impl Access {
    /// Whether a dataset of this name, if there is one, is there for the caller.
    pub(super) fn sees(&self, name: &DatasetName) -> bool {
        self.may(Action::Read, Target::Dataset(name))
    }

    /// Pins a version of a dataset.
    pub(crate) fn snapshot(&self, name: &DatasetName, at: At) -> Result<Arc<Snapshot>> {
        let data = self.authorize(Action::Read, Target::Dataset(name))?;
        data.tables.snapshot(name, at).map_err(|error| self.without_hidden_names(error).into())
    }

    /// Pins a version of a dataset, to load some of it.
    pub(crate) fn pin(&self, name: &DatasetName, at: At, selection: &Selection) -> Result<Pinned> {
        let data = self.authorize(Action::Read, Target::Dataset(name))?;
        data.loader.pin(name, at, selection).map_err(|error| self.without_hidden_names(error).into())
    }

    /// A version, or nothing where there is no dataset of this name.
    pub(crate) fn snapshot_if_any(&self, name: &DatasetName, at: At) -> Result<Option<Arc<Snapshot>>> {
        match self.sees(name) {
            true => {
                Ok(self.authorize(Action::Read, Target::Dataset(name))?.tables.snapshot_if_any(name, at)?)
            }
            false => {
                self.tell_refused(Action::Read, Target::Dataset(name));
                Ok(None)
            }
        }
    }

    /// The version that is most likely the newest, where it takes time to ask for a newer one.
    pub(crate) fn supposed(&self, name: &DatasetName) -> Option<Arc<Snapshot>> {
        if !self.sees(name) {
            return None;
        }
        self.authorize(Action::Read, Target::Dataset(name)).ok()?.tables.supposed(name)
    }

    /// Some columns and rows of a pinned version.
    pub(crate) fn batches(&self, version: Pinned, selection: &Selection) -> Result<BatchReader> {
        let data = self.authorize(Action::Read, Target::Dataset(&version.snapshot.name))?;
        Ok(data.loader.batches_of(version, selection)?)
    }

    /// The same as chunks.
    pub(crate) fn chunks(&self, version: Pinned, selection: &Selection) -> Result<ChunkReader> {
        let data = self.authorize(Action::Read, Target::Dataset(&version.snapshot.name))?;
        Ok(data.loader.chunks_of(version, selection)?)
    }

    /// A file of a pinned version.
    pub(crate) fn open_file(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Result<Arc<dyn ReadAt>> {
        let data = self.authorize(Action::Read, Target::Dataset(&snapshot.name))?;
        Ok(file.open(&**data.tables.backend())?)
    }

    /// Makes sure that a file of a pinned version is as it was then.
    pub(crate) fn check_unchanged(&self, snapshot: &Snapshot, file: &SnapshotFile) -> Result<()> {
        let data = self.authorize(Action::Read, Target::Dataset(&snapshot.name))?;
        Ok(data.tables.check_unchanged(&snapshot.name, file)?)
    }

    /// All versions that a dataset ever had.
    pub(crate) fn versions(&self, name: &DatasetName) -> Result<Vec<Version>> {
        let data = self.authorize(Action::Read, Target::Dataset(name))?;
        data.tables.versions(name).map_err(|error| self.without_hidden_names(error).into())
    }

    /// All datasets that the caller may see, by name.
    pub(crate) fn datasets(&self) -> Result<Vec<Dataset>> {
        // As many as a list can have.
        Ok(self.datasets_after("", usize::MAX / 2)?.0)
    }

    /// Those whose names come after this text, as far as `most` of them go; and whether these are all.
    pub(crate) fn datasets_after(&self, text: &str, most: usize) -> Result<(Vec<Dataset>, bool)> {
        let data = self.authorize(Action::Read, Target::Engine)?;
        Ok(data.tables.datasets_after(text, most, |name| self.sees(name))?)
    }

    /// The newest versions of all datasets that the caller may see, by name, as SQL lists them.
    pub(crate) fn newest_snapshots(&self) -> Result<Vec<Arc<Snapshot>>> {
        let data = self.authorize(Action::Query, Target::Engine)?;
        Ok(data.tables.newest_snapshots(|name| self.sees(name))?)
    }

    /// The names in the storage that a query of the caller can mean: of deleted datasets, too.
    pub(crate) fn possible_names(&self) -> Result<Vec<DatasetName>> {
        let mut names = self.authorize(Action::Query, Target::Engine)?.tables.possible_names()?;
        names.retain(|name| self.sees(name));
        Ok(names)
    }

    /// The names that are nearest to one that is none's, for a query of the caller.
    pub(crate) fn nearest_names(&self, wanted: &str) -> Result<Vec<String>> {
        let data = self.authorize(Action::Query, Target::Engine)?;
        Ok(data.tables.nearest_names(wanted, |name| self.sees(name))?)
    }

    /// Begins to write a dataset.
    pub(crate) fn writer(
        &self,
        name: &DatasetName,
        schema: SchemaRef,
        options: WriteOptions,
    ) -> Result<DatasetWriter> {
        let data = self.authorize(Action::Write, Target::Dataset(name))?;
        let room = self.room_to_store(&data.tables, name, options.mode)?;
        let writer = data.tables.shared_writer(name, schema, options);
        let writer = writer.map_err(|error| self.without_hidden_names(error))?;
        Ok(writer.at_most(room.unwrap_or(u64::MAX)))
    }

    /// Publishes what was written to a dataset in this way.
    pub(crate) fn publish(
        &self,
        writer: DatasetWriter,
        name: &DatasetName,
        mode: WriteMode,
    ) -> Result<Published> {
        let publish =
            |writer: DatasetWriter| Ok(writer.publish().map_err(|error| self.without_hidden_names(error))?);
        if self.caller().quota().stored_bytes.is_none() {
            return publish(writer);
        }
        // Others may have stored something since.
        let _turn = self.engine().quotas.lock();
        let data = self.authorize(Action::Write, Target::Dataset(name))?;
        let room = self.room_to_store(&data.tables, name, mode)?;
        publish(writer.at_most(room.unwrap_or(u64::MAX)))
    }

    /// Deletes a dataset.
    pub(crate) fn delete(
        &self,
        name: &DatasetName,
        request: Option<RequestId>,
        expected_version: Option<u64>,
    ) -> Result<Published> {
        let data = self.authorize(Action::Delete, Target::Dataset(name))?;
        let deleted = data.tables.delete(name, request, expected_version);
        deleted.map_err(|error| self.without_hidden_names(error).into())
    }

    /// Removes the data of all versions of a deleted dataset.
    pub(crate) fn purge(&self, name: &DatasetName) -> Result<()> {
        self.authorize(Action::Delete, Target::Dataset(name))?.tables.purge(name)?;
        Ok(())
    }

    /// How the cache of tables is doing.
    pub(crate) fn cache_stats(&self) -> Result<CacheStats> {
        Ok(self.authorize(Action::Read, Target::Statistics)?.loader.cache_stats())
    }

    /// What the storage says, without the names that the caller may not see.
    fn without_hidden_names(&self, mut error: polarway_storage::Error) -> polarway_storage::Error {
        if let polarway_storage::Error::UnknownDataset { nearest, .. } = &mut error {
            nearest.retain(|name| name.parse().is_ok_and(|name| self.sees(&name)));
        }
        error
    }
}
