//! How wide the keys of a dataset's dictionaries must be.
//!
//! Each append brings dictionaries of its own. Whoever joins them, and most readers do, needs keys that tell all of their
//! values apart. So a version's schema has keys that are wide enough for the dictionaries of all of its files.

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

/// Versions of which it is remembered what their dictionaries hold.
const REMEMBERED_VERSIONS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// What the dictionaries of a version may take to be remembered.
const MOST_BYTES: usize = 256 << 10;

/// What the dictionaries of versions hold, by their uuid, as far as this process came across them.
#[derive(Debug)]
pub(crate) struct KnownCategories(Mutex<LruCache<Uuid, Arc<Categories>>>);

impl Default for KnownCategories {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED_VERSIONS)))
    }
}

impl KnownCategories {
    /// Remembers what the dictionaries of a version hold.
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
    /// The schema of a version with an upload's rows behind it, and what its dictionaries hold then, if that matters.
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
                // A file that can't be read need not keep rows from being added: wide keys are right whatever it holds.
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

/// Whether two schemas differ in nothing but how wide the keys of their dictionaries are.
pub(crate) fn differ_in_keys_only(a: &SchemaRef, b: &SchemaRef) -> bool {
    a == b || with_wide_keys(a) == with_wide_keys(b)
}
