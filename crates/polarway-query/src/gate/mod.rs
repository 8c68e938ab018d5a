//! The gate: no text reaches DuckDB's planner that was not parsed, checked and resolved by name.
//!
//! DuckDB parses the text into a tree; the tree is checked and then forgotten. It is never turned back into
//! text, because that changes what literals and column names mean: the author's own text runs. Only a table
//! reference that a view's name can't stand for (a version, a file path) is cut out of the text and replaced.

mod amplifiers;
mod constants;
mod functions;
mod splice;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::catalog::{At, FileOptions, Reference};
use crate::diagnose::{Hidden, Origin, diagnose, is_too_deep, with_position};
use crate::error::Error;
use crate::native::{Connection, Database, Prepared};
use crate::recent::Recent;
use splice::Cut;
use tree::{Refusal, Source, TableUse};

/// How deep the tree may be. Parsing, checking and planning all recurse, on stacks of 16 MiB.
/// What nests deeper also takes DuckDB long to plan, and planning can't be interrupted.
const DEEPEST_TREE: usize = 1_000;

/// A text that may run once its references are views.
#[derive(Debug)]
pub(crate) struct Checked {
    /// What to run: the author's text, with views in the place of what no view's name can stand for.
    pub(crate) text: String,
    /// Whether `text` is what the author wrote.
    pub(crate) is_own_text: bool,
    /// What the text reads, each once.
    pub(crate) references: Vec<Reference>,
    /// The view that `text` reads for each reference.
    pub(crate) views: Vec<String>,
}

/// Parses and checks texts, remembering those that passed.
#[derive(Debug)]
pub(crate) struct Gate {
    database: Arc<Database>,
    idle_parsers: Mutex<Vec<Parser>>,
    passed: Mutex<Recent<Arc<Checked>>>,
    text_bytes: usize,
}

/// A connection that runs two fixed statements and never a user's.
#[derive(Debug)]
struct Parser {
    serialize: Prepared,
    timestamp: Prepared,
}

impl Gate {
    pub(crate) fn new(database: Arc<Database>, text_bytes: usize, cached_texts: usize) -> Self {
        Self {
            database,
            idle_parsers: Mutex::new(Vec::new()),
            passed: Mutex::new(Recent::new(cached_texts)),
            text_bytes,
        }
    }

    /// Checks a text. It recurses as deep as the text nests: call it on a large stack.
    pub(crate) fn check(&self, text: &str) -> Result<Arc<Checked>, Error> {
        if text.len() > self.text_bytes {
            let message =
                format!("the query has {} bytes, at most {} are allowed", text.len(), self.text_bytes);
            return Err(Error::TooLarge(message));
        }
        if let Some(checked) = self.passed.lock().get(text) {
            return Ok(checked);
        }
        let parser = self.idle_parsers.lock().pop();
        let parser = match parser {
            Some(parser) => parser,
            None => Parser::open(&self.database)?,
        };
        let checked = self.check_new(&parser, text);
        self.idle_parsers.lock().push(parser);
        let checked = Arc::new(checked?);
        self.passed.lock().insert(text.to_owned(), Arc::clone(&checked));
        Ok(checked)
    }

    fn check_new(&self, parser: &Parser, text: &str) -> Result<Checked, Error> {
        let refused = |refusal: Refusal| {
            let message = with_position(&refusal.message, text, refusal.position);
            if refusal.is_too_large { Error::TooLarge(message) } else { Error::NotAllowed(message) }
        };
        let statement = parser.parse(text)?;
        let tables = tree::check(&statement).map_err(refused)?;
        let mut plan = Plan::default();
        for table in &tables {
            let reference = reference(parser, text, table)?;
            plan.add(text, table, reference).map_err(refused)?;
        }
        if plan.cuts.is_empty() {
            let Plan { references, views, .. } = plan;
            return Ok(Checked { text: text.to_owned(), is_own_text: true, references, views });
        }
        let Plan { references, views, cuts, .. } = plan;
        let spliced = splice::apply(text, cuts).ok_or_else(unreadable)?;
        // What runs is a text that was itself parsed and checked, and that reads the views and nothing else.
        let statement = parser.parse(&spliced).map_err(|_| unreadable())?;
        let reads_views_only = tree::check(&statement).is_ok_and(|tables| {
            tables.iter().all(|table| {
                table.node["at_clause"].is_null()
                    && matches!(&table.source, Source::Dataset(name) if views.contains(name))
            })
        });
        if !reads_views_only {
            return Err(unreadable());
        }
        Ok(Checked { text: spliced, is_own_text: false, references, views })
    }
}

impl Parser {
    fn open(database: &Arc<Database>) -> Result<Self, Error> {
        let fail = |error| diagnose(&error, Origin::OtherText, &Hidden::default());
        let connection = Connection::open(database).map_err(fail)?;
        Ok(Self {
            serialize: connection
                .prepare("SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS VARCHAR)")
                .map_err(fail)?,
            timestamp: connection
                .prepare(
                    "SELECT CASE WHEN isfinite(t) THEN CAST(epoch_us(t) AS VARCHAR) END \
                     FROM (SELECT CAST(? AS TIMESTAMP WITH TIME ZONE) AS t)",
                )
                .map_err(fail)?,
        })
    }

    /// The tree of the one statement in `text`.
    fn parse(&self, text: &str) -> Result<Value, Error> {
        if text.contains('\0') {
            return Err(Error::Syntax("the query holds a NUL character".to_owned()));
        }
        let json = self
            .serialize
            .text(&[text])
            .map_err(|error| diagnose(&error, Origin::OtherText, &Hidden::default()))?
            .ok_or_else(|| Error::Internal("DuckDB gave no tree".to_owned()))?;
        if depth(&json) > DEEPEST_TREE {
            return Err(Error::TooLarge("the query nests too deep; split it".to_owned()));
        }
        let mut tree = from_json(&json)?;
        if tree["error"] == true {
            return Err(parse_error(&tree, text));
        }
        match tree["statements"].as_array_mut().map(Vec::as_mut_slice) {
            Some([statement]) => Ok(statement.take()),
            Some([]) => Err(Error::Syntax("the text holds no statement".to_owned())),
            _ => Err(Error::NotAllowed("one statement at a time: the text holds several".to_owned())),
        }
    }
}

/// What a text reads, as it is collected.
#[derive(Default)]
struct Plan {
    references: Vec<Reference>,
    views: Vec<String>,
    cuts: Vec<Cut>,
    /// Views by name in lower case, as DuckDB compares them.
    by_name: HashMap<String, usize>,
}

impl Plan {
    fn add(&mut self, text: &str, table: &TableUse<'_>, reference: Reference) -> Result<(), Refusal> {
        let plain_name = match &reference {
            Reference::Dataset { name, at: At::Newest } => Some(name.clone()),
            _ => None,
        };
        let known = self.references.iter().position(|known| *known == reference);
        let index = known.unwrap_or(self.references.len());
        let view = match (known, plain_name) {
            (Some(index), _) => self.views[index].clone(),
            (None, Some(name)) if !self.by_name.contains_key(&name.to_lowercase()) => name,
            // No dataset can have this name, so none is hidden by it.
            (None, _) => format!("polarway:{index}"),
        };
        if known.is_none() {
            self.references.push(reference);
            self.views.push(view.clone());
            self.by_name.insert(view.to_lowercase(), index);
        }
        let is_written_so = table.node["at_clause"].is_null()
            && matches!(&table.source, Source::Dataset(name) if *name == view);
        if is_written_so {
            return Ok(());
        }
        let cuts = match &table.source {
            Source::Call { .. } => {
                splice::call_cut(text, table.start, table.node, &view).map(|cut| vec![cut])
            }
            source => {
                splice::table_cuts(text, table.start, table.node, &view, matches!(source, Source::Path(_)))
            }
        };
        self.cuts.extend(cuts.ok_or_else(|| Refusal {
            message: "this table reference is written in a way that is not understood here; write paths in single \
                      quotes and use plain spaces"
                .to_owned(),
            position: Some(table.start),
            is_too_large: false,
        })?);
        Ok(())
    }
}

fn reference(parser: &Parser, text: &str, table: &TableUse<'_>) -> Result<Reference, Error> {
    Ok(match &table.source {
        Source::Dataset(name) => Reference::Dataset {
            name: name.clone(),
            at: at(parser, text, &table.node["at_clause"], table.start)?,
        },
        Source::Path(pattern) => {
            if !table.node["at_clause"].is_null() {
                return Err(refusal(text, "a file has no versions: AT (…) is for datasets", table.start));
            }
            Reference::Files { patterns: vec![pattern.clone()], options: FileOptions::default() }
        }
        Source::Call { patterns, options } => {
            Reference::Files { patterns: patterns.clone(), options: *options }
        }
    })
}

fn at(parser: &Parser, text: &str, clause: &Value, start: usize) -> Result<At, Error> {
    if clause.is_null() {
        return Ok(At::Newest);
    }
    let expression = &clause["expr"];
    match clause["unit"].as_str().unwrap_or_default().to_uppercase().as_str() {
        "VERSION" => constants::whole_number(expression)
            .map(At::Version)
            .ok_or_else(|| refusal(text, "AT (VERSION => …) takes a version's number, say 3", start)),
        "TIMESTAMP" => {
            let literal = match constants::class(expression) {
                "CAST" => constants::text(&expression["child"]),
                _ => constants::text(expression),
            };
            let usage = "AT (TIMESTAMP => …) takes a time in quotes, say '2026-01-31 12:00:00'; without a zone it is UTC";
            let literal = literal.ok_or_else(|| refusal(text, usage, start))?;
            let micros = parser.timestamp.text(&[literal]).ok().flatten();
            let micros = micros.and_then(|micros| micros.parse().ok());
            micros.map(At::Timestamp).ok_or_else(|| refusal(text, usage, start))
        }
        _ => Err(refusal(text, "AT takes VERSION or TIMESTAMP", start)),
    }
}

fn refusal(text: &str, message: &str, position: usize) -> Error {
    Error::NotAllowed(with_position(message, text, Some(position)))
}

fn unreadable() -> Error {
    Error::NotAllowed(
        "the versions or file paths in this query are written in a way that is not understood here; write paths in \
         single quotes and use plain spaces"
            .to_owned(),
    )
}

fn parse_error(tree: &Value, text: &str) -> Error {
    let message = tree["error_message"].as_str().unwrap_or("the text can't be parsed");
    if message.starts_with("Only SELECT statements") {
        let hint = match text.to_lowercase().contains("pivot") {
            true => "; a PIVOT lists its values: ON column IN (…)",
            false => "",
        };
        return Error::NotAllowed(format!("only SELECT statements can be run{hint}"));
    }
    let position = tree["position"].as_str().and_then(|position| position.parse().ok());
    match is_too_deep(message) {
        true => Error::TooLarge("the query nests too deep; split it".to_owned()),
        false => Error::Syntax(with_position(message, text, position)),
    }
}

/// How deep arrays and objects nest, without recursion.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Parses DuckDB's JSON, whose depth is known to be bounded.
fn from_json(json: &str) -> Result<Value, Error> {
    let parse = |json: &str| {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        deserializer.disable_recursion_limit();
        deserializer.into_iter::<Value>().next().unwrap_or(Ok(Value::Null))
    };
    // A literal like 1e400 is written as Infinity, which JSON does not have.
    parse(json)
        .or_else(|_| parse(&without_infinities(json)))
        .map_err(|error| Error::Internal(format!("DuckDB's tree is not JSON: {error}")))
}

fn without_infinities(json: &str) -> String {
    let mut cleaned = String::with_capacity(json.len());
    let (mut in_text, mut escaped) = (false, false);
    let mut rest = json;
    while let Some(character) = rest.chars().next() {
        if !in_text {
            let special = ["-Infinity", "Infinity", "NaN"].into_iter().find(|word| rest.starts_with(word));
            if let Some(word) = special {
                cleaned.push_str("null");
                rest = &rest[word.len()..];
                continue;
            }
        }
        match (in_text, character) {
            (true, _) if escaped => escaped = false,
            (true, '\\') => escaped = true,
            (_, '"') => in_text = !in_text,
            _ => {}
        }
        cleaned.push(character);
        rest = &rest[character.len_utf8()..];
    }
    cleaned
}
