//! The gate: DuckDB's planner gets only texts that were parsed, checked and resolved by name.
//!
//! DuckDB parses the text into a tree; the tree is checked and then dropped. It is never converted back to text, because that
//! changes the meaning of literals and column names: the author's own text runs. Only a table reference that a view's name
//! can't replace (a version, a file path) is cut out and replaced.

mod amplifiers;
mod constants;
mod explain;
mod functions;
mod instead;
mod named;
mod parser;
mod perils;
mod position;
mod recent;
mod splice;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use polarway_model::At;
use serde_json::Value;

use crate::analytics::{Analytics, SeenAnalytics};
use crate::catalog::{Catalog, CatalogError, FileOptions};
use crate::error::Error;
use crate::listing::Listing;
use crate::plan::Statement;
pub(crate) use amplifiers::{PAIRING, PAIRS};
pub(crate) use explain::explained_from;
pub(crate) use named::NamedColumns;
pub(crate) use parser::is_too_deep;
use position::with_position;
use recent::Recent;
pub(crate) use splice::with_values;
use splice::{Cut, Form};
use tree::{Refusal, RefusalKind, Source, TableUse};

/// What the gate needs from the DuckDB whose dialect it checks.
pub(crate) trait Dialect {
    /// The syntax tree of a text, as DuckDB's `json_serialize_sql` gives it.
    fn tree(&self, text: &str) -> Result<String, Error>;

    /// The time that a text means, in microseconds since 1970 in UTC; `None` if it is no time.
    fn timestamp(&self, literal: &str) -> Result<Option<i64>, Error>;

    /// The analytics database, if there is one.
    fn analytics(&self) -> Result<Option<Arc<Analytics>>, Error>;
}

/// A table that a text reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    /// The view's name in the text that runs.
    pub(crate) view: String,
    pub(crate) what: What,
}

/// What a view refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Dataset { name: String, at: AtClause },
    Files { patterns: Vec<String>, options: FileOptions },
    Listing(Listing),
}

/// The version that a text requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AtClause {
    Fixed(At),
    /// The version number in this parameter.
    Version(String),
    /// The time in this parameter.
    Timestamp(String),
}

/// Parses and checks texts, and caches those that passed.
#[derive(Debug)]
pub(crate) struct Gate {
    passed: Mutex<Recent<Arc<Statement>>>,
    text_bytes: usize,
}

impl Gate {
    pub(crate) fn new(text_bytes: usize, cached_texts: usize) -> Self {
        Self { passed: Mutex::new(Recent::new(cached_texts)), text_bytes }
    }

    /// Checks a text for an author who may see what the catalog says. Its recursion is as deep as the text nests: call it on a
    /// large stack.
    pub(crate) fn check(
        &self,
        dialect: &dyn Dialect,
        text: &str,
        catalog: &dyn Catalog,
    ) -> Result<Arc<Statement>, Error> {
        if text.len() > self.text_bytes {
            let message =
                format!("the query has {} bytes, at most {} are allowed", text.len(), self.text_bytes);
            return Err(Error::TooLarge(message));
        }
        if let Some(checked) = self.passed.lock().get(text)
            && checked.attached.iter().all(|table| table.is_seen_by(catalog))
        {
            return Ok(checked);
        }
        let analytics = dialect.analytics()?;
        let analytics = analytics.as_ref().map(|analytics| analytics.seen_by(catalog));
        let checked = Arc::new(check_new(dialect, analytics, text)?);
        self.passed.lock().insert(text.to_owned(), Arc::clone(&checked));
        Ok(checked)
    }
}

fn check_new(
    dialect: &dyn Dialect,
    analytics: Option<SeenAnalytics<'_>>,
    text: &str,
) -> Result<Statement, Error> {
    let refused = |refusal: Refusal| {
        let message = with_position(&refusal.message, text, refusal.position);
        match refusal.kind {
            RefusalKind::NotAllowed => Error::NotAllowed(message),
            RefusalKind::TooLarge => Error::TooLarge(message),
            RefusalKind::UnknownTable { name, nearest } => {
                CatalogError::UnknownDataset { name, nearest }.into()
            }
        }
    };
    let (statement, explained) = parser::parse(dialect, text)?;
    let found = tree::check(&statement, analytics).map_err(refused)?;
    let mut collected = Reads::default();
    for table in &found.tables {
        let what = what(dialect, text, table)?;
        collected.add(text, table, what).map_err(refused)?;
    }
    collected.add_shown(text, &found.shown).ok_or_else(unreadable)?;
    let Reads { reads, mut cuts, .. } = collected;
    let attached = found.attached;
    let in_at = reads.iter().filter_map(|read| match &read.what {
        What::Dataset { at: AtClause::Version(name) | AtClause::Timestamp(name), .. } => Some(name.clone()),
        _ => None,
    });
    let parameters: BTreeSet<String> = found.parameters.iter().cloned().chain(in_at).collect();
    let parameters = Vec::from_iter(parameters);
    let same_name = |name: &String| (name.clone(), name.clone());
    let mut bound: BTreeMap<String, String> = found.parameters.iter().map(same_name).collect();
    let is_repeatable = explained.is_none() && (!reads.is_empty() || !found.calls_functions);
    let is_own_text = cuts.is_empty();
    let text = if is_own_text {
        text.to_owned()
    } else {
        let names = splice::naming_cuts(text, &cuts);
        if !names.is_empty() {
            bound = bound.into_keys().map(|name| (format!("{}{name}", splice::POSITION), name)).collect();
        }
        cuts.extend(names);
        let spliced = splice::apply(text, cuts).ok_or_else(unreadable)?;
        // The text that runs was itself parsed and checked, and reads only the views.
        let (statement, _) = parser::parse(dialect, &spliced).map_err(|_| unreadable())?;
        let is_as_meant = tree::check(&statement, analytics).is_ok_and(|again| {
            let reads_views_only = again.tables.iter().all(|table| {
                table.node["at_clause"].is_null()
                    && matches!(&table.source, Source::Dataset(name) if reads.iter().any(|read| read.view == *name))
            });
            reads_views_only && again.shown.is_empty() && again.parameters.iter().eq(bound.keys())
        });
        if !is_as_meant {
            return Err(unreadable());
        }
        spliced
    };
    Ok(Statement {
        text,
        is_own_text,
        columns: OnceLock::new(),
        reads,
        attached,
        parameters,
        bound,
        is_repeatable,
        explained,
    })
}

/// What a text reads, while it is collected.
#[derive(Default)]
struct Reads {
    reads: Vec<Read>,
    cuts: Vec<Cut>,
    /// Views in lower case, as DuckDB compares them.
    views: HashSet<String>,
}

impl Reads {
    fn add(&mut self, text: &str, table: &TableUse<'_>, what: What) -> Result<(), Refusal> {
        let view = self.view(what);
        let is_qualified = table.node["schema_name"].as_str().is_some_and(|schema| !schema.is_empty());
        let is_written_so = table.node["at_clause"].is_null()
            && !is_qualified
            && matches!(&table.source, Source::Dataset(name) if *name == view);
        if is_written_so {
            return Ok(());
        }
        let form = match &table.source {
            _ if table.is_described => Form::Described,
            Source::Path(_) => Form::Path,
            _ => Form::Name,
        };
        let cuts = match &table.source {
            Source::Call { .. } => {
                splice::call_cut(text, table.start, table.node, &view).map(|cut| vec![cut])
            }
            _ => splice::table_cuts(text, table.start, table.node, &view, form),
        };
        self.cuts.extend(cuts.ok_or_else(|| Refusal {
            message: "this table reference is written in a way that is not understood here; write paths in single \
                      quotes and use plain spaces"
                .to_owned(),
            position: Some(table.start),
            kind: RefusalKind::NotAllowed,
        })?);
        Ok(())
    }

    /// `None` if the text does not match the tree.
    fn add_shown(&mut self, text: &str, shown: &[Listing]) -> Option<()> {
        if shown.is_empty() {
            return Some(());
        }
        let views: Vec<(Listing, String)> =
            shown.iter().map(|listing| (*listing, self.view(What::Listing(*listing)))).collect();
        let view_of = |wanted| {
            let found = views.iter().find(|(listing, _)| *listing == wanted);
            found.map(|(_, view)| view.clone()).unwrap_or_default()
        };
        self.cuts.extend(splice::show_cuts(text, shown, view_of)?);
        Some(())
    }

    /// The view for a table. If the dataset's own name is free, the view gets it, and needs no cut.
    fn view(&mut self, what: What) -> String {
        if let Some(known) = self.reads.iter().find(|known| known.what == what) {
            return known.view.clone();
        }
        let view = match &what {
            What::Dataset { name, at: AtClause::Fixed(At::Newest) }
                if !self.views.contains(&name.to_lowercase()) =>
            {
                name.clone()
            }
            // No dataset can have this name, so it hides none.
            _ => format!("polarway:{}", self.reads.len()),
        };
        self.views.insert(view.to_lowercase());
        self.reads.push(Read { view: view.clone(), what });
        view
    }
}

fn what(dialect: &dyn Dialect, text: &str, table: &TableUse<'_>) -> Result<What, Error> {
    Ok(match &table.source {
        Source::Dataset(name) => {
            let at = at(dialect, text, &table.node["at_clause"], table.start)?;
            What::Dataset { name: name.clone(), at }
        }
        Source::Path(pattern) => {
            if !table.node["at_clause"].is_null() {
                return Err(refusal(text, "a file has no versions: AT (…) is for datasets", table.start));
            }
            What::Files { patterns: vec![pattern.clone()], options: FileOptions::default() }
        }
        Source::Call { patterns, options } => What::Files { patterns: patterns.clone(), options: *options },
        Source::Listing(listing) => What::Listing(*listing),
    })
}

fn at(dialect: &dyn Dialect, text: &str, clause: &Value, start: usize) -> Result<AtClause, Error> {
    if clause.is_null() {
        return Ok(AtClause::Fixed(At::Newest));
    }
    let expression = &clause["expr"];
    match clause["unit"].as_str().unwrap_or_default().to_uppercase().as_str() {
        "VERSION" => {
            if let Some(name) = tree::parameter(expression) {
                return Ok(AtClause::Version(name.to_owned()));
            }
            let version =
                constants::whole_number(expression).map(|version| AtClause::Fixed(At::Version(version)));
            version.ok_or_else(|| {
                refusal(text, "AT (VERSION => …) takes a version's number, say 3, or a parameter", start)
            })
        }
        "TIMESTAMP" => {
            let value =
                if constants::class(expression) == "CAST" { &expression["child"] } else { expression };
            if let Some(name) = tree::parameter(value) {
                return Ok(AtClause::Timestamp(name.to_owned()));
            }
            let usage = "AT (TIMESTAMP => …) takes a time in quotes, say '2026-01-31 12:00:00', or a parameter; without a \
                         zone it is UTC";
            let micros = match constants::text(value) {
                Some(literal) => dialect.timestamp(literal)?,
                None => None,
            };
            micros
                .map(|micros| AtClause::Fixed(At::TimeUs(micros)))
                .ok_or_else(|| refusal(text, usage, start))
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
