//! What a plan's URLs can mean: the files of its query, and nothing else.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use url::Url;

use super::PinnedStore;

/// The URL of the files of a query, in its plan.
pub(crate) const FILES_URL: &str = "pinned://files";

/// Knows the store of one query. A plan that names another can't be decoded, on no worker.
#[derive(Debug)]
pub(crate) struct OnlyPinnedFiles(pub(crate) Arc<PinnedStore>);

impl ObjectStoreRegistry for OnlyPinnedFiles {
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> Result<Arc<dyn ObjectStore>> {
        match is_files_url(url) {
            true => Ok(Arc::clone(&self.0) as _),
            false => plan_err!("a query reads its pinned files alone, not {url}"),
        }
    }
}

fn is_files_url(url: &Url) -> bool {
    url.as_str().strip_prefix(FILES_URL).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
