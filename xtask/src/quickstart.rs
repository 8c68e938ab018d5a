//! `cargo xtask quickstart`: Polarway at work on real tables, one command after the clone.

use std::env::consts::EXE_SUFFIX;

use anyhow::Result;

use crate::folders::{ScratchFolder, workspace_root};
use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "quickstart",
    summary: "store, load and query real tables, and see what it prints",
    usage: "
Usage: cargo xtask quickstart

Builds the command and examples/quickstart.rs in release mode. That starts a server on a free port, and through the command
and the client stores, loads and queries the flights of New York City in 2013, in a folder that is removed at the end.
",
    run,
};

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    if let Some(argument) = arguments.next()? {
        return Err(argument.unexpected().into());
    }
    let libduckdb = libduckdb::ensure()?;
    eprintln!("quickstart: building it in release mode (the first time takes minutes)");
    let example = ["--release", "--package", "polarway-cli", "--example", "quickstart"];
    cargo::run(libduckdb.cargo("build").args(example).args(["--bin", "polarway"]))?;

    let tables = workspace_root().join("examples").join("data").join("nycflights13");
    let target = cargo::target_folder()?;
    let program = target.join("release").join(format!("polarway{EXE_SUFFIX}"));
    // Beside the build and not in /tmp, which often is memory: what is stored here is to be on a disk.
    let data = ScratchFolder::create_in(&target, "quickstart")?;
    eprintln!("quickstart: running it over {} with its data in {}", tables.display(), data.path().display());
    let mut quickstart = libduckdb.cargo("run");
    quickstart.arg("--quiet").args(example).arg("--").arg(&program).arg(&tables).arg(data.path());
    cargo::run(&mut quickstart)
}
