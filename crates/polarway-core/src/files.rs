//! Paths in SQL: `parquet_scan('/data/cold/trades_*.parquet')`.
//!
//! For these paths, each dataset is a file `NAME.parquet` in the cold tier, whether Polarway stored it or found it there.

use std::path::PathBuf;

use glob::{MatchOptions, Pattern};
use polarway_storage::DatasetName;

/// Why a path names no datasets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UnknownFiles {
    /// It leads out of the cold tier.
    Outside,
    /// It is not a valid pattern, for this reason.
    NoPattern(String),
}

/// The datasets that a path or glob means. Relative paths start in the cold tier.
pub(crate) fn match_files<'a>(
    pattern: &str,
    cold_folders: &[PathBuf],
    names: &'a [DatasetName],
) -> Result<Vec<&'a DatasetName>, UnknownFiles> {
    let Some(inside) = path_inside(pattern, cold_folders) else { return Err(UnknownFiles::Outside) };
    // For a dataset that is a folder of Parquet files, the pattern may match the files in it.
    let file = match inside.split_once('/') {
        None => inside.to_owned(),
        Some((folder, below)) if is_all_below(below) => format!("{folder}.parquet"),
        Some(_) => {
            let reason = "a dataset's folder is read whole: end the path in '/*.parquet' or '/**/*.parquet'";
            return Err(UnknownFiles::NoPattern(reason.to_owned()));
        }
    };
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let pattern = Pattern::new(&file).map_err(|error| UnknownFiles::NoPattern(error.msg.to_owned()))?;
    Ok(names.iter().filter(|name| pattern.matches_with(&format!("{name}.parquet"), options)).collect())
}

/// Whether the part of a path behind a dataset's folder means all of it: `*.parquet`, `**`,
/// `*/*/*.parquet`.
fn is_all_below(below: &str) -> bool {
    let (folders, last) = below.rsplit_once('/').unwrap_or(("", below));
    matches!(last, "*.parquet" | "*" | "**")
        && folders.split('/').all(|folder| matches!(folder, "" | "*" | "**"))
}

fn path_inside<'a>(pattern: &'a str, cold_folders: &[PathBuf]) -> Option<&'a str> {
    let from_root = cold_folders.iter().find_map(|folder| {
        let behind = pattern.strip_prefix(folder.to_str()?.trim_end_matches('/'))?;
        behind.starts_with('/').then(|| behind.trim_start_matches('/'))
    });
    let inside = match from_root {
        Some(inside) => inside,
        None if pattern.starts_with('/') => return None,
        None => pattern.strip_prefix("./").unwrap_or(pattern),
    };
    let stays_inside = inside.split('/').all(|part| part != "..") && !inside.contains("://");
    stays_inside.then_some(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str) -> Result<Vec<&'static str>, UnknownFiles> {
        let names = ["quotes", "trades_1", "trades_2"];
        let parsed: Vec<DatasetName> = names.iter().map(|name| name.parse().unwrap()).collect();
        let folders = [PathBuf::from("/data/cold"), PathBuf::from("./cold")];
        let found = match_files(pattern, &folders, &parsed)?;
        Ok(names.into_iter().filter(|name| found.iter().any(|there| there.as_str() == *name)).collect())
    }

    #[test]
    fn a_glob_means_the_datasets_whose_names_fit() {
        for pattern in [
            "/data/cold/trades_*.parquet",
            "/data/cold//trades_?.parquet",
            "./cold/trades_[12].parquet",
            "trades_*.parquet",
            "./trades_*.parquet",
            "/data/cold/trades_*/*.parquet",
            "/data/cold/trades_*/**/*.parquet",
        ] {
            assert_eq!(matched(pattern).unwrap(), ["trades_1", "trades_2"], "{pattern}");
        }
        assert_eq!(matched("/data/cold/quotes.parquet").unwrap(), ["quotes"]);
        assert_eq!(matched("/data/cold/*.parquet").unwrap(), ["quotes", "trades_1", "trades_2"]);
        assert!(matched("/data/cold/orders*.parquet").unwrap().is_empty());
        assert!(matched("/data/cold/quotes.csv").unwrap().is_empty());
    }

    #[test]
    fn a_path_that_leads_out_of_the_cold_tier_is_refused() {
        for pattern in [
            "/etc/passwd",
            "/data/cold/../secret.parquet",
            "../x.parquet",
            "/data/colder/x.parquet",
            "s3://bucket/x.parquet",
            "a/../../x.parquet",
        ] {
            assert_eq!(matched(pattern), Err(UnknownFiles::Outside), "{pattern}");
        }
    }

    #[test]
    fn a_single_file_of_a_datasets_folder_is_refused_with_what_would_do() {
        assert!(matches!(matched("/data/cold/quotes/part-0.parquet"), Err(UnknownFiles::NoPattern(_))));
        assert!(matches!(matched("/data/cold/[.parquet"), Err(UnknownFiles::NoPattern(_))));
    }
}
