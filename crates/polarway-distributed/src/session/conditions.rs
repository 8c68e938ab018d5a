//! Conditions of filters that are computed together.
//!
//! Where few rows pass the first of several conditions, DataFusion takes these rows out, computes the next condition for them, and puts
//! the answers back row by row. For a comparison of numbers this takes several times as long as to compare all rows.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_expr::{
    PhysicalExpr, ScalarFunctionExpr, conjunction, split_conjunction, utils::collect_columns,
};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};

use crate::functions::ALL_OF;

/// Computes comparisons of numbers for all rows, before a filter's other conditions.
#[derive(Debug)]
pub(super) struct CompareTogether;

impl PhysicalOptimizerRule for CompareTogether {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config = Arc::new(config.clone());
        let compared = plan.transform_up(|node| {
            let filter = node.downcast_ref::<FilterExec>();
            let together = filter.map(|filter| together(filter, &config)).transpose()?.flatten();
            Ok(together.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        Ok(compared?.data)
    }

    fn name(&self) -> &'static str {
        "compare_together"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The filter, if it has several such comparisons.
fn together(filter: &FilterExec, config: &Arc<ConfigOptions>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let schema = filter.input().schema();
    let conditions = split_conjunction(filter.predicate()).into_iter().cloned();
    let (comparisons, others): (Vec<_>, Vec<_>) = conditions.partition(|condition| {
        compares_plain_values(condition)
            && collect_columns(condition)
                .iter()
                .all(|column| schema.field(column.index()).data_type().is_primitive())
    });
    if comparisons.len() < 2 {
        return Ok(None);
    }
    let all_of = Arc::new(ALL_OF.to_udf());
    let all_of = ScalarFunctionExpr::try_new(all_of, comparisons, &schema, Arc::clone(config))?;
    let all: Arc<dyn PhysicalExpr> = Arc::new(all_of);
    let predicate = conjunction(std::iter::once(all).chain(others));
    Ok(Some(Arc::new(FilterExecBuilder::from(filter).with_predicate(predicate).build()?)))
}

/// Whether it compares columns and constants by their order. What equalities say of columns is of use to later rules.
fn compares_plain_values(condition: &Arc<dyn PhysicalExpr>) -> bool {
    let is_plain = |side: &Arc<dyn PhysicalExpr>| side.is::<Column>() || side.is::<Literal>();
    condition.downcast_ref::<BinaryExpr>().is_some_and(|comparison| {
        matches!(comparison.op(), Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq)
            && is_plain(comparison.left())
            && is_plain(comparison.right())
    })
}
