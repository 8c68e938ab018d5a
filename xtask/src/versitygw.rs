//! versitygw, a server of S3 on a folder, which Go builds.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::folders::made_once;
use crate::program::output_of;

const PACKAGE: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const FOLDER: &str = "versitygw-1.8.0";

/// The program, built into `cache` if it is not there.
///
/// # Errors
/// Go or a network is missing.
pub(crate) fn provide(cache: &Path) -> Result<PathBuf> {
    let folder = made_once(cache, Path::new(FOLDER), |folder| {
        eprintln!("versitygw: building {PACKAGE}");
        // Its compiler takes gigabytes with more tasks at a time.
        let mut go = Command::new("go");
        output_of(go.args(["install", "-p", "1", PACKAGE]).env("GOBIN", folder)).map(drop)
    })
    .context("versitygw, for which Go and a network are needed")?;
    Ok(folder.join("versitygw"))
}
