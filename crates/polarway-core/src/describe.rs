//! Lists and describes datasets and their versions.

use polarway_model::{At, Dataset, DatasetName, Description, Version};

use crate::error::Result;
use crate::polarway::Polarway;

impl Polarway {
    /// All datasets with their newest versions, ordered by name. A dataset that can't be read is listed with the reason.
    ///
    /// # Errors
    /// Errors of the storage.
    pub async fn datasets(&self) -> Result<Vec<Dataset>> {
        self.blocking(|access| access.datasets()).await
    }

    /// At most `most` datasets whose names come after this text, in order; and whether there are no more.
    ///
    /// # Errors
    /// Errors of the storage.
    pub async fn datasets_after(&self, text: &str, most: usize) -> Result<(Vec<Dataset>, bool)> {
        let text = text.to_owned();
        self.blocking(move |access| access.datasets_after(&text, most)).await
    }

    /// Describes a dataset's newest version.
    ///
    /// # Errors
    /// A dataset that does not exist (the message has similar names), and errors of the storage.
    pub async fn describe(&self, name: &str) -> Result<Description> {
        self.describe_at(name, At::Newest).await
    }

    /// Describes a version of a dataset.
    ///
    /// # Errors
    /// As [`describe`](Self::describe); besides, a version that does not exist.
    pub async fn describe_at(&self, name: &str, at: At) -> Result<Description> {
        let name = DatasetName::new(name)?;
        self.blocking(move |access| {
            let snapshot = access.snapshot(&name, at)?;
            Ok(Description {
                name,
                version: snapshot.version,
                time_us: snapshot.time_us,
                schema: snapshot.schema.clone(),
                rows: snapshot.rows,
                files: snapshot.files.len() as u64,
                bytes: snapshot.bytes,
                arrow_bytes: snapshot.arrow_bytes,
            })
        })
        .await
    }

    /// All versions that a dataset ever had, oldest first, including those whose data was removed.
    ///
    /// # Errors
    /// A dataset that never existed, and errors of the storage.
    pub async fn versions(&self, name: &str) -> Result<Vec<Version>> {
        let name = DatasetName::new(name)?;
        self.blocking(move |access| access.versions(&name)).await
    }
}
