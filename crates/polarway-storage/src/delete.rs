//! Deleting a dataset: its newest version becomes its deletion.

use std::convert::Infallible;
use std::sync::Arc;

use polarway_model::{DatasetName, Published, RequestId};

use crate::change::{Change, Decision, Draft, LeaseDraft, Origin};
use crate::commit::Commit;
use crate::error::Result;
use crate::publication::check_version;
use crate::tables::Tables;

impl Tables {
    /// Deletes a dataset: its newest version becomes its deletion, and older versions stay
    /// readable until retention removes their data. Files that were adopted stay as they are.
    ///
    /// # Errors
    /// [`Error::UnknownDataset`](crate::Error::UnknownDataset), [`Error::VersionConflict`](crate::Error::VersionConflict),
    /// [`Error::RequestExpired`](crate::Error::RequestExpired), and what the storage says.
    pub fn delete(
        &self,
        name: &DatasetName,
        request: Option<RequestId>,
        expected_version: Option<u64>,
    ) -> Result<Published> {
        let origin = Origin::call(self, request)?;
        let mut deletion = Deletion { tables: self, name, expected_version };
        let conclusion = self.carry_out(&self.dataset(name), &origin, &mut deletion)?;
        Ok(conclusion.published(name))
    }
}

struct Deletion<'a> {
    tables: &'a Tables,
    name: &'a DatasetName,
    expected_version: Option<u64>,
}

impl Change for Deletion<'_> {
    type Left = Infallible;

    const WAITS_ITS_TURN: bool = true;

    fn decide(&mut self, newest: Option<&Arc<Commit>>) -> Result<Decision<Infallible>> {
        let newest = newest.map(Arc::as_ref);
        check_version(self.name, self.expected_version, newest)?;
        match self.tables.present(self.name, newest)? {
            Some(_) => Ok(Decision::Commit(Draft::deletion(LeaseDraft::Remove))),
            None => Err(self.tables.unknown(self.name, newest)),
        }
    }
}
