//! Joins that stop with their query.
//!
//! A task ends where it waits. A join finds many pairs for each batch that it waits for, and for few of them it may compute for
//! hours before it has a batch to give. So it yields after some batches ([`YieldingJoins`]), and its filter, which is computed for
//! each batch of pairs, fails as soon as the query is over ([`stop_with`]).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion_distributed::NetworkBoundaryExt as _;
use tokio_util::sync::CancellationToken;

/// Lets joins yield after some batches.
#[derive(Debug)]
pub(super) struct YieldingJoins;

impl PhysicalOptimizerRule for YieldingJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let yielding = plan.transform_up(|node| {
            Ok(match is_join(&node) {
                true => Transformed::yes(Arc::new(CooperativeExec::new(node)) as _),
                false => Transformed::no(node),
            })
        });
        Ok(yielding?.data)
    }

    fn name(&self) -> &'static str {
        "yielding_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_join(node: &Arc<dyn ExecutionPlan>) -> bool {
    node.is::<HashJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<CrossJoinExec>()
        || node.is::<SortMergeJoinExec>()
}

/// A stage of a plan whose joins fail once `stopped` is cancelled. It can't be sent to other workers any more.
pub(crate) fn stop_with(
    stage: Arc<dyn ExecutionPlan>,
    stopped: &CancellationToken,
) -> Result<Arc<dyn ExecutionPlan>> {
    let stopping = stage.transform_down(|node| {
        if node.is_network_boundary() {
            return Ok(Transformed::new(node, false, TreeNodeRecursion::Jump));
        }
        let filtered = stopping_join(&node, stopped)?;
        Ok(filtered.map_or_else(|| Transformed::no(node), Transformed::yes))
    });
    Ok(stopping?.data)
}

/// A join with its filter until the query is over; `None` for other operators, and joins without a filter.
fn stopping_join(
    node: &Arc<dyn ExecutionPlan>,
    stopped: &CancellationToken,
) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        let Some(filter) = join.filter() else { return Ok(None) };
        return Ok(Some(Arc::new(join.builder().with_filter(Some(until(filter, stopped))).build()?)));
    }
    let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() else { return Ok(None) };
    let Some(filter) = join.filter() else { return Ok(None) };
    let builder = NestedLoopJoinExecBuilder::from(join).with_filter(Some(until(filter, stopped)));
    Ok(Some(Arc::new(builder.build()?)))
}

fn until(filter: &JoinFilter, stopped: &CancellationToken) -> JoinFilter {
    let condition = Arc::clone(filter.expression());
    let stopping = Arc::new(UntilStopped { condition, stopped: stopped.clone() });
    JoinFilter::new(stopping, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

/// Why a condition fails: not for anything in the query, so it is left to the calls between workers to say why.
#[derive(Debug, thiserror::Error)]
#[error("the query is over")]
struct QueryOver;

/// A condition that fails once its query is over.
#[derive(Debug)]
struct UntilStopped {
    condition: Arc<dyn PhysicalExpr>,
    stopped: CancellationToken,
}

impl PhysicalExpr for UntilStopped {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        match self.stopped.is_cancelled() {
            true => Err(DataFusionError::External(Box::new(QueryOver))),
            false => self.condition.evaluate(batch),
        }
    }

    fn return_field(&self, input: &Schema) -> Result<FieldRef> {
        self.condition.return_field(input)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.condition]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let condition = children.pop().ok_or_else(|| internal_datafusion_err!("a condition is missing"))?;
        Ok(Arc::new(Self { condition, stopped: self.stopped.clone() }))
    }

    fn fmt_sql(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt_sql(formatter)
    }
}

impl fmt::Display for UntilStopped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.condition, formatter)
    }
}

impl PartialEq for UntilStopped {
    fn eq(&self, other: &Self) -> bool {
        self.condition.eq(&other.condition)
    }
}

impl Eq for UntilStopped {}

impl Hash for UntilStopped {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.condition.hash(state);
    }
}
