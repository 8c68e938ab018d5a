//! Recognizes the files that Polarway made in a dataset's folder: only these may be removed.

use uuid::Uuid;

/// The prefix of temporary names.
pub(crate) const TEMPORARY_PREFIX: &str = ".polarway-";

/// Digits in the name of a commit; large numbers have more.
const COMMIT_DIGITS: usize = 10;

/// The number of the commit in a file of this name, if it is the name of a commit.
pub(crate) fn commit_number(file: &str) -> Option<u64> {
    let digits = file.strip_suffix(".json")?;
    let is_number = digits.len() >= COMMIT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// Whether a file of this name is a data file.
pub(crate) fn is_data_file(file: &str) -> bool {
    let id = file.strip_suffix(".parquet").unwrap_or_default();
    Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id)
}

/// Whether this is a temporary name.
pub(crate) fn is_temporary(file: &str) -> bool {
    file.starts_with(TEMPORARY_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_polarway_made_is_told_from_what_others_put_there() {
        assert_eq!(commit_number("0000000001.json"), Some(1));
        assert_eq!(commit_number("12345678901.json"), Some(12_345_678_901));
        for other in ["1.json", "000000000x.json", "+000000001.json", "0000000001.json.bak", ".json", "hint"]
        {
            assert_eq!(commit_number(other), None, "{other}");
        }
        assert!(is_data_file("0199c0de-0000-7000-8000-000000000001.parquet"));
        for other in [
            "thesis.parquet",
            ".parquet",
            "0199c0de-0000-7000-8000-000000000001.csv",
            "0199c0de00007000800000000000000 1.parquet",
            "0199C0DE-0000-7000-8000-000000000001.parquet",
            "0199c0de000070008000000000000001.parquet",
        ] {
            assert!(!is_data_file(other), "{other}");
        }
        assert!(is_temporary(".polarway-staged-7-0-x") && !is_temporary(".profile"));
    }
}
