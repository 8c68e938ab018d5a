//! A translated operator.

use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::constants::null;
use crate::bound::SqlType;
use crate::refusal::Refusal;

/// A plan and its columns, in the order in which DuckDB has them.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) plan: LogicalPlan,
    pub(super) columns: Vec<OutputColumn>,
    pub(super) order: RowOrder,
    /// Whether the plan gives the same rows each time that it runs.
    pub(super) is_repeatable: bool,
    /// How many operators it has.
    pub(super) size: usize,
}

#[derive(Debug, Clone)]
pub(super) struct OutputColumn {
    pub(super) column: Column,
    pub(super) sql_type: SqlType,
    /// Why it can't be read. With [`Refusal::Order`], it has the right items in an order that nothing gives.
    pub(super) refused: Option<Refusal>,
}

/// What is known of the order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowOrder {
    Any,
    Given,
    /// There is at most one row.
    AtMostOne,
}

impl RowOrder {
    pub(super) fn is_given(self) -> bool {
        self != Self::Any
    }
}

impl OutputColumn {
    pub(super) fn value(&self) -> Result<Expr, Refusal> {
        match &self.refused {
            Some(refusal) => Err(refusal.clone()),
            None => Ok(Expr::Column(self.column.clone())),
        }
    }

    /// The value with its type.
    pub(super) fn typed(&self) -> Result<(Expr, SqlType), Refusal> {
        Ok((self.value()?, self.sql_type.clone()))
    }

    /// What stands for the column in new columns over the same rows, whether it can be read or not.
    pub(super) fn carried(&self) -> Result<(Expr, SqlType), Refusal> {
        match &self.refused {
            None | Some(Refusal::Order(_)) => Ok((Expr::Column(self.column.clone()), self.sql_type.clone())),
            Some(_) => Ok((null(&SqlType::Null)?, SqlType::Null)),
        }
    }

    /// The value for a use to which the order of its items does not matter.
    pub(super) fn unordered(&self) -> Result<Expr, Refusal> {
        match &self.refused {
            Some(Refusal::Order(_)) => Ok(Expr::Column(self.column.clone())),
            _ => self.value(),
        }
    }
}

impl Relation {
    pub(super) fn column(&self, index: usize) -> Result<&OutputColumn, Refusal> {
        let missing = || Refusal::Form(format!("there is no column {index}"));
        self.columns.get(index).ok_or_else(missing)
    }

    pub(super) fn types(&self) -> Vec<SqlType> {
        self.columns.iter().map(|column| column.sql_type.clone()).collect()
    }

    /// The same with these of its columns; all if none are named.
    pub(super) fn mapped(mut self, places: &[usize]) -> Result<Self, Refusal> {
        if !places.is_empty() {
            self.columns =
                places.iter().map(|place| self.column(*place).cloned()).collect::<Result<_, _>>()?;
        }
        Ok(self)
    }
}
