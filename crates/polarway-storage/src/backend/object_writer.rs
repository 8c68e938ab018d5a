//! Writes an object: a small one in one request, a larger one in parts.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};
use tokio::task::JoinSet;

use super::object::{failure, object_path};
use super::{BackendResult, DataWriter, Operation, Outcome};
use crate::own_runtime::OwnRuntime;

/// Size of one part of an upload, in bytes. Buckets take 10,000 parts of at least 5 MiB. A smaller object is one request.
const PART_BYTES: usize = 16 << 20;

/// The most parts of one upload that are sent at a time.
const PARTS_IN_FLIGHT: usize = 4;

/// An object that is being written. If it is dropped before it is finished, nothing of it stays.
pub(super) struct ObjectWriter {
    store: Arc<dyn ObjectStore>,
    runtime: Arc<OwnRuntime>,
    path: String,
    buffer: Vec<u8>,
    /// All bytes so far.
    bytes: u64,
    /// `None` as long as there is less than one part, and after the end.
    upload: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<object_store::Result<()>>,
}

impl ObjectWriter {
    pub(super) fn new(store: &Arc<dyn ObjectStore>, runtime: &Arc<OwnRuntime>, path: &str) -> Self {
        Self {
            store: Arc::clone(store),
            runtime: Arc::clone(runtime),
            path: path.to_owned(),
            buffer: Vec::new(),
            bytes: 0,
            upload: None,
            parts: JoinSet::new(),
        }
    }

    /// Waits until at most so many parts are on their way.
    async fn wait_for_parts(&mut self, at_most: usize) -> object_store::Result<()> {
        while self.parts.len() > at_most
            && let Some(part) = self.parts.join_next().await
        {
            part.map_err(|source| object_store::Error::JoinError { source })??;
        }
        Ok(())
    }

    /// Sends what is in the buffer as the next part.
    async fn send_part(&mut self) -> object_store::Result<()> {
        self.wait_for_parts(PARTS_IN_FLIGHT - 1).await?;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(self.store.put_multipart(&object_path(&self.path)).await?),
        };
        let part = upload.put_part(PutPayload::from(mem::take(&mut self.buffer)));
        self.parts.spawn(part);
        Ok(())
    }

    async fn complete(&mut self) -> object_store::Result<()> {
        if self.upload.is_none() {
            let contents = PutPayload::from(mem::take(&mut self.buffer));
            return self.store.put(&object_path(&self.path), contents).await.map(drop);
        }
        if !self.buffer.is_empty() {
            self.send_part().await?;
        }
        self.wait_for_parts(0).await?;
        let Some(upload) = &mut self.upload else { return Ok(()) };
        if let Err(error) = upload.complete().await {
            // The answer to an earlier try may have been lost: then the upload is gone, and the object is there.
            let there = self.store.head(&object_path(&self.path)).await;
            if !there.is_ok_and(|there| there.size == self.bytes) {
                return Err(error);
            }
        }
        self.upload = None;
        Ok(())
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PART_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.bytes += taken as u64;
        if self.buffer.len() == PART_BYTES {
            let runtime = Arc::clone(&self.runtime);
            runtime.wait(self.send_part())?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DataWriter for ObjectWriter {
    fn finish(mut self: Box<Self>) -> BackendResult<()> {
        let runtime = Arc::clone(&self.runtime);
        let completed = runtime.wait(self.complete());
        completed.map_err(|error| failure(Operation::Write, &self.path, Outcome::Unknown, error))
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let parts = &mut self.parts;
        let aborted = self.runtime.block_on(async {
            parts.shutdown().await;
            upload.abort().await
        });
        if let Err(error) = aborted {
            tracing::warn!(path = self.path, %error, "an upload that was given up could not be aborted");
        }
    }
}
