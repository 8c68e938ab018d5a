//! DuckDB's bound plan as a plan of DataFusion's.
//!
//! Each operator becomes one whose columns have names that no other has, and exactly the type that `types::arrow_type` gives for
//! DuckDB's. What is in no table here is refused by name: a wrong answer is the one thing that must not happen.

mod aggregates;
mod casts;
mod collected;
mod comparisons;
mod constants;
mod exists;
mod expressions;
mod frames;
mod grouping_sets;
mod groups;
mod joins;
mod nested;
mod nested_constants;
mod operators;
mod relation;
mod scalar_functions;
mod scans;
mod sets;
mod sums;
mod time_functions;
mod types;
mod unnest;
mod windows;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource};
use polarway_query::BoundPlan;

use self::relation::Relation;
use crate::bound;
use crate::refusal::Refusal;

/// The tables of a plan.
pub trait Tables {
    /// The rows of a table, by its name in the query's plan. Its columns have the names that SQL sees, in any order.
    fn source(&self, name: &str) -> Option<Arc<dyn TableSource>>;
}

/// A plan of DataFusion's that gives the same answer as DuckDB.
#[derive(Debug, Clone)]
pub struct Translation {
    /// The plan. Its columns have the types of `schema`, and other names: several columns of an answer may have the same.
    pub plan: LogicalPlan,
    /// The columns of the answer, as DuckDB gives them.
    pub schema: SchemaRef,
    /// Whether the query says in which order its rows come.
    pub is_ordered: bool,
}

/// Translates a bound plan, whose tables are these. Its recursion is as deep as the plan nests: call it on a large stack.
///
/// # Errors
/// What is not known to mean the same.
pub fn translate(bound: &BoundPlan, tables: &dyn Tables) -> Result<Translation, Refusal> {
    let operator = bound::plan(&bound.json)?;
    let attempt = |adds_exactly| {
        let mut translator = Translator {
            bound,
            tables,
            next: 0,
            delims: Vec::new(),
            ctes: HashMap::new(),
            size: 0,
            has_parts: false,
            adds_exactly,
        };
        named(translator.operator(&operator)?, bound)
    };
    match attempt(false) {
        // Rows that are read twice have to be the same. Sums of DOUBLEs are if they are exact, which takes longer.
        Err(Refusal::Order(_)) => attempt(true),
        known => known,
    }
}

/// What is known while a plan is translated.
struct Translator<'t> {
    bound: &'t BoundPlan,
    tables: &'t dyn Tables,
    /// The number in the next column's name.
    next: u64,
    /// The distinct keys of the joins that are being translated, the innermost last.
    delims: Vec<Relation>,
    ctes: HashMap<u64, Cte>,
    /// How many operators were made.
    size: usize,
    /// Whether one of them puts rows together that have parts of their own: a union, or a join that keeps rows without a partner.
    has_parts: bool,
    /// Whether sums of DOUBLEs, and what is made of them, are the same in any order of rows.
    adds_exactly: bool,
}

/// A table of the query's own.
struct Cte {
    rows: Relation,
    is_read: bool,
}

/// Gives the columns the names and types of the answer.
fn named(relation: Relation, bound: &BoundPlan) -> Result<Translation, Refusal> {
    let fields = bound.schema.fields();
    if fields.len() != relation.columns.len() {
        return Err(Refusal::Form(format!("{} columns and not {}", relation.columns.len(), fields.len())));
    }
    let mut columns: Vec<Expr> = Vec::with_capacity(fields.len());
    for (place, (column, field)) in relation.columns.iter().zip(fields).enumerate() {
        let value = column.value()?;
        let given = types::arrow_type(&column.sql_type)?;
        let value = match given == *field.data_type() {
            true => value,
            false if types::is_same(&given, field.data_type()) => types::as_type(value, field.data_type())?,
            false => return Err(Refusal::Type(field.data_type().to_string())),
        };
        // Several columns may have the same name, which DataFusion does not allow.
        columns.push(value.alias(format!("{place}")));
    }
    let plan = LogicalPlanBuilder::new(relation.plan).project(columns)?.build()?;
    Ok(Translation { plan, schema: Arc::clone(&bound.schema), is_ordered: relation.order.is_given() })
}
