//! The protocol: what is generated from it is current, and buf finds nothing wrong with its definition.

use std::io;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Verdict;
use crate::codegen;
use crate::folders::workspace_root;

pub(super) fn check() -> Result<Verdict> {
    if let Some(findings) = codegen::check()? {
        return Ok(Verdict { passed: false, findings, warnings: Vec::new() });
    }
    buf_lint()
}

fn buf_lint() -> Result<Verdict> {
    let output = match Command::new("buf").args(["lint", "proto"]).current_dir(workspace_root()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let warnings = vec!["buf is not installed: its rules for proto/ were not checked".to_owned()];
            return Ok(Verdict { passed: true, findings: String::new(), warnings });
        }
        output => output.context("starting buf")?,
    };
    let findings = [output.stdout, output.stderr].concat();
    Ok(Verdict {
        passed: output.status.success(),
        findings: String::from_utf8_lossy(&findings).into_owned(),
        warnings: Vec::new(),
    })
}
