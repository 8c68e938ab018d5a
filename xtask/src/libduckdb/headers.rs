//! DuckDB's C++ headers, of the same release as its library, out of the source that `libduckdb-sys` ships.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::VERSION;
use crate::cargo;
use crate::folders::made_once;
use crate::program::output_of;

/// The package that ships the source, and the archive in it.
const PACKAGE: &str = "libduckdb-sys";
const ARCHIVE: &str = "duckdb.tar.gz";

/// The folder of the headers in the archive, and its depth.
const HEADERS: &str = "duckdb/src/include";
const DEPTH: &str = "--strip-components=3";

/// The folder of the headers in `cache`, which is filled the first time.
///
/// # Errors
/// When the source can't be found or unpacked.
pub(super) fn ensure(cache: &Path) -> Result<PathBuf> {
    made_once(cache, Path::new(&format!("duckdb-headers-{VERSION}")), |folder| {
        let archive = source()?.join(ARCHIVE);
        let mut tar = Command::new("tar");
        tar.arg("xzf").arg(&archive).arg("-C").arg(folder).args([DEPTH, HEADERS]);
        output_of(&mut tar).map(drop)
    })
}

/// Where cargo has unpacked the package.
fn source() -> Result<PathBuf> {
    let metadata = cargo::metadata(&[])?;
    let packages = metadata["packages"].as_array().context("cargo lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == PACKAGE);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("cargo does not know {PACKAGE}"))?;
    Ok(Path::new(manifest).parent().context("a manifest lies in no folder")?.to_owned())
}
