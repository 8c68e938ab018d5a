//! What the tasks of a query stand on: its files, its memory, and the worker's spill folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

use crate::census::Census;
use crate::memory::{QueryMemory, WorkerMemory};
use crate::store::{OnlyPinnedFiles, PinnedStore, Readers};
use polarway_query::PinnedFile;
use tokio_util::sync::CancellationToken;

/// Where operators spill: a folder of this worker's own, empty when it starts and when it ends.
#[derive(Debug)]
pub(crate) struct Spill {
    folder: PathBuf,
    disk: Arc<DiskManager>,
}

impl Spill {
    pub(crate) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        empty(folder)?;
        let builder = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![folder.to_owned()]))
            .with_max_temp_directory_size(limit);
        let disk = builder.build().map_err(io::Error::other)?;
        Ok(Self { folder: folder.to_owned(), disk: Arc::new(disk) })
    }

    pub(crate) fn used(&self) -> u64 {
        self.disk.used_disk_space()
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if let Err(error) = empty(&self.folder) {
            tracing::warn!(%error, "the spill folder of queries over all workers can't be emptied");
        }
    }
}

/// Removes what DataFusion left in the folder, and nothing else.
fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_own = entry.file_name().to_str().is_some_and(|name| name.starts_with("datafusion-"));
        if is_own && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// What all queries of a worker share.
#[derive(Debug)]
pub(crate) struct WorkerRuntime {
    pub(crate) readers: Readers,
    pub(crate) memory: Arc<WorkerMemory>,
    pub(crate) spill: Spill,
}

impl WorkerRuntime {
    pub(crate) fn census(&self) -> &Arc<Census> {
        &self.readers.census
    }

    /// What the tasks of a query stand on. Their reads fail once `stopped` is cancelled.
    pub(crate) fn of_query(
        &self,
        files: &[PinnedFile],
        memory_bytes: usize,
        stopped: CancellationToken,
    ) -> Result<(Arc<RuntimeEnv>, Arc<PinnedStore>)> {
        let store = Arc::new(PinnedStore::new(self.readers.clone(), files, stopped));
        let memory = QueryMemory::new(memory_bytes, &self.memory, self.census());
        let mut runtime = RuntimeEnvBuilder::new()
            .with_object_store_registry(Arc::new(OnlyPinnedFiles(Arc::clone(&store))))
            .with_memory_pool(Arc::new(memory))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build()?;
        runtime.disk_manager = Arc::clone(&self.spill.disk);
        Ok((Arc::new(runtime), store))
    }
}
