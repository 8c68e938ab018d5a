//! The Go client: gofmt has nothing to change, and vet and staticcheck find nothing.

use anyhow::Result;

use super::{Verdict, from_output};
use crate::go_client::{Go, folder};

pub(super) fn check() -> Result<Verdict> {
    let go = match Go::find() {
        Ok(go) => go,
        // A machine without Go lints everything else.
        Err(error) => {
            let warnings = vec![format!("clients/go was not checked: {error:#}")];
            return Ok(Verdict { passed: true, findings: String::new(), warnings });
        }
    };
    let unformatted = from_output(go.gofmt().arg("-l").arg(folder()))?;
    if !unformatted.passed || !unformatted.findings.is_empty() {
        let findings = format!("gofmt would change\n{}", unformatted.findings);
        return Ok(Verdict { passed: false, findings, warnings: Vec::new() });
    }
    let vet = from_output(&mut go.command(["vet", "./..."]))?;
    if !vet.passed {
        return Ok(vet);
    }
    from_output(&mut go.staticcheck())
}
