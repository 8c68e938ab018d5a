//! `cargo xtask build`: the programs, to run from anywhere.

use std::env::consts::EXE_SUFFIX;
use std::fs;

use anyhow::{Context as _, Result};

use crate::folders::workspace_root;
use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "build",
    summary: "put the programs in release mode into dist/, to run from anywhere",
    usage: "
Usage: cargo xtask build

Builds `polarway` and `polarway-server` in release mode and copies them into dist/, with DuckDB's library beside them: the
folder can be moved, and copied to another machine of the same kind.
",
    run,
};

const PROGRAMS: [&str; 2] = ["polarway", "polarway-server"];

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let libduckdb = libduckdb::ensure()?;
    eprintln!("build: building in release mode (the first time takes minutes)");
    let packages = ["--release", "--package", "polarway-cli", "--package", "polarway-server-bin", "--bins"];
    cargo::run(libduckdb.cargo("build").args(packages))?;

    let dist = workspace_root().join("dist");
    fs::create_dir_all(&dist).with_context(|| format!("making {}", dist.display()))?;
    let release = cargo::target_folder()?.join("release");
    let programs = PROGRAMS.map(|name| release.join(format!("{name}{EXE_SUFFIX}")));
    for file in programs.into_iter().chain(libduckdb.file()) {
        let name = file.file_name().context("a program without a name")?;
        let (staged, place) = (dist.join(".staged"), dist.join(name));
        // Renamed into place: a program that is running can't be written over.
        fs::copy(&file, &staged).with_context(|| format!("copying {}", file.display()))?;
        fs::rename(&staged, &place).with_context(|| format!("writing {}", place.display()))?;
        eprintln!("build: {}", place.display());
    }
    Ok(())
}
