//! Small tables that every task of a join reads for itself.
//!
//! `datafusion-distributed` sends the side of a join that all tasks need from a stage of its own. For a table of a few rows that stage
//! costs more than the rows: a task is started, and each reader has streams to it. Files are the same for all workers, so a task
//! reads a small one itself.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion_distributed::{
    BroadcastExec, DistributedLeafExec, NetworkBoundary as _, NetworkBoundaryExt as _, NetworkBroadcastExec,
    Stage,
};

use super::splits::file_scan;

/// A plan whose tasks read the sides of their joins that have at most so many bytes of files.
pub(super) fn read_by_each_task(plan: Arc<dyn ExecutionPlan>, most: u64) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|node| {
        let Some(side) = small_side(&node, most) else { return Ok(Transformed::no(node)) };
        Ok(Transformed::yes(in_each_task(side)?))
    })?;
    match plan.transformed {
        true => numbered(plan.data),
        false => Ok(plan.data),
    }
}

/// What a stage sends to all tasks, if it is little to read and to compute.
fn small_side(node: &Arc<dyn ExecutionPlan>, most: u64) -> Option<Arc<dyn ExecutionPlan>> {
    let Stage::Local(stage) = node.downcast_ref::<NetworkBroadcastExec>()?.input_stage() else { return None };
    let side = stage.plan.downcast_ref::<BroadcastExec>()?.input();
    (bytes(side)? <= most).then(|| Arc::clone(side))
}

/// The bytes of the files below operators that give the same rows wherever they run; `None` if there are others.
fn bytes(node: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    if node.fetch().is_some() {
        return None;
    }
    if let Some(leaf) = node.downcast_ref::<DistributedLeafExec>() {
        return bytes(leaf.original());
    }
    if let Some(scan) = file_scan(node) {
        let files = scan.file_groups.iter().flat_map(|group| group.iter());
        return Some(files.map(|file| file.object_meta.size).sum());
    }
    let is_plain = node.is::<ProjectionExec>()
        || node.is::<FilterExec>()
        || node.is::<HashJoinExec>()
        || node.is::<CooperativeExec>()
        || node.is::<CoalescePartitionsExec>()
        || input_of_more_threads(node).is_some();
    is_plain.then(|| node.children().into_iter().map(bytes).sum())?
}

/// What is below an operator that only gives the rows to more threads or tasks.
fn input_of_more_threads(node: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    if let Some(broadcast) = node.downcast_ref::<BroadcastExec>() {
        return Some(broadcast.input());
    }
    let repartition = node.downcast_ref::<RepartitionExec>()?;
    matches!(repartition.partitioning(), Partitioning::RoundRobinBatch(_)).then(|| repartition.input())
}

/// A stage as a part of another one, all of whose tasks read all of it.
fn in_each_task(side: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let whole = side.transform_up(|node| {
        let leaf = node.downcast_ref::<DistributedLeafExec>().map(DistributedLeafExec::original);
        let simpler = leaf.or_else(|| input_of_more_threads(&node)).map(Arc::clone);
        Ok(simpler.map_or_else(|| Transformed::no(node), Transformed::yes))
    });
    Ok(whole?.data)
}

/// The stages of a plan, numbered again without gaps.
fn numbered(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let mut last = 0;
    let numbered = plan.transform_up(|node| {
        let Some(boundary) = node.as_network_boundary() else { return Ok(Transformed::no(node)) };
        let Stage::Local(stage) = boundary.input_stage() else { return Ok(Transformed::no(node)) };
        let mut stage = stage.clone();
        last += 1;
        stage.num = last;
        Ok(Transformed::yes(boundary.with_input_stage(Stage::Local(stage))?))
    });
    Ok(numbered?.data)
}
