//! What is written down about a fleet that runs, for the commands that come after.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use polarway_fleet::{Fleet, FleetConfig};
use serde_json::{Value, json};

fn file(folder: &Path) -> PathBuf {
    folder.join("fleet.json")
}

/// Writes down what it takes to find the fleet again. The numbers of its processes are in their folders.
pub(super) fn write(folder: &Path, fleet: &Fleet) -> Result<()> {
    let config = fleet.config();
    let workers: Vec<String> =
        (0..fleet.worker_count()).map(|index| fleet.worker_address(index).to_string()).collect();
    let peers: Vec<String> = config.peers.iter().map(SocketAddr::to_string).collect();
    let state = json!({
        "server": config.server.to_string_lossy(),
        "deploy": config.deploy.to_string_lossy(),
        "server_arguments": config.server_arguments,
        "workers": workers,
        "peers": peers,
        "balancer": fleet.url().trim_start_matches("http://"),
    });
    let path = file(folder);
    fs::write(&path, format!("{state:#}\n")).with_context(|| format!("writing {}", path.display()))
}

/// The fleet that was written down last; none where none was.
pub(super) fn read(folder: &Path) -> Result<Option<Fleet>> {
    let path = file(folder);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("reading {}", path.display()))?,
    };
    let fleet = parse(&text, folder).with_context(|| format!("reading {}", path.display()))?;
    Ok(Some(fleet))
}

fn parse(text: &str, folder: &Path) -> Result<Fleet> {
    let state: Value = serde_json::from_str(text)?;
    let of = |key: &str| state[key].as_str().with_context(|| format!("{key} is missing"));
    let list = |key: &str| {
        let values = state[key].as_array().with_context(|| format!("{key} is missing"))?;
        values.iter().map(|value| value.as_str().context("it is no text")).collect::<Result<Vec<_>>>()
    };
    let addresses = |key: &str| {
        let addresses = list(key)?.into_iter().map(|address| Ok(address.parse()?));
        addresses.collect::<Result<Vec<SocketAddr>>>()
    };
    let workers = addresses("workers")?;
    let mut config = FleetConfig::new(of("server")?, folder, of("deploy")?);
    config.workers = workers.len();
    config.peers = addresses("peers")?;
    config.server_arguments = list("server_arguments")?.into_iter().map(str::to_owned).collect();
    Fleet::left(config, &workers, Some(of("balancer")?.parse()?))
}

/// There is none any more.
pub(super) fn forget(folder: &Path) -> Result<()> {
    let path = file(folder);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
}
