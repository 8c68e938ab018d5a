//! Servers of buckets for the tests: versitygw, which Go builds, and Azurite, which npm has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use polarway_cloud::{Programs, Servers};

use crate::folders::{cache_folder, made_once, workspace_root};
use crate::program::output_of;
use crate::versitygw;

const AZURITE_FOLDER: &str = "azurite-3.37.0";

/// Starts the servers, with their files in `folder`. Their programs are fetched into the cache if they are not there.
///
/// # Errors
/// Go or npm is missing, or a server does not start.
pub(super) fn start(folder: &Path) -> Result<Servers> {
    let cache = cache_folder()?;
    let s3 = versitygw::provide(&cache)?;
    let azure = azurite(&cache).context("Azurite, for which Node.js, npm and a network are needed")?;
    Servers::start(&Programs { s3, azure }, folder)
}

fn azurite(cache: &Path) -> Result<PathBuf> {
    let folder = made_once(cache, Path::new(AZURITE_FOLDER), |folder| {
        eprintln!("test: installing Azurite");
        for file in ["package.json", "package-lock.json"] {
            fs::copy(workspace_root().join("xtask/azurite").join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        output_of(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
            .map(drop)
    })?;
    Ok(folder.join("node_modules/azurite/dist/src/blob/main.js"))
}
