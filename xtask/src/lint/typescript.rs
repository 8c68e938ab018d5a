//! The TypeScript client: biome's rules and form, types that tsc finds right, and generated code that is current.

use anyhow::Result;

use super::{Verdict, from_output};
use crate::typescript_client::TypescriptClient;

pub(super) fn check() -> Result<Verdict> {
    match TypescriptClient::prepare() {
        Ok(client) => from_output(&mut client.script("check")),
        Err(error) => {
            let warnings = vec![format!("clients/typescript was NOT checked: {error:#}")];
            Ok(Verdict { passed: true, findings: String::new(), warnings })
        }
    }
}
