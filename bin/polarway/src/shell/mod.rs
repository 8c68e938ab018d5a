//! `polarway sql`: an interactive shell for SQL, and scripts of several statements.
//!
//! [`polarway_sql`] splits a text into tokens, and everything that needs SQL's structure uses it: [`statement`] finds where
//! statements end, [`highlight`] colours them, [`complete`] completes them. [`session`] runs one input at a time, typed
//! ([`interactive`]) or read from a pipe ([`piped`]).

mod complete;
mod dot;
mod editor;
mod highlight;
mod history;
mod interactive;
mod names;
mod piped;
mod prompt;
mod quiet;
mod script;
mod session;
mod statement;
mod words;

use std::io::{self, IsTerminal as _};

use crate::arguments::Sql;
use crate::failure::Result;
use session::Session;

/// Runs the shell, or a script from a pipe.
pub(crate) async fn sql(sql: Sql) -> Result<()> {
    let client = sql.connection.connect().await?;
    // The editor draws on standard error, and uses standard output to ask the terminal for the cursor position.
    let is_interactive =
        io::stdin().is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal();
    let session = Session::new(client.clone(), sql.format, is_interactive);
    if is_interactive {
        interactive::run(client, session, &sql.connection.url.join(", ")).await
    } else {
        piped::run(session).await
    }
}
