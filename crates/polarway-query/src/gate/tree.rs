//! The walk over DuckDB's syntax tree: everything not known to be harmless is refused.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::constants::{self, class, function_name};
use super::{amplifiers, functions, perils};
use crate::analytics::{self, AttachedTable, SeenAnalytics};
use crate::catalog::FileOptions;
use crate::listing::{CATALOG, Listing, SCHEMA};

/// Each common table expression can add to the stack depth of the one before while DuckDB binds them.
const MOST_CTES: usize = 500;

/// SELECTs in one statement, subqueries and branches of set operations included: planning can't be interrupted.
const MOST_SELECTS: usize = 1_000;

/// Joins in one SELECT, and those of them that DuckDB may reorder: the search for the best order takes longer with each join,
/// some seconds for this many, and can't be interrupted.
const MOST_JOINS: usize = 100;
const MOST_ORDERED_JOINS: usize = 60;

/// Something in the tree that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) position: Option<usize>,
    pub(crate) kind: RefusalKind,
}

/// What is wrong with something in the tree.
#[derive(Debug)]
pub(crate) enum RefusalKind {
    /// Queries may not do it.
    NotAllowed,
    /// There is too much of it.
    TooLarge,
    /// There is no table with this name; these names are similar.
    UnknownTable { name: String, nearest: Vec<String> },
}

/// A table that the text reads and that is not one of its own CTEs.
#[derive(Debug)]
pub(crate) struct TableUse<'t> {
    /// The reference in the tree, for its name, alias and `AT`.
    pub(crate) node: &'t Value,
    /// The byte in the text where it starts.
    pub(crate) start: usize,
    pub(crate) source: Source,
    /// Whether it follows a DESCRIBE alone, where no alias can follow.
    pub(crate) is_described: bool,
}

/// What a table reference names.
#[derive(Debug)]
pub(crate) enum Source {
    Dataset(String),
    Path(String),
    Call { patterns: Vec<String>, options: FileOptions },
    Listing(Listing),
}

/// What a statement names.
#[derive(Debug, Default)]
pub(crate) struct Found<'t> {
    pub(crate) tables: Vec<TableUse<'t>>,
    /// `SHOW TABLES` and similar statements. The tree does not have their positions.
    pub(crate) shown: Vec<Listing>,
    /// The names of its parameters, each once, except those in `AT (…)`.
    pub(crate) parameters: BTreeSet<String>,
    /// The tables of the analytics database that it reads.
    pub(crate) attached: Vec<AttachedTable>,
    /// Whether it calls functions other than operators.
    pub(crate) calls_functions: bool,
}

/// Checks a statement's tree and collects what it names.
pub(crate) fn check<'t>(
    statement: &'t Value,
    analytics: Option<SeenAnalytics<'_>>,
) -> Result<Found<'t>, Refusal> {
    let mut walk = Walk {
        found: Found::default(),
        analytics,
        described: None,
        ctes: Vec::new(),
        cte_count: 0,
        select_count: 0,
        joins: Joins::default(),
        is_bounded: false,
        bytes_asked: 0.0,
    };
    walk.value(statement, None)?;
    Ok(walk.found)
}

struct Walk<'t, 'a> {
    found: Found<'t>,
    analytics: Option<SeenAnalytics<'a>>,
    /// The table of a `DESCRIBE table`.
    described: Option<&'t Value>,
    /// Names of the CTEs that are in scope here, in lower case.
    ctes: Vec<String>,
    cte_count: usize,
    select_count: usize,
    /// Joins of the current SELECT.
    joins: Joins,
    /// Whether the current expression is part of one that was bounded as a whole.
    is_bounded: bool,
    /// The bytes that constants need.
    bytes_asked: f64,
}

/// Joins in one SELECT.
#[derive(Default)]
struct Joins {
    all: usize,
    /// Joins that DuckDB may reorder.
    ordered: usize,
}

impl<'t> Walk<'t, '_> {
    /// `outer` is the position of the nearest node above, for nodes without a position.
    fn value(&mut self, value: &'t Value, outer: Option<usize>) -> Result<(), Refusal> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.value(item, outer)),
            Value::Object(object) => self.object(value, object, outer),
            _ => Ok(()),
        }
    }

    fn object(
        &mut self,
        value: &'t Value,
        object: &'t Map<String, Value>,
        outer: Option<usize>,
    ) -> Result<(), Refusal> {
        let position = position(object).or(outer);
        if object.contains_key("class") {
            return self.expression(value, object, position);
        }
        match object.get("type") {
            // A constant's value is data: nothing to check.
            Some(Value::Object(_)) if object.contains_key("is_null") => Ok(()),
            Some(Value::String(kind)) => match kind.as_str() {
                "SELECT_NODE" | "SET_OPERATION_NODE" => self.query_node(object, position),
                "RECURSIVE_CTE_NODE" => self.recursive_node(object, position),
                "BASE_TABLE" => self.base_table(value, object, position),
                "TABLE_FUNCTION" => self.table_function(value, object, position),
                "SHOW_REF" => self.show(object, position),
                "JOIN" => {
                    self.count_join(object, position)?;
                    self.entries(object, &[], position)
                }
                "SUBQUERY"
                | "EXPRESSION_LIST"
                | "EMPTY"
                | "PIVOT"
                | "LIMIT_MODIFIER"
                | "LIMIT_PERCENT_MODIFIER"
                | "ORDER_MODIFIER"
                | "DISTINCT_MODIFIER"
                | "ORDER_DEFAULT"
                | "ASCENDING"
                | "DESCENDING" => self.entries(object, &[], position),
                kind if kind.ends_with("_TYPE_INFO") => self.entries(object, &[], position),
                kind => refuse(&format!("{kind} is not available in queries"), position),
            },
            Some(_) | None => self.entries(object, &[], position),
        }
    }

    fn entries(
        &mut self,
        object: &'t Map<String, Value>,
        except: &[&str],
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        object
            .iter()
            .filter(|(key, _)| !except.contains(&key.as_str()))
            .try_for_each(|(_, value)| self.value(value, position))
    }

    /// A SELECT or a set operation: its CTEs are visible to later CTEs and to the rest of it.
    fn query_node(&mut self, object: &'t Map<String, Value>, position: Option<usize>) -> Result<(), Refusal> {
        self.select_count += 1;
        if self.select_count > MOST_SELECTS {
            return too_large(&format!("a query may have {MOST_SELECTS} SELECTs"), position);
        }
        let outer_scope = self.ctes.len();
        // It has its own joins and outermost expressions.
        let outer_joins = std::mem::take(&mut self.joins);
        let was_bounded = std::mem::replace(&mut self.is_bounded, false);
        self.ctes_of(object, position)?;
        self.entries(object, &["cte_map"], position)?;
        self.ctes.truncate(outer_scope);
        (self.joins, self.is_bounded) = (outer_joins, was_bounded);
        Ok(())
    }

    fn count_join(&mut self, join: &Map<String, Value>, position: Option<usize>) -> Result<(), Refusal> {
        self.joins.all += 1;
        self.joins.ordered += usize::from(join.get("join_type").is_some_and(|kind| kind == "INNER"));
        if self.joins.all > MOST_JOINS || self.joins.ordered > MOST_ORDERED_JOINS {
            let message = format!(
                "a SELECT may have {MOST_JOINS} joins, and {MOST_ORDERED_JOINS} of them inner ones; join some in a query of \
                 their own whose result is kept"
            );
            return too_large(&message, position);
        }
        Ok(())
    }

    /// Checks the bound of an outermost expression by its constants.
    fn bound(&mut self, expression: &'t Value, position: Option<usize>) -> Result<(), Refusal> {
        self.bytes_asked += amplifiers::check(expression, position)?;
        if self.bytes_asked > amplifiers::ALL_BYTES {
            let message = format!(
                "constants ask for more than the {} bytes that all of them may take",
                amplifiers::ALL_BYTES
            );
            return too_large(&message, position);
        }
        Ok(())
    }

    fn ctes_of(&mut self, object: &'t Map<String, Value>, position: Option<usize>) -> Result<(), Refusal> {
        let Some(entries) = object.get("cte_map").and_then(|map| map["map"].as_array()) else {
            return Ok(());
        };
        for entry in entries {
            self.cte_count += 1;
            if self.cte_count > MOST_CTES {
                return too_large(
                    &format!("a query may have {MOST_CTES} common table expressions"),
                    position,
                );
            }
            self.value(&entry["value"], position)?;
            let name = entry["key"].as_str().unwrap_or_default();
            self.ctes.push(name.to_ascii_lowercase());
        }
        Ok(())
    }

    /// The recursive part sees the CTE itself, but the initial part does not.
    fn recursive_node(
        &mut self,
        object: &'t Map<String, Value>,
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        let outer_scope = self.ctes.len();
        self.ctes_of(object, position)?;
        self.entries(object, &["cte_map", "right"], position)?;
        let name = object.get("cte_name").and_then(Value::as_str).unwrap_or_default();
        self.ctes.push(name.to_ascii_lowercase());
        if let Some(right) = object.get("right") {
            self.value(right, position)?;
        }
        self.ctes.truncate(outer_scope);
        Ok(())
    }

    fn expression(
        &mut self,
        value: &'t Value,
        object: &'t Map<String, Value>,
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        if !self.is_bounded {
            self.bound(value, position)?;
            self.is_bounded = true;
            let checked = self.expression(value, object, position);
            self.is_bounded = false;
            return checked;
        }
        match class(value) {
            "CONSTANT" => return Ok(()),
            "FUNCTION" | "WINDOW" => {
                let name = function_name(value);
                self.found.calls_functions |= name.contains(|character: char| character.is_alphabetic());
                match functions::scalar(name) {
                    functions::Verdict::Allowed => {}
                    functions::Verdict::Refused => {
                        return refuse(
                            &format!("the function {name}() may not be used in queries"),
                            position,
                        );
                    }
                    functions::Verdict::Unknown => {
                        let hint = functions::nearest(name).map(|near| format!("; did you mean {near}()?"));
                        let hint = hint.unwrap_or_default();
                        return refuse(&format!("there is no function {name}() for queries{hint}"), position);
                    }
                }
                if let Some(message) = perils::refuse(value) {
                    return refuse(&message, position);
                }
                if amplifiers::PAIRING.contains(&name) && !is_unqualified(value) {
                    return refuse(&format!("{name}() is called without a schema here"), position);
                }
            }
            "PARAMETER" => {
                self.found.parameters.insert(parameter(value).unwrap_or_default().to_owned());
                return Ok(());
            }
            "CASE"
            | "CAST"
            | "COLUMN_REF"
            | "COMPARISON"
            | "CONJUNCTION"
            | "OPERATOR"
            | "STAR"
            | "SUBQUERY"
            | "COLLATE"
            | "LAMBDA"
            | "LAMBDA_REF"
            | "POSITIONAL_REFERENCE"
            | "BETWEEN"
            | "TYPE" => {}
            other => return refuse(&format!("{other} is not available in queries"), position),
        }
        self.entries(object, &[], position)
    }

    fn base_table(
        &mut self,
        value: &'t Value,
        object: &'t Map<String, Value>,
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        let (catalog, schema, name) = (text("catalog_name"), text("schema_name"), text("table_name"));
        // Compare names as DuckDB does: a non-ASCII K must not equal `k`, or a CTE could let a system view through.
        let is_cte = self.ctes.contains(&name.to_ascii_lowercase());
        if schema.eq_ignore_ascii_case("recurring") && catalog.is_empty() && is_cte {
            return Ok(());
        }
        let has_at = object.get("at_clause").is_some_and(|clause| !clause.is_null());
        let source = match (catalog, schema) {
            ("", "") if is_cte && !has_at => return Ok(()),
            ("", "") if looks_like_a_path(name) => Source::Path(checked_pattern(name, position)?),
            ("", "") => Source::Dataset(name.to_owned()),
            ("", schema) if schema.eq_ignore_ascii_case(analytics::NAME) => {
                return self.attached("", name, has_at, position);
            }
            (catalog, schema) if catalog.eq_ignore_ascii_case(analytics::NAME) => {
                return self.attached(schema, name, has_at, position);
            }
            ("" | CATALOG, "information_schema" | "INFORMATION_SCHEMA") => {
                match Listing::of_information_schema(name) {
                    Some(listing) if !has_at => Source::Listing(listing),
                    _ => return refuse("information_schema has tables and columns here", position),
                }
            }
            ("" | CATALOG, SCHEMA) => Source::Dataset(name.to_owned()),
            // Dataset names may contain dots.
            ("", schema) => Source::Dataset(format!("{schema}.{name}")),
            (catalog, schema) => Source::Dataset(format!("{catalog}.{schema}.{name}")),
        };
        let start = position.ok_or_else(|| lost(name))?;
        let is_described = self.described.is_some_and(|described| std::ptr::eq(described, value));
        self.found.tables.push(TableUse { node: value, start, source, is_described });
        // The sample holds constants only; the caller reads `at_clause`.
        Ok(())
    }

    /// A table of the analytics database: DuckDB finds it by that name.
    fn attached(
        &mut self,
        schema: &str,
        name: &str,
        has_at: bool,
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        let Some(analytics) = self.analytics else {
            let message = "this server has no analytics database; its operator can name a DuckDB file to be read as one";
            return refuse(message, position);
        };
        if has_at {
            return refuse(
                "tables of the analytics database have no versions: AT (…) is for datasets",
                position,
            );
        }
        if let Some(table) = analytics.find(schema, name) {
            self.found.attached.push(table.clone());
            return Ok(());
        }
        let kind = RefusalKind::UnknownTable {
            name: [analytics::NAME, schema, name]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("."),
            nearest: analytics.nearest(name),
        };
        Err(Refusal { message: String::new(), position, kind })
    }

    /// SHOW, DESCRIBE or SUMMARIZE.
    fn show(&mut self, object: &'t Map<String, Value>, position: Option<usize>) -> Result<(), Refusal> {
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(query) = object.get("query").filter(|query| !query.is_null()) {
            let is_whole = query["select_list"].as_array().is_some_and(|list| {
                matches!(list.as_slice(), [star] if class(star) == "STAR") && query["where_clause"].is_null()
            });
            self.described = is_whole.then(|| &query["from_table"]);
            return self.value(query, position);
        }
        match (text("show_type"), text("table_name")) {
            ("SHOW_UNQUALIFIED", "\"tables\"") => self.found.shown.push(Listing::Tables),
            ("SHOW_UNQUALIFIED", "__show_tables_expanded") => self.found.shown.push(Listing::AllTables),
            _ => return refuse("SHOW takes TABLES, ALL TABLES or a dataset", position),
        }
        Ok(())
    }

    fn table_function(
        &mut self,
        value: &'t Value,
        object: &'t Map<String, Value>,
        position: Option<usize>,
    ) -> Result<(), Refusal> {
        let call = object.get("function").unwrap_or(&Value::Null);
        let name = function_name(call);
        self.found.calls_functions = true;
        if functions::table(name) != functions::Verdict::Allowed {
            return refuse(
                &format!(
                    "the table function {name}() may not be used in queries; these may: {}",
                    functions::allowed_tables().join(", ")
                ),
                position,
            );
        }
        if let Some(message) = amplifiers::refuse_table(call) {
            return refuse(&message, position);
        }
        if matches!(name, "read_parquet" | "parquet_scan") {
            if object.get("with_ordinality").is_some_and(|with| with == "WITH_ORDINALITY") {
                return refuse(&format!("WITH ORDINALITY is not available for {name}()"), position);
            }
            let start = position.ok_or_else(|| lost(name))?;
            let source = file_arguments(call, start)?;
            self.found.tables.push(TableUse { node: value, start, source, is_described: false });
            return Ok(());
        }
        // Arguments may contain subqueries and functions of any kind.
        call.as_object().into_iter().try_for_each(|call| self.entries(call, &[], position))
    }
}

/// The patterns and options of a `read_parquet` call.
fn file_arguments(call: &Value, start: usize) -> Result<Source, Refusal> {
    let name = function_name(call);
    let mut options = FileOptions::default();
    let mut patterns = None;
    for argument in call["children"].as_array().into_iter().flatten() {
        let place = argument.as_object().and_then(position).or(Some(start));
        if let Some((key, value)) = named_argument(argument) {
            let value = constants::boolean(value);
            match (key.to_lowercase().as_str(), value) {
                ("hive_partitioning", Some(value)) => options.hive_partitioning = Some(value),
                ("union_by_name", Some(value)) => options.union_by_name = Some(value),
                ("hive_partitioning" | "union_by_name", None) => {
                    return refuse(&format!("{key} is either true or false"), place);
                }
                _ => {
                    return refuse(
                        &format!("{name}() takes hive_partitioning and union_by_name here, not {key}"),
                        place,
                    );
                }
            }
            continue;
        }
        let list = match (class(argument), function_name(argument)) {
            ("FUNCTION", "list_value") => argument["children"].as_array().map(Vec::as_slice),
            _ => Some(std::slice::from_ref(argument)),
        };
        let texts: Option<Vec<&str>> = list.unwrap_or_default().iter().map(constants::text).collect();
        let Some(texts) = texts.filter(|texts| !texts.is_empty() && patterns.is_none()) else {
            return refuse(&format!("{name}() takes a path in quotes or a list of them"), place);
        };
        let checked: Result<Vec<_>, _> = texts.into_iter().map(|text| checked_pattern(text, place)).collect();
        patterns = Some(checked?);
    }
    match patterns {
        Some(patterns) => Ok(Source::Call { patterns, options }),
        None => refuse(&format!("{name}() takes a path in quotes or a list of them"), Some(start)),
    }
}

/// `name = value` in an argument list, which the tree has as a comparison, or as an alias.
fn named_argument(argument: &Value) -> Option<(&str, &Value)> {
    if argument["type"] == "COMPARE_EQUAL" {
        let names = argument["left"]["column_names"].as_array()?;
        return Some((names.first()?.as_str()?, &argument["right"]));
    }
    match argument["alias"].as_str() {
        None | Some("") => None,
        Some(alias) => Some((alias, argument)),
    }
}

/// The name of a parameter, if the expression is one.
pub(crate) fn parameter(expression: &Value) -> Option<&str> {
    (class(expression) == "PARAMETER").then(|| expression["identifier"].as_str())?
}

fn looks_like_a_path(name: &str) -> bool {
    let is_parquet = name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("parquet"));
    is_parquet || name.contains(['/', '\\', '*', '?'])
}

fn checked_pattern(pattern: &str, position: Option<usize>) -> Result<String, Refusal> {
    let refused = |reason: &str| refuse(&format!("\"{pattern}\" may not be read: {reason}"), position);
    if pattern.contains("://") {
        return refused("URLs are not available, only Parquet files of the cold tier");
    }
    if pattern.split(['/', '\\']).any(|part| part == "..") {
        return refused("a path may not contain \"..\"");
    }
    if pattern.chars().any(char::is_control) {
        return refused("it contains a control character");
    }
    Ok(pattern.to_owned())
}

/// Whether a call may mean the sandbox's function with this name: only the syntax of some functions names a schema.
fn is_unqualified(call: &Value) -> bool {
    let part = |name: &str| call[name].as_str().unwrap_or_default();
    part("catalog").is_empty() && part("schema").is_empty()
}

pub(super) fn position(object: &Map<String, Value>) -> Option<usize> {
    // DuckDB writes the largest number if there is no position.
    object.get("query_location")?.as_u64().filter(|location| *location != u64::MAX)?.try_into().ok()
}

pub(super) fn refuse<T>(message: &str, position: Option<usize>) -> Result<T, Refusal> {
    Err(Refusal { message: message.to_owned(), position, kind: RefusalKind::NotAllowed })
}

fn too_large<T>(message: &str, position: Option<usize>) -> Result<T, Refusal> {
    Err(Refusal { message: message.to_owned(), position, kind: RefusalKind::TooLarge })
}

fn lost(name: &str) -> Refusal {
    let message = format!("{name} can't be found in the text; write it without comments inside");
    Refusal { message, position: None, kind: RefusalKind::NotAllowed }
}
