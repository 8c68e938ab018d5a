//! Uploads to a bucket that a writer has begun and not completed, since it was killed.

use polarway_model::DatasetName;

use crate::commit::data_folder;
use crate::error::Result;
use crate::layout::is_data_file;
use crate::tables::Tables;

impl Tables {
    /// Removes uploads that were begun longer ago than the time for orphans, by the storage's clock, and not completed: those of
    /// data files of the tables whose names are wanted. Returns how many.
    ///
    /// # Errors
    /// What the storage says: its credentials may not permit to list uploads.
    pub fn remove_unfinished(&self, is_wanted: impl Fn(&DatasetName) -> bool) -> Result<usize> {
        let is_ours = |path: &str| match data_file(path) {
            Some(name) => is_wanted(&name),
            None => false,
        };
        Ok(self.backend.remove_unfinished(&is_ours, self.settings.orphan_grace)?)
    }
}

/// The table of a data file, if this is the path of one.
pub(crate) fn data_file(path: &str) -> Option<DatasetName> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = DatasetName::new(folder.split('/').next()?).ok()?;
    (folder == data_folder(&name) && is_data_file(file)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_files_are_ours() {
        const FILE: &str = "0199c0de-0000-7000-8000-000000000001.parquet";
        let path = format!("trades/_polarway/data/{FILE}");
        assert_eq!(data_file(&path).map(|name| name.to_string()).as_deref(), Some("trades"));
        for other in ["trades/data", "_polarway/data", "a/trades/_polarway/data", "trades/_polarway/commits"]
        {
            assert_eq!(data_file(&format!("{other}/{FILE}")), None, "{other}");
        }
        assert_eq!(data_file("trades/_polarway/data/backup.tar"), None);
        assert_eq!(data_file(FILE), None);
    }
}
