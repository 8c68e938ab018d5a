//! The server as a process: settings, log, signals.

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use tokio::runtime::Runtime;

use crate::failure::chain;
use crate::server::{Server, StartError};
use crate::settings::{self, Settings, Sources, TOKEN_VARIABLE};
use crate::{Secret, ServerConfig, logging};

/// The command line of a server, with this name.
pub fn command(name: &'static str) -> Command {
    Command::new(name)
        .about("Serve named, versioned tables and SQL over them")
        .args(settings::arguments())
        .after_help(settings::after_help())
}

/// Runs a server with these arguments until SIGTERM or SIGINT. A second signal ends it at once.
pub fn run(matches: &ArgMatches) -> ExitCode {
    let settings = match Settings::read(&Sources::from_matches(matches)) {
        Ok(settings) => settings,
        Err(error) => return failed(&error),
    };
    logging::start(settings.log_filter.as_deref(), settings.config.log_format);
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let served = runtime.block_on(serve(&settings));
    // Cancelled work may still run on a blocking thread. Do not wait for it.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {}", chain(error));
    ExitCode::FAILURE
}

async fn serve(settings: &Settings) -> Result<(), StartError> {
    let signals = Signals::listen()?;
    let server = Server::start(settings.config.clone()).await?;
    warn(settings, &settings.config);
    server.run(signals.first()).await?;
    tracing::info!("ended");
    Ok(())
}

fn warn(settings: &Settings, config: &ServerConfig) {
    if !config.bind.ip().is_loopback() && !config.auth.needs_token() {
        tracing::warn!(
            "{} is open to the network, and without a token: whoever reaches it can read and write all tables",
            config.bind
        );
    }
    if settings.config.auth.token.as_ref().is_some_and(Secret::is_short) {
        tracing::warn!(
            "{TOKEN_VARIABLE} is short enough to be guessed: `openssl rand -base64 32` makes a token that is not"
        );
    }
    for (variable, nearest) in &settings.unread_variables {
        match nearest {
            Some(nearest) => tracing::warn!("{variable} is set and nobody reads it: did you mean {nearest}?"),
            None => tracing::warn!("{variable} is set and nobody reads it"),
        }
    }
}

/// The signals that end a server.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> Result<Self, StartError> {
        use tokio::signal::unix::{SignalKind, signal};

        let failed = StartError::Signals;
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    /// Waits for the first signal. After that, the next one ends the process.
    #[cfg(unix)]
    async fn first(mut self) {
        self.any().await;
        tokio::spawn(async move {
            self.any().await;
            tracing::warn!("ended at once, at the second signal");
            std::process::exit(130);
        });
    }

    #[cfg(unix)]
    async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn listen() -> Result<Self, StartError> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn first(self) {
        let _ = tokio::signal::ctrl_c().await;
    }
}
