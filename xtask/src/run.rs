//! `cargo xtask run`: a server that runs until it gets a signal.

use std::ffi::OsString;

use anyhow::Result;
use lexopt::Arg::Value;

use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "run",
    summary: "start a server and leave it running, until Ctrl-C",
    usage: "
Usage: cargo xtask run [-- FLAGS OF THE SERVER]

Builds the command in release mode and runs `polarway server --bind 127.0.0.1:50052`, with its data in ./polarway-data. With
flags behind `--` it runs `polarway server` with those instead.
",
    run,
};

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut flags: Vec<OsString> = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            // lexopt swallows the first `--` and gives what follows as values.
            Value(first) => {
                flags.push(first);
                flags.extend(arguments.raw_args()?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let libduckdb = libduckdb::ensure()?;
    let package = ["--release", "--package", "polarway-cli", "--bin", "polarway"];
    eprintln!("run: building it in release mode (the first time takes minutes)");
    cargo::run(libduckdb.cargo("build").args(package))?;
    if flags.is_empty() {
        flags.extend(["--bind".into(), "127.0.0.1:50052".into()]);
        eprintln!("run: in another terminal, with {}:", cargo::target_folder()?.join("release").display());
        for command in [
            "polarway store --each examples/data/nycflights13/*.parquet",
            "polarway ls",
            "polarway query 'SELECT carrier, count(*) FROM flights GROUP BY ALL ORDER BY 2 DESC'",
        ] {
            eprintln!("       {command}");
        }
    }
    cargo::run(libduckdb.cargo("run").arg("--quiet").args(package).args(["--", "server"]).args(flags))
}
