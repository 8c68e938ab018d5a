//! Where the operator comes into a plan.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use datafusion_distributed::{DistributedExec, NetworkBoundaryExt as _};

use super::{KeepExec, Place};

/// Whether the rows of a result have an order that must not be lost.
pub(crate) fn has_order(plan: &LogicalPlan) -> bool {
    match (plan, plan.inputs().as_slice()) {
        (LogicalPlan::Sort(_), _) => true,
        (LogicalPlan::Aggregate(_) | LogicalPlan::Distinct(_), _) => false,
        (_, [input]) => has_order(input),
        _ => false,
    }
}

/// Whether what a plan gives are the figures of tasks that keep its rows.
pub(crate) fn is_kept_by_tasks(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(boundary) = plan.as_network_boundary() {
        return boundary.input_stage().local_plan().is_some_and(is_kept_by_tasks);
    }
    let passes_on = plan.is::<DistributedExec>() || plan.is::<CoalescePartitionsExec>();
    plan.is::<KeepExec>() || passes_on && plan.children().into_iter().all(is_kept_by_tasks)
}

/// Has the tasks of the last stage keep their rows, where there are several: all rows of one partition are one task's.
#[derive(Debug)]
pub(crate) struct KeptByTasks(pub(crate) Arc<Place>);

impl PhysicalOptimizerRule for KeptByTasks {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if plan.output_partitioning().partition_count() == 1 {
            return Ok(plan);
        }
        let keep = KeepExec::new(self.0.handle, plan).writing_to(Arc::clone(&self.0));
        // A stage ends below this operator.
        Ok(Arc::new(CoalescePartitionsExec::new(Arc::new(keep))))
    }

    fn name(&self) -> &'static str {
        "kept_by_tasks"
    }

    fn schema_check(&self) -> bool {
        false // figures take the place of rows
    }
}
