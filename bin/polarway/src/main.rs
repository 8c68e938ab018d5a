//! The command `polarway`: the server, and a client for the terminal.

mod arguments;
mod color;
mod commands;
mod connection;
mod exact;
mod failure;
mod format;
mod input;
mod output;
mod parameters;
mod progress;
mod selection;
mod shell;
mod time;

use std::process::ExitCode;

use clap::FromArgMatches as _;

fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    match matches.subcommand() {
        Some(("server", server)) => return polarway_server::run(server),
        Some(("config", config)) => return commands::config::run(config),
        _ => {}
    }
    match arguments::ClientCommand::from_arg_matches(&matches) {
        Ok(command) => commands::run(command),
        Err(error) => error.exit(),
    }
}
