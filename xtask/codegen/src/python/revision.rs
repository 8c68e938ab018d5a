//! The revision of the protocol.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::HEADER;

/// How the line begins that defines the revision for Rust.
const DEFINITION: &str = "pub const PROTOCOL_REVISION: u32 = ";

/// The module of the revision, which the crate's root defines.
///
/// # Errors
/// When the root can't be read or has no such definition.
pub(super) fn revision(crate_root: &Path) -> Result<String> {
    let name = crate_root.display();
    let text = fs::read_to_string(crate_root).with_context(|| format!("reading {name}"))?;
    let definition = text.lines().find_map(|line| line.strip_prefix(DEFINITION)?.strip_suffix(';'));
    let revision: u32 = definition
        .with_context(|| format!("{name} has no line that begins with {DEFINITION:?}"))?
        .parse()
        .with_context(|| format!("the revision in {name} is no number"))?;
    Ok(format!(
        "{HEADER}\"\"\"The revision of the protocol that this was generated from.\"\"\"\n\n\
         from typing import Final\n\nPROTOCOL_REVISION: Final = {revision}\n"
    ))
}
