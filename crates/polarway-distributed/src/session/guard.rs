//! Operators that must see all rows in one place.
//!
//! `datafusion-distributed` 3.0 runs a scan as several tasks, and the operators above it in each of them, up to the next operator
//! that brings rows together. Where an operator needs no such one below it, since its input is a single partition already, each
//! task would answer for its own rows, and nothing would say so. The stages of such operators stay one task.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_expr::{Distribution, Partitioning};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use datafusion_distributed::{BroadcastExec, DesiredTaskCountEvent, DesiredTaskCountEventResponse};

use super::splits::file_scan;

/// Keeps a stage to one task if one of its operators must see all rows.
pub(super) fn one_task_for_all_rows(
    event: DesiredTaskCountEvent<'_>,
) -> Option<Result<DesiredTaskCountEventResponse>> {
    let needs_all =
        is_limited_scan(event.plan) || folds_a_scan(event.plan) || relies_on_one_partition(event.plan);
    needs_all.then(|| Ok(DesiredTaskCountEventResponse::maximum(1)))
}

/// A limit inside of a scan would be applied by each of its tasks.
fn is_limited_scan(plan: &Arc<dyn ExecutionPlan>) -> bool {
    file_scan(plan).is_some_and(|scan| scan.limit.is_some())
}

/// Partitions are brought together, but those of other tasks are not: rows of a bare scan are not sent to another stage for that.
fn folds_a_scan(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let folds = plan.is::<CoalescePartitionsExec>() || plan.is::<SortPreservingMergeExec>();
    folds && plan.children().iter().all(|input| input.children().is_empty())
}

/// All rows, or all rows of a key, are in one partition because there is only one.
fn relies_on_one_partition(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let inputs = plan.children().into_iter().zip(plan.required_input_distribution());
    inputs.into_iter().any(|(input, wanted)| {
        !matches!(wanted, Distribution::UnspecifiedDistribution)
            && input.output_partitioning().partition_count() == 1
            && !is_of_all_tasks(input)
    })
}

/// The rows come from all tasks of other stages.
fn is_of_all_tasks(input: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(repartition) = input.downcast_ref::<RepartitionExec>() {
        return matches!(repartition.partitioning(), Partitioning::Hash(..));
    }
    let coalesce = input.downcast_ref::<CoalescePartitionsExec>();
    coalesce.is_some_and(|coalesce| coalesce.input().is::<BroadcastExec>())
}
