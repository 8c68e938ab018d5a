//! How a join is spread: which side is hashed, and whether that side is sent to all workers or both sides are split among them.
//!
//! DataFusion decides by estimates for one process, in which a join is as small as its smaller side: that of a large table with a tiny
//! one would be sent to all workers whole. And it sends no side above a fixed size, however large the other one is, whose rows would
//! all have to move then. Here it is decided by what moves fewer rows.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{JoinType, Result};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PartitionMode};

use super::rules::PhysicalRules;

/// What part of the rows passes a filter, as DataFusion assumes it as well.
const PASSING: f64 = 0.2;

/// How many times as much work a row is that is sent to a worker and hashed there, compared with one that is split off.
const SENT: f64 = 2.0;

/// A side with so few rows is always sent.
const FEW: f64 = 1_000.0;

/// The most rows of a side that is sent: each worker holds all of them.
const MOST_SENT: f64 = 4e6;

/// DataFusion's rule that decides how joins are run. Those after it bring rows to where a join needs them.
const DECIDES: &str = "join_selection";

/// Decides it for queries over so many workers.
pub(super) fn spread(rules: &mut PhysicalRules, workers: usize) {
    let after = rules.iter().position(|rule| rule.name() == DECIDES).map_or(0, |place| place + 1);
    rules.insert(after, Arc::new(SpreadJoins { workers }));
}

/// Decides it for each join by equal keys.
#[derive(Debug)]
struct SpreadJoins {
    workers: usize,
}

impl PhysicalOptimizerRule for SpreadJoins {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let spread = plan.transform_up(|node| {
            let Some(join) = node.downcast_ref::<HashJoinExec>() else { return Ok(Transformed::no(node)) };
            // Whether there is a NULL on the other side is known only where all of it is.
            if join.null_aware {
                return Ok(Transformed::no(node));
            }
            let (left, right) = (Likely::of(join.left()).rows, Likely::of(join.right()).rows);
            let is_swapped = right < left && join.join_type().supports_swap();
            let (hashed, other) = if is_swapped { (right, left) } else { (left, right) };
            let mode = self.mode(hashed, other);
            Ok(Transformed::yes(match is_swapped {
                true => join.swap_inputs(mode)?,
                false => Arc::new(join.builder().with_partition_mode(mode).build()?),
            }))
        });
        Ok(spread?.data)
    }

    fn name(&self) -> &'static str {
        "spread_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl SpreadJoins {
    fn mode(&self, hashed: f64, other: f64) -> PartitionMode {
        let sent = hashed * SENT * self.workers.saturating_sub(1) as f64;
        match hashed <= FEW || (sent <= other && hashed <= MOST_SENT) {
            true => PartitionMode::CollectLeft,
            false => PartitionMode::Partitioned,
        }
    }
}

/// How many rows a plan may give, for comparing plans.
#[derive(Debug, Clone, Copy)]
struct Likely {
    rows: f64,
    /// How many they would be without filters.
    of: f64,
}

impl Likely {
    fn of(plan: &Arc<dyn ExecutionPlan>) -> Self {
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            return Self::of(join.left()).joined(Self::of(join.right()), *join.join_type());
        }
        let children = plan.children();
        let inputs = children.iter().map(|child| Self::of(child));
        if children.is_empty() {
            let statistics = plan.partition_statistics(None).ok();
            let rows = statistics.and_then(|statistics| statistics.num_rows.get_value().copied());
            Self::whole(rows.map_or(f64::MAX, |rows| rows.max(1) as f64))
        } else if plan.is::<NestedLoopJoinExec>() || plan.is::<CrossJoinExec>() {
            Self::whole(inputs.map(|input| input.rows).product())
        } else if plan.downcast_ref::<AggregateExec>().is_some_and(|grouped| grouped.group_expr().is_empty())
        {
            Self::whole(1.0)
        } else {
            let all = inputs.reduce(|one, other| Self { rows: one.rows + other.rows, of: one.of + other.of });
            let all = all.unwrap_or(Self::whole(1.0));
            let part = if plan.is::<FilterExec>() { PASSING } else { 1.0 };
            let most = plan.fetch().map_or(f64::MAX, |most| most as f64);
            Self { rows: (all.rows * part).min(most), ..all }
        }
    }

    fn whole(rows: f64) -> Self {
        Self { rows, of: rows }
    }

    /// Joined along a key of the smaller table: a row of the larger one has a partner if that is not filtered out.
    fn joined(self, other: Self, join_type: JoinType) -> Self {
        let (small, large) = if self.of <= other.of { (self, other) } else { (other, self) };
        let with_partner = |kept: Self, from: Self| Self { rows: kept.rows * (from.rows / from.of), ..kept };
        match join_type {
            JoinType::Inner => with_partner(large, small),
            JoinType::Left | JoinType::Right | JoinType::Full => large,
            JoinType::LeftSemi => with_partner(self, other),
            JoinType::RightSemi => with_partner(other, self),
            JoinType::LeftAnti => Self { rows: self.rows * PASSING, ..self },
            JoinType::RightAnti => Self { rows: other.rows * PASSING, ..other },
            JoinType::LeftMark => self,
            JoinType::RightMark => other,
        }
    }
}
