//! Expressions of a bound plan.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{SqlType, text};

/// An expression. Columns are places in the output of the operator below.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Column {
        index: usize,
        sql_type: SqlType,
    },
    Constant(Constant),
    Cast {
        child: Box<Expression>,
        to: SqlType,
        is_try: bool,
    },
    Comparison {
        operator: String,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    /// AND, or OR.
    Conjunction {
        is_and: bool,
        children: Vec<Expression>,
    },
    Between(Between),
    Case(Case),
    /// `IN`, `IS NULL`, `NOT`, `COALESCE` and others, by DuckDB's name.
    Operator {
        operator: String,
        children: Vec<Expression>,
        sql_type: SqlType,
    },
    Function(Function),
    Aggregate(Box<Aggregate>),
    Window(Box<Window>),
    /// The items of a list, each in a row.
    Unnest {
        list: Box<Expression>,
        sql_type: SqlType,
    },
    /// One that is not known, by its name.
    Unknown(String),
}

/// A constant, with its value as DuckDB writes it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Constant {
    #[serde(rename = "type")]
    pub(crate) sql_type: SqlType,
    pub(crate) is_null: bool,
    #[serde(default)]
    pub(crate) value: Value,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Between {
    pub(crate) input: Box<Expression>,
    pub(crate) lower: Box<Expression>,
    pub(crate) upper: Box<Expression>,
    pub(crate) lower_inclusive: bool,
    pub(crate) upper_inclusive: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    pub(crate) case_checks: Vec<CaseCheck>,
    pub(crate) else_expr: Box<Expression>,
    pub(crate) return_type: SqlType,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CaseCheck {
    pub(crate) when_expr: Expression,
    pub(crate) then_expr: Expression,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) return_type: SqlType,
    #[serde(default)]
    pub(crate) children: Vec<Expression>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Aggregate {
    pub(crate) name: String,
    pub(crate) return_type: SqlType,
    #[serde(default)]
    pub(crate) children: Vec<Expression>,
    pub(crate) aggregate_type: String,
    pub(crate) filter: Option<Expression>,
    #[serde(default)]
    pub(crate) order_bys: Option<OrderBys>,
    /// What else it was called with.
    #[serde(default)]
    pub(crate) function_data: Value,
}

impl Aggregate {
    /// The order in which it takes the values.
    pub(crate) fn orders(&self) -> &[OrderBy] {
        self.order_bys.as_ref().map(|by| by.orders.as_slice()).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OrderBys {
    pub(crate) orders: Vec<OrderBy>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct OrderBy {
    #[serde(rename = "type")]
    pub(crate) direction: String,
    pub(crate) null_order: String,
    pub(crate) expression: Expression,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Window {
    /// What is computed, by DuckDB's name.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The function's name, of an aggregate.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) return_type: SqlType,
    #[serde(default)]
    pub(crate) children: Vec<Expression>,
    #[serde(default)]
    pub(crate) partitions: Vec<Expression>,
    #[serde(default)]
    pub(crate) orders: Vec<OrderBy>,
    #[serde(default, rename = "filters")]
    pub(crate) filter: Option<Expression>,
    pub(crate) ignore_nulls: bool,
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) start_expr: Option<Expression>,
    pub(crate) end_expr: Option<Expression>,
    pub(crate) offset_expr: Option<Expression>,
    pub(crate) default_expr: Option<Expression>,
    pub(crate) exclude_clause: String,
    pub(crate) distinct: bool,
    #[serde(default)]
    pub(crate) arg_orders: Vec<OrderBy>,
}

impl Expression {
    /// The type of its values.
    pub(crate) fn sql_type(&self) -> SqlType {
        match self {
            Self::Column { sql_type, .. }
            | Self::Operator { sql_type, .. }
            | Self::Unnest { sql_type, .. }
            | Self::Cast { to: sql_type, .. } => sql_type.clone(),
            Self::Constant(constant) => constant.sql_type.clone(),
            Self::Comparison { .. } | Self::Conjunction { .. } | Self::Between(_) => SqlType::Boolean,
            Self::Case(case) => case.return_type.clone(),
            Self::Function(function) => function.return_type.clone(),
            Self::Aggregate(aggregate) => aggregate.return_type.clone(),
            Self::Window(window) => window.return_type.clone(),
            Self::Unknown(name) => SqlType::Unknown(name.clone()),
        }
    }

    fn of(mut value: Value) -> Result<Self, serde_json::Error> {
        let kind = text(&value, "type").to_owned();
        Ok(match text(&value, "expression_class") {
            "BOUND_REF" => Self::Column {
                index: field(&mut value, "index")?,
                sql_type: field(&mut value, "return_type")?,
            },
            "BOUND_CONSTANT" => Self::Constant(field(&mut value, "value")?),
            "BOUND_CAST" => Self::Cast {
                child: field(&mut value, "child")?,
                to: field(&mut value, "return_type")?,
                is_try: field(&mut value, "try_cast")?,
            },
            "BOUND_COMPARISON" => Self::Comparison {
                operator: kind,
                left: field(&mut value, "left")?,
                right: field(&mut value, "right")?,
            },
            "BOUND_CONJUNCTION" => Self::Conjunction {
                is_and: kind == "CONJUNCTION_AND",
                children: field(&mut value, "children")?,
            },
            "BOUND_BETWEEN" => Self::Between(Between::deserialize(value)?),
            "BOUND_CASE" => Self::Case(Case::deserialize(value)?),
            "BOUND_OPERATOR" => Self::Operator {
                operator: kind,
                children: field(&mut value, "children")?,
                sql_type: field(&mut value, "return_type")?,
            },
            "BOUND_FUNCTION" => Self::Function(Function::deserialize(value)?),
            "BOUND_AGGREGATE" => Self::Aggregate(Box::new(Aggregate::deserialize(value)?)),
            "BOUND_WINDOW" => Self::Window(Box::new(Window::deserialize(value)?)),
            "BOUND_UNNEST" => Self::Unnest {
                list: field(&mut value, "child")?,
                sql_type: field(&mut value, "return_type")?,
            },
            other => Self::Unknown(other.to_owned()),
        })
    }
}

fn field<T: for<'de> Deserialize<'de>>(value: &mut Value, name: &str) -> Result<T, serde_json::Error> {
    let part = value.get_mut(name).map(Value::take).unwrap_or_default();
    T::deserialize(part).map_err(|error| serde_json::Error::custom(format!("{name}: {error}")))
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
