//! The reasons for failures, with the rule that says whether a call is made again.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::HEADER;

/// The module of reasons, made of the list that clients of all languages share.
///
/// # Errors
/// When the list can't be read.
pub(super) fn reasons(list: &Path) -> Result<String> {
    let reading = || format!("reading {}", list.display());
    let list: Value = serde_json::from_slice(&fs::read(list).with_context(reading)?).with_context(reading)?;
    let mut text = format!(
        "{HEADER}\"\"\"Every reason for a failure: its gRPC code, and whether the same call may succeed when made again.\"\"\"\n\n\
         from typing import Final, NamedTuple\n\n\n\
         class Rule(NamedTuple):\n    \"\"\"What belongs to a reason.\"\"\"\n\n    code: int\n    retry: bool\n    # Whether the server is only busy: nothing broke.\n    busy: bool\n\n\n\
         REASONS: Final[dict[str, Rule]] = {{\n"
    );
    for entry in list.as_array().context("the list of reasons is no list")? {
        let reason = entry["reason"].as_str().context("an entry has no reason")?;
        let code = entry["code"].as_u64().with_context(|| format!("{reason} has no code"))?;
        let retry = entry["retry"].as_bool().with_context(|| format!("{reason} has no rule"))?;
        let busy = entry["busy"]
            .as_bool()
            .with_context(|| format!("{reason} does not say whether it is of a busy server"))?;
        let [retry, busy] = [retry, busy].map(|rule| if rule { "True" } else { "False" });
        writeln!(text, "    \"{reason}\": Rule({code}, retry={retry}, busy={busy}),")?;
    }
    Ok(text + "}\n")
}
