//! `cargo xtask quickstart`: Polarway at work on real tables, one command after the clone.

use anyhow::Result;

use crate::folders::{ScratchFolder, workspace_root};
use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "quickstart",
    summary: "store, load and query real tables, and see what it prints",
    usage: "
Usage: cargo xtask quickstart

Builds examples/quickstart.rs in release mode and runs it over the flights of New York City in 2013, in a folder that is
removed at the end.
",
    run,
};

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let libduckdb = libduckdb::ensure()?;
    let example = ["--release", "--package", "polarway-core", "--example", "quickstart"];

    eprintln!("quickstart: building it in release mode (the first time takes minutes)");
    cargo::run(libduckdb.cargo("build").args(example))?;

    let tables = workspace_root().join("examples").join("data").join("nycflights13");
    // Beside the build and not in /tmp, which often is memory: what is stored here shall meet a disk.
    let data = ScratchFolder::create_in(&cargo::target_folder()?, "quickstart")?;
    eprintln!("quickstart: running it over {} with its data in {}", tables.display(), data.path().display());
    cargo::run(libduckdb.cargo("run").arg("--quiet").args(example).arg("--").arg(&tables).arg(data.path()))
}
