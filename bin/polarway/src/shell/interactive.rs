//! The shell on a terminal: a prompt, and one input after the other until the user leaves.

use std::sync::Arc;

use polarway::{DistributedClient, ServerInfo};
use reedline::Signal;

use super::dot;
use super::editor::editor;
use super::names::Names;
use super::prompt::ShellPrompt;
use super::quiet::Quiet;
use super::session::{Next, Session};
use super::statement::split;
use crate::failure::Result;

/// Prints a greeting, and runs what is typed. Errors are printed, and the shell continues.
pub(super) async fn run(client: DistributedClient, session: Session, url: &str) -> Result<()> {
    let ServerInfo { server_version, duckdb_version, .. } = client.server_info().await?;
    eprintln!("Polarway {server_version} at {url}, DuckDB {duckdb_version}");
    eprintln!("Statements end with `;`. Type .help for help, .quit to leave.");
    let names = Arc::new(Names::default());
    tokio::select! {
        never = names.watch(&client) => never,
        done = converse(session, &names) => done,
    }
}

async fn converse(mut session: Session, names: &Arc<Names>) -> Result<()> {
    let mut editor = editor(Arc::clone(names));
    loop {
        // The editor waits for keys on its own thread, so that names can be fetched meanwhile.
        let reading = tokio::task::spawn_blocking(move || {
            let read = editor.read_line(&ShellPrompt);
            // Save now, since the shell may be killed later. If the file can't be written, there is nothing to do.
            let _ = editor.sync_history();
            (editor, read)
        });
        let read;
        (editor, read) = reading.await?;
        match read? {
            Signal::Success(text) => {
                if run_all(&mut session, &text).await == Next::Leave {
                    return Ok(());
                }
                names.refresh();
            }
            Signal::CtrlD => return Ok(()),
            // Ctrl-C has cleared the input.
            _ => {}
        }
    }
}

/// Runs all statements of one input. After an error the next one still runs; cancelling skips the rest.
async fn run_all(session: &mut Session, text: &str) -> Next {
    if let Some(command) = dot::without_dot(text) {
        return told(session.obey(command).await);
    }
    let _quiet = Quiet::start();
    for input in split(text).whole {
        // After the first call, this process handles the signal for good: it never ends the shell.
        let done = tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => None,
            done = session.run(input.text) => Some(done),
        };
        let Some(done) = done else {
            // The output may have ended in the middle of a line.
            eprintln!("\r\x1b[Kcancelled");
            break;
        };
        if told(done) == Next::Leave {
            return Next::Leave;
        }
    }
    Next::GoOn
}

fn told(done: Result<Next>) -> Next {
    done.unwrap_or_else(|failure| {
        failure.tell();
        Next::GoOn
    })
}
