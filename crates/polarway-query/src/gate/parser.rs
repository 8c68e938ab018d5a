//! From a text to the tree of its single statement.

use serde_json::Value;

use super::position::with_position;
use super::{Dialect, explain, instead, refusal};
use crate::duckdb_json::{json_depth, read_json};
use crate::error::Error;
use crate::plan::Explained;

/// How deep the tree may be. Parsing, checking and planning all recurse, on stacks of 16 MiB.
/// Deeper texts also take DuckDB long to plan, and planning can't be interrupted.
const DEEPEST_TREE: usize = 1_000;

/// The tree of the one statement in `text`, and what the EXPLAIN before it asks for.
pub(super) fn parse(dialect: &dyn Dialect, text: &str) -> Result<(Value, Option<Explained>), Error> {
    if text.contains('\0') {
        return Err(Error::Syntax("the query holds a NUL character".to_owned()));
    }
    let unknown = |start| refusal(text, explain::USAGE, start);
    let Some(explain) = explain::explain(text).map_err(unknown)? else {
        return Ok((parse_select(dialect, text)?, None));
    };
    // Spaces in its place keep all positions the same.
    let (front, select) = text.split_at(explain.end);
    let select = format!("{}{select}", " ".repeat(front.len()));
    Ok((parse_select(dialect, &select)?, Some(explain.explained)))
}

fn parse_select(dialect: &dyn Dialect, text: &str) -> Result<Value, Error> {
    let json = dialect.tree(text)?;
    if json_depth(&json) > DEEPEST_TREE {
        return Err(Error::TooLarge("the query nests too deep; split it".to_owned()));
    }
    // A literal like 1e400 is written as Infinity.
    let mut tree = read_json(&json, |_| "null".to_owned())
        .map_err(|error| Error::Internal(format!("DuckDB's tree is not JSON: {error}")))?;
    if tree["error"] == true {
        return Err(parse_error(&tree, text));
    }
    match tree["statements"].as_array_mut().map(Vec::as_mut_slice) {
        Some([statement]) => Ok(statement.take()),
        Some([]) => Err(Error::Syntax("the text holds no statement".to_owned())),
        _ => Err(Error::NotAllowed("one statement at a time: the text holds several".to_owned())),
    }
}

fn parse_error(tree: &Value, text: &str) -> Error {
    let message = tree["error_message"].as_str().unwrap_or("the text can't be parsed");
    if message.starts_with("Only SELECT statements") {
        let pivot =
            || text.to_lowercase().contains("pivot").then_some("a PIVOT lists its values: ON column IN (…)");
        let hint = instead::of(text).or_else(pivot).map(|hint| format!("; {hint}")).unwrap_or_default();
        return Error::NotAllowed(format!(
            "only SELECT can be run, and EXPLAIN, DESCRIBE, SUMMARIZE and SHOW TABLES{hint}"
        ));
    }
    let position = tree["position"].as_str().and_then(|position| position.parse().ok());
    match is_too_deep(message) {
        true => Error::TooLarge("the query nests too deep; split it".to_owned()),
        false => Error::Syntax(with_position(message, text, position)),
    }
}

/// Whether DuckDB gives up because a text nests too deep.
pub(crate) fn is_too_deep(message: &str) -> bool {
    message.starts_with("Max expression depth") || message.starts_with("memory exhausted at")
}
