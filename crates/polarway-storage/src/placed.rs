//! Files of a storage that somebody else has named: whether they have the place of a table's data, and how they are read there.

use std::sync::Arc;

use polarway_model::DatasetName;
use polarway_parquet::ReadAt;

use crate::adopt::is_visible;
use crate::backend::BackendResult;
use crate::mirror::{FileToRead, Places};
use crate::partition::parse_folder;
use crate::ranges::RangeFile;
use crate::unfinished::data_file;

/// A file that is read where it is.
#[derive(Debug, Clone)]
pub enum PlacedFile {
    /// In a directory.
    Opened(Arc<dyn ReadAt>),
    /// In no directory: what is read of it is cached.
    Ranged(Arc<RangeFile>),
}

impl Places {
    /// Opens a file where it is. Of one in no directory, nothing is asked before it is read.
    ///
    /// # Errors
    /// Errors of the storage; the file is missing, or not in its pinned state.
    pub fn open(&self, file: FileToRead<'_>) -> BackendResult<PlacedFile> {
        match self.read_ranges() {
            true => Ok(PlacedFile::Ranged(self.range_file(file))),
            false => self.open_here(file).map(PlacedFile::Opened),
        }
    }
}

/// Whether a path is where a data file of the dataset lies, or, if `is_adopted`, where a file of another program would be taken
/// for a part of it. It does not look for the file.
#[must_use]
pub fn is_place_of_data(dataset: &DatasetName, path: &str, is_adopted: bool) -> bool {
    match is_adopted {
        false => data_file(path).as_ref() == Some(dataset),
        true => is_place_of_adopted(dataset, path),
    }
}

/// As `adopt.rs` looks for them.
fn is_place_of_adopted(dataset: &DatasetName, path: &str) -> bool {
    let Some(stem) = path.strip_suffix(".parquet") else { return false };
    if stem == dataset.as_str() {
        return true;
    }
    let Some(below) = stem.strip_prefix(dataset.as_str()).and_then(|below| below.strip_prefix('/')) else {
        return false;
    };
    let (folders, file) =
        below.rsplit_once('/').map_or((None, below), |(folders, file)| (Some(folders), file));
    let mut folders = folders.into_iter().flat_map(|folders| folders.split('/'));
    !file.is_empty()
        && is_visible(file)
        && folders.all(|folder| is_visible(folder) && parse_folder(folder).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "0199c0de-0000-7000-8000-000000000001.parquet";

    #[test]
    fn only_the_data_of_the_named_table_has_its_place() {
        let trades = DatasetName::new("trades").unwrap();
        let is_own = |path: &str| is_place_of_data(&trades, path, false);
        let is_adopted = |path: &str| is_place_of_data(&trades, path, true);
        assert!(is_own(&format!("trades/_polarway/data/{FILE}")));
        for path in [
            format!("quotes/_polarway/data/{FILE}"),
            "trades/_polarway/data/secret.parquet".to_owned(),
            format!("trades/_polarway/commits/{FILE}"),
            format!("trades/{FILE}"),
            format!("trades/_polarway/data/x/{FILE}"),
            "trades.parquet".to_owned(),
        ] {
            assert!(!is_own(&path), "{path}");
        }
        for path in ["trades.parquet", "trades/a.parquet", "trades/year=2024/month=1/a.parquet"] {
            assert!(is_adopted(path), "{path}");
        }
        for path in [
            "quotes.parquet",
            "tradesx/a.parquet",
            "trades/a.csv",
            "trades/.parquet",
            "trades/_hidden.parquet",
            "trades/_polarway/data/a.parquet",
            "trades/year=2024/.git/a.parquet",
            "trades/folder/a.parquet",
            "trades//a.parquet",
            "trades/../quotes.parquet",
        ] {
            assert!(!is_adopted(path), "{path}");
        }
    }
}
