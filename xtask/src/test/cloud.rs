//! Servers of buckets for the tests: versitygw, which Go builds, and Azurite, which npm has.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use polarway_cloud::{Programs, Servers};

use crate::folders::{cache_folder, made_once, workspace_root};

const VERSITYGW: &str = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const VERSITYGW_FOLDER: &str = "versitygw-1.8.0";

const AZURITE_FOLDER: &str = "azurite-3.37.0";

/// Starts the servers, with their files in `folder`. Their programs are fetched into the cache if they are not there.
///
/// # Errors
/// Go or npm is missing, or a server does not start.
pub(super) fn start(folder: &Path) -> Result<Servers> {
    let cache = cache_folder()?;
    let s3 = versitygw(&cache).context("versitygw, for which Go and a network are needed")?;
    let azure = azurite(&cache).context("Azurite, for which Node.js, npm and a network are needed")?;
    Servers::start(&Programs { s3, azure }, folder)
}

fn versitygw(cache: &Path) -> Result<PathBuf> {
    let folder = made_once(cache, Path::new(VERSITYGW_FOLDER), |folder| {
        eprintln!("test: building {VERSITYGW}");
        // Its compiler takes gigabytes with more tasks at a time.
        let mut go = Command::new("go");
        run(go.args(["install", "-p", "1", VERSITYGW]).env("GOBIN", folder))
    })?;
    Ok(folder.join("versitygw"))
}

fn azurite(cache: &Path) -> Result<PathBuf> {
    let folder = made_once(cache, Path::new(AZURITE_FOLDER), |folder| {
        eprintln!("test: installing Azurite");
        for file in ["package.json", "package-lock.json"] {
            fs::copy(workspace_root().join("xtask/azurite").join(file), folder.join(file))?;
        }
        let mut npm = Command::new("npm");
        run(npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
    })?;
    Ok(folder.join("node_modules/azurite/dist/src/blob/main.js"))
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{program} can't be run"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{program} failed: {}", said.trim().lines().last().unwrap_or_default());
    }
    Ok(())
}
