//! `polarway config`: the settings of the server.

use std::process::ExitCode;

use clap::ArgMatches;
use polarway_server::settings::{Settings, Sources};

use crate::failure::Failure;

/// Prints the settings of a server with these arguments.
pub(crate) fn run(config: &ArgMatches) -> ExitCode {
    let Some(("show", show)) = config.subcommand() else { return ExitCode::FAILURE };
    match Settings::read(&Sources::from_matches(show)) {
        Ok(settings) => {
            print!("{settings}");
            ExitCode::SUCCESS
        }
        Err(error) => Failure::from(error).report(),
    }
}
