//! `cargo xtask`: the one door to build, test, lint and measure Polarway.
//!
//! It owns how the project is worked on: which commands run, in which order, with which libduckdb. It knows nothing of what
//! the crates do and depends on none of them but `polarway-fleet` and `polarway-cloud`, which are as small, so that it compiles in
//! seconds. One file per subcommand; a new one is a module with a [`Subcommand`] constant, and a line in [`SUBCOMMANDS`].

mod bench;
mod build;
mod cargo;
mod codegen;
mod corpus;
mod fleet;
mod folders;
mod fuzz;
mod go_client;
mod graph;
mod libduckdb;
mod lint;
mod peers;
mod program;
mod python;
mod python_client;
mod quickstart;
mod run;
mod sbom;
mod test;
mod tpc;
mod typescript_client;
mod versitygw;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Result, bail};

/// One thing that `cargo xtask` can do.
struct Subcommand {
    name: &'static str,
    summary: &'static str,
    /// Usage and options, shown under the summary by `--help`.
    usage: &'static str,
    run: fn(lexopt::Parser) -> Result<()>,
}

const SUBCOMMANDS: [&Subcommand; 10] = [
    &quickstart::SUBCOMMAND,
    &run::SUBCOMMAND,
    &build::SUBCOMMAND,
    &fleet::SUBCOMMAND,
    &test::SUBCOMMAND,
    &lint::SUBCOMMAND,
    &codegen::SUBCOMMAND,
    &bench::SUBCOMMAND,
    &sbom::SUBCOMMAND,
    &libduckdb::SUBCOMMAND,
];

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1).collect();
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(mut arguments: Vec<OsString>) -> Result<()> {
    if arguments.is_empty() || is_help(&arguments[0]) {
        print_overview();
        return Ok(());
    }
    let name = arguments.remove(0);
    let Some(subcommand) = SUBCOMMANDS.into_iter().find(|subcommand| name == subcommand.name) else {
        print_overview();
        bail!("there is no subcommand {}", name.display());
    };
    // What follows `--` belongs to a program further down, its `--help` too.
    if arguments.iter().take_while(|argument| *argument != "--").any(is_help) {
        println!("{}\n\n{}", subcommand.summary, subcommand.usage.trim());
        return Ok(());
    }
    (subcommand.run)(lexopt::Parser::from_args(arguments))
}

fn is_help(argument: &OsString) -> bool {
    argument == "-h" || argument == "--help"
}

fn print_overview() {
    println!("Usage: cargo xtask <subcommand> [options]\n");
    for subcommand in SUBCOMMANDS {
        println!("  {:12} {}", subcommand.name, subcommand.summary);
    }
    println!("\n`cargo xtask <subcommand> --help` tells more about one of them.");
}
