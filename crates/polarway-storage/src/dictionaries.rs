//! How wide the keys of a dataset's dictionaries must be.
//!
//! Each append has dictionaries of its own. Most readers join them, and need keys that can number the values of all of them. So
//! a version's schema has keys that are wide enough for the dictionaries of all of its files.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use lru::LruCache;
use parking_lot::Mutex;
use polarway_parquet::{Categories, has_narrow_keys, read_categories, with_wide_keys};
use uuid::Uuid;

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::tables::Tables;
use crate::upload::Upload;

/// The most versions whose dictionary values are remembered.
const REMEMBERED_VERSIONS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// The largest dictionaries of a version that are remembered, in bytes.
const MOST_BYTES: usize = 256 << 10;

/// The dictionary values of versions that this process has seen, by the version's uuid.
#[derive(Debug)]
pub(crate) struct KnownCategories(Mutex<LruCache<Uuid, Arc<Categories>>>);

impl Default for KnownCategories {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED_VERSIONS)))
    }
}

impl KnownCategories {
    /// Remembers the dictionary values of a version.
    pub(crate) fn remember(&self, version: Uuid, categories: &Arc<Categories>) {
        if categories.bytes() <= MOST_BYTES {
            self.0.lock().put(version, Arc::clone(categories));
        }
    }

    fn of(&self, version: Uuid) -> Option<Arc<Categories>> {
        self.0.lock().get(&version).cloned()
    }
}

impl Tables {
    /// The schema of a version after an upload is appended, and its dictionary values then, if it has dictionaries.
    pub(crate) fn schema_with(
        &self,
        present: &Snapshot,
        upload: &Upload,
    ) -> Result<(SchemaRef, Option<Arc<Categories>>)> {
        let schema = &present.schema;
        let Some(appended) = upload.categories.as_ref().filter(|_| has_narrow_keys(schema)) else {
            return Ok((Arc::clone(schema), None));
        };
        let together = self.categories(present).and_then(|mut categories| {
            Arc::make_mut(&mut categories).add(appended)?;
            Ok(categories)
        });
        match together {
            Ok(categories) => Ok((categories.widen_keys(schema), Some(categories))),
            Err(error) => {
                // A file that can't be read does not stop the append: wide keys are right for any values.
                tracing::warn!(dataset = %present.name, %error, "the dictionaries of a dataset can't be read");
                Ok((Arc::new(with_wide_keys(schema)), None))
            }
        }
    }

    fn categories(&self, snapshot: &Snapshot) -> Result<Arc<Categories>> {
        if let Some(known) = self.categories.of(snapshot.uuid) {
            return Ok(known);
        }
        let schema = snapshot.file_schema();
        let mut categories = Categories::new(&schema);
        for file in &snapshot.files {
            categories.add(&read_categories(self.open_file(snapshot, file)?, &schema)?)?;
        }
        Ok(Arc::new(categories))
    }
}

/// Whether two schemas differ only in the key types of their dictionaries.
pub(crate) fn differ_in_keys_only(a: &SchemaRef, b: &SchemaRef) -> bool {
    a == b || with_wide_keys(a) == with_wide_keys(b)
}
