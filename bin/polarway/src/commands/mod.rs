//! The commands.

pub(crate) mod config;
mod handles;
pub(crate) mod kept;
mod listing;
pub(crate) mod look;
mod queries;
mod store;
pub(crate) mod token;
mod transfer;
mod workers;

use std::process::ExitCode;

use tokio::runtime::Runtime;

use crate::arguments::{self, ClientCommand};
use crate::failure::{Failure, Result};
use crate::input::silence_fenced_panics;
use crate::shell;

/// Runs a command of the client.
pub(crate) fn run(command: ClientCommand) -> ExitCode {
    silence_fenced_panics();
    let done = match Runtime::new() {
        Ok(runtime) => {
            let done = runtime.block_on(dispatch(command));
            // A task may still read from a pipe that nobody closes: it is not waited for.
            runtime.shutdown_background();
            done
        }
        Err(error) => Err(Failure::from(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(command: ClientCommand) -> Result<()> {
    match command {
        ClientCommand::Store(store) => store::store(store).await,
        ClientCommand::Append(append) => store::append(append).await,
        ClientCommand::Load(load) => transfer::load(load).await,
        ClientCommand::Query(query) => transfer::query(query).await,
        ClientCommand::Sql(sql) => shell::sql(sql).await,
        ClientCommand::Queries(queries) => queries::queries(queries).await,
        ClientCommand::Cancel(cancel) => queries::cancel(cancel).await,
        ClientCommand::Handles(handles) => handles::handles(handles).await,
        ClientCommand::Ls(ls) => look::ls(ls).await,
        ClientCommand::Describe(describe) => look::describe(describe).await,
        ClientCommand::Versions(versions) => look::versions(versions).await,
        ClientCommand::Rm(rm) => store::rm(rm).await,
        ClientCommand::Workers(workers) => workers::workers(workers).await,
        ClientCommand::Stats(stats) => look::stats(stats).await,
        ClientCommand::Health(health) => {
            health.connection.health().await?;
            println!("OK");
            Ok(())
        }
        ClientCommand::Token(new) => token::token(new),
        ClientCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut arguments::command(), "polarway", &mut script);
            Ok(std::io::Write::write_all(&mut std::io::stdout(), &script)?)
        }
    }
}
