//! Projections over joins that give the columns of one side.
//!
//! DataFusion's rule that moves projections takes the columns of each join for those of its left side, followed by those of its right
//! side. Semi, anti and mark joins have others, and the query fails. The rule moves nothing below a join that has a projection of its
//! own; but it must have moved what a join's condition computes before, since there it takes such a projection for one of both sides,
//! too.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{JoinType, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::projection_pushdown::ProjectionPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::{EmbeddedProjection, ProjectionExec, try_embed_projection};

use super::rules::PhysicalRules;

/// Gives joins of one side a projection of their own before DataFusion's rule sees them.
pub(super) fn protect(rules: &mut PhysicalRules) {
    let moves = ProjectionPushdown::new();
    let places: Vec<usize> = (0..rules.len()).filter(|place| rules[*place].name() == moves.name()).collect();
    for place in places.into_iter().rev() {
        rules.insert(place, Arc::new(ProjectInJoins));
    }
}

#[derive(Debug)]
struct ProjectInJoins;

impl PhysicalOptimizerRule for ProjectInJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let projected = plan.transform_up(|node| {
            let projected = if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
                if let Some(join) = one_sided_hash_join(projection.input()) {
                    try_embed_projection(projection, join)?
                } else if let Some(join) = one_sided_loop_join(projection.input()) {
                    try_embed_projection(projection, join)?
                } else {
                    None
                }
            } else if let Some(join) = one_sided_hash_join(&node).filter(|join| join.projection.is_none()) {
                Some(of_all_columns(join)?)
            } else if one_sided_loop_join(&node).is_some_and(|join| !join.contains_projection()) {
                let moved = ProjectionPushdown::new().optimize(Arc::clone(&node), config)?;
                let join = one_sided_loop_join(&moved).filter(|join| !join.contains_projection());
                Some(join.map(of_all_columns).transpose()?.unwrap_or(moved))
            } else {
                None
            };
            Ok(projected.map_or_else(|| Transformed::no(node), Transformed::yes))
        });
        Ok(projected?.data)
    }

    fn name(&self) -> &'static str {
        "project_in_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn one_sided_hash_join(plan: &Arc<dyn ExecutionPlan>) -> Option<&HashJoinExec> {
    plan.downcast_ref::<HashJoinExec>().filter(|join| is_one_sided(*join.join_type()))
}

fn one_sided_loop_join(plan: &Arc<dyn ExecutionPlan>) -> Option<&NestedLoopJoinExec> {
    plan.downcast_ref::<NestedLoopJoinExec>().filter(|join| is_one_sided(*join.join_type()))
}

fn is_one_sided(join_type: JoinType) -> bool {
    !matches!(join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full)
}

fn of_all_columns<Join: EmbeddedProjection + 'static>(join: &Join) -> Result<Arc<dyn ExecutionPlan>> {
    let all = (0..join.schema().fields().len()).collect();
    Ok(Arc::new(join.with_projection(Some(all))?))
}
