//! The command `polarway-server`: the server alone, with the flags of `polarway server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    polarway_server::run(
        &polarway_server::command("polarway-server").version(env!("CARGO_PKG_VERSION")).get_matches(),
    )
}
