//! Operators of a bound plan.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::expression::{Constant, Expression, OrderBy, OrderBys};
use super::{SqlType, text};

/// An operator with those below it.
#[derive(Debug, Clone)]
pub(crate) enum Operator {
    Get(Get),
    Filter(Filter),
    Projection(Projection),
    Aggregate(AggregateNode),
    Join(Join),
    /// A comparison join whose right side reads the distinct keys of the left one.
    DelimJoin(Join),
    AnyJoin(AnyJoin),
    CrossProduct {
        children: Vec<Operator>,
    },
    DelimGet {
        types: Vec<SqlType>,
    },
    OrderBy(Sort),
    Limit(Limit),
    Distinct(Distinct),
    Union(SetOperation),
    Intersect(SetOperation),
    Except(SetOperation),
    MaterializedCte(MaterializedCte),
    CteRef {
        cte_index: u64,
    },
    DummyScan,
    Empty {
        types: Vec<SqlType>,
    },
    Values(Values),
    Chunk(Chunk),
    Window(Windows),
    Unnest(Unnest),
    /// One that is not known, by its name.
    Unknown(String),
}

/// A scan of a table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Get {
    /// The function that scans.
    pub(crate) name: String,
    pub(crate) returned_types: Vec<SqlType>,
    pub(crate) names: Vec<String>,
    #[serde(default)]
    pub(crate) projection_ids: Vec<usize>,
    #[serde(default)]
    pub(crate) table_filters: TableFilters,
    #[serde(default)]
    pub(crate) column_indexes: Vec<ColumnIndex>,
    /// What the function was called with.
    #[serde(default)]
    pub(crate) parameters: Vec<Constant>,
    #[serde(default)]
    pub(crate) function_data: Value,
    #[serde(default)]
    pub(crate) extra_info: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnIndex {
    pub(crate) index: u64,
    #[serde(default)]
    pub(crate) child_indexes: Vec<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct TableFilters {
    #[serde(default)]
    pub(crate) filters: Vec<ColumnFilter>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnFilter {
    pub(crate) key: usize,
    pub(crate) value: TableFilter,
}

/// A condition on one column of a scan.
#[derive(Debug, Clone)]
pub(crate) enum TableFilter {
    Compare {
        operator: String,
        constant: Constant,
    },
    IsNull,
    IsNotNull,
    And(Vec<TableFilter>),
    Or(Vec<TableFilter>),
    In(Vec<Constant>),
    Expression(Expression),
    /// It only makes a scan faster.
    Optional,
    Unknown(String),
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Filter {
    pub(crate) children: Vec<Operator>,
    #[serde(default)]
    pub(crate) expressions: Vec<Expression>,
    #[serde(default)]
    pub(crate) projection_map: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Projection {
    pub(crate) children: Vec<Operator>,
    pub(crate) expressions: Vec<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AggregateNode {
    pub(crate) children: Vec<Operator>,
    #[serde(default)]
    pub(crate) expressions: Vec<Expression>,
    #[serde(default)]
    pub(crate) groups: Vec<Expression>,
    #[serde(default)]
    pub(crate) grouping_sets: Vec<Vec<usize>>,
    #[serde(default)]
    pub(crate) grouping_functions: Vec<Vec<usize>>,
    #[serde(default)]
    pub(crate) groupings_index: u64,
}

impl AggregateNode {
    /// Whether DuckDB made it for a subquery that gives one value: its first one, and the number of rows, of which several
    /// are an error above.
    pub(crate) fn is_of_subquery(&self) -> bool {
        let is = |expression: Option<&Expression>, name: &str| matches!(expression, Some(Expression::Aggregate(aggregate)) if aggregate.name == name);
        // No text can leave out an index.
        self.groupings_index == u64::MAX
            && self.groups.is_empty()
            && is(self.expressions.first(), "first")
            && is(self.expressions.last(), "count_star")
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Join {
    pub(crate) children: Vec<Operator>,
    pub(crate) join_type: String,
    #[serde(default)]
    pub(crate) conditions: Vec<Condition>,
    #[serde(default)]
    pub(crate) predicate: Option<Expression>,
    #[serde(default)]
    pub(crate) delim_flipped: bool,
    #[serde(default)]
    pub(crate) duplicate_eliminated_columns: Vec<Expression>,
    #[serde(default)]
    pub(crate) left_projection_map: Vec<usize>,
    #[serde(default)]
    pub(crate) right_projection_map: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Condition {
    pub(crate) left: Expression,
    pub(crate) right: Expression,
    pub(crate) comparison: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AnyJoin {
    pub(crate) children: Vec<Operator>,
    pub(crate) join_type: String,
    pub(crate) condition: Expression,
    #[serde(default)]
    pub(crate) left_projection_map: Vec<usize>,
    #[serde(default)]
    pub(crate) right_projection_map: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Sort {
    pub(crate) children: Vec<Operator>,
    pub(crate) orders: Vec<OrderBy>,
    #[serde(default, alias = "projections")]
    pub(crate) projection_map: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Limit {
    pub(crate) children: Vec<Operator>,
    pub(crate) limit_val: LimitValue,
    pub(crate) offset_val: LimitValue,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LimitValue {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) constant_integer: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Distinct {
    pub(crate) children: Vec<Operator>,
    pub(crate) distinct_type: String,
    #[serde(default)]
    pub(crate) distinct_targets: Vec<Expression>,
    #[serde(default)]
    pub(crate) order_by: Option<OrderBys>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct SetOperation {
    pub(crate) children: Vec<Operator>,
    pub(crate) setop_all: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct MaterializedCte {
    pub(crate) children: Vec<Operator>,
    pub(crate) table_index: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Values {
    pub(crate) children: Vec<Operator>,
    pub(crate) expressions: Vec<Vec<Expression>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Windows {
    pub(crate) children: Vec<Operator>,
    pub(crate) expressions: Vec<Expression>,
}

/// Rows that DuckDB already has.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Chunk {
    #[serde(rename = "chunk_types")]
    pub(crate) types: Vec<SqlType>,
    pub(crate) collection: Collection,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Collection {
    /// Column by column.
    #[serde(default)]
    pub(crate) values: Vec<Vec<Constant>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Unnest {
    pub(crate) children: Vec<Operator>,
    pub(crate) expressions: Vec<Expression>,
}

impl Operator {
    fn of(mut value: Value) -> Result<Self, serde_json::Error> {
        let name = text(&value, "type").strip_prefix("LOGICAL_").unwrap_or_default().to_owned();
        let known = match name.as_str() {
            "GET" => Get::deserialize(value).map(Self::Get),
            "FILTER" => Filter::deserialize(value).map(Self::Filter),
            "PROJECTION" => Projection::deserialize(value).map(Self::Projection),
            "AGGREGATE_AND_GROUP_BY" => AggregateNode::deserialize(value).map(Self::Aggregate),
            "COMPARISON_JOIN" => Join::deserialize(value).map(Self::Join),
            "DELIM_JOIN" => Join::deserialize(value).map(Self::DelimJoin),
            "ANY_JOIN" => AnyJoin::deserialize(value).map(Self::AnyJoin),
            "CROSS_PRODUCT" => {
                let children = value.get_mut("children").map(Value::take).unwrap_or_default();
                Vec::deserialize(children).map(|children| Self::CrossProduct { children })
            }
            "DELIM_GET" => types(&mut value, "chunk_types").map(|types| Self::DelimGet { types }),
            "ORDER_BY" => Sort::deserialize(value).map(Self::OrderBy),
            "LIMIT" => Limit::deserialize(value).map(Self::Limit),
            "DISTINCT" => Distinct::deserialize(value).map(Self::Distinct),
            "UNION" => SetOperation::deserialize(value).map(Self::Union),
            "INTERSECT" => SetOperation::deserialize(value).map(Self::Intersect),
            "EXCEPT" => SetOperation::deserialize(value).map(Self::Except),
            "MATERIALIZED_CTE" => MaterializedCte::deserialize(value).map(Self::MaterializedCte),
            "CTE_REF" => Ok(Self::CteRef { cte_index: value["cte_index"].as_u64().unwrap_or(u64::MAX) }),
            "DUMMY_SCAN" => Ok(Self::DummyScan),
            "EMPTY_RESULT" => types(&mut value, "return_types").map(|types| Self::Empty { types }),
            "EXPRESSION_GET" => Values::deserialize(value).map(Self::Values),
            "CHUNK_GET" => Chunk::deserialize(value).map(Self::Chunk),
            "UNNEST" => Unnest::deserialize(value).map(Self::Unnest),
            "WINDOW" => Windows::deserialize(value).map(Self::Window),
            _ => return Ok(Self::Unknown(name)),
        };
        known.map_err(|error| serde_json::Error::custom(format!("{name}: {error}")))
    }
}

fn types(value: &mut Value, field: &str) -> Result<Vec<SqlType>, serde_json::Error> {
    Vec::deserialize(value.get_mut(field).map(Value::take).unwrap_or_default())
}

impl<'de> Deserialize<'de> for Operator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl TableFilter {
    fn of(mut value: Value) -> Result<Self, serde_json::Error> {
        let mut part = |name: &str| value.get_mut(name).map(Value::take).unwrap_or_default();
        let kind = part("filter_type");
        Ok(match kind.as_str().unwrap_or_default() {
            "CONSTANT_COMPARISON" => Self::Compare {
                operator: String::deserialize(part("comparison_type"))?,
                constant: Constant::deserialize(part("constant"))?,
            },
            "IS_NULL" => Self::IsNull,
            "IS_NOT_NULL" => Self::IsNotNull,
            "CONJUNCTION_AND" => Self::And(Vec::deserialize(part("child_filters"))?),
            "CONJUNCTION_OR" => Self::Or(Vec::deserialize(part("child_filters"))?),
            "IN_FILTER" => Self::In(Vec::deserialize(part("values"))?),
            "EXPRESSION_FILTER" => Self::Expression(Expression::deserialize(part("expr"))?),
            "OPTIONAL_FILTER" => Self::Optional,
            other => Self::Unknown(other.to_owned()),
        })
    }
}

impl<'de> Deserialize<'de> for TableFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
