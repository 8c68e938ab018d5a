//! What a plan of another worker may contain: operators that read pinned files and compute, and nothing else.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileScanConfig, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::{
    WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse, WorkerPlanRewriteHandler,
};
use tokio_util::sync::CancellationToken;

use crate::counters::Counters;
use crate::session;
use crate::store::{FILES_URL, PinnedStore};

/// The operators that only compute, by name.
const OPERATORS: &[&str] = &[
    "AggregateExec",
    "BoundedWindowAggExec",
    "BroadcastExec",
    "BufferExec",
    "ChildrenIsolatorUnionExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "CrossJoinExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "HashJoinExec",
    "InterleaveExec",
    "LocalLimitExec",
    "NestedLoopJoinExec",
    "NetworkBroadcastExec",
    "NetworkCoalesceExec",
    "NetworkShuffleExec",
    "PartialSortExec",
    "PiecewiseMergeJoinExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "RepartitionExec",
    "SamplerExec",
    "SortExec",
    "SortMergeJoinExec",
    "SortPreservingMergeExec",
    "SymmetricHashJoinExec",
    "UnionExec",
    "UnnestExec",
    "WindowAggExec",
];

/// Refuses plans that do more than compute over the pinned files of their query, and lets the others stop with it.
pub(super) struct OnlyPinnedPlans {
    pub(super) store: Arc<PinnedStore>,
    pub(super) stopped: CancellationToken,
    pub(super) counters: Arc<Counters>,
}

impl WorkerPlanRewriteHandler for OnlyPinnedPlans {
    fn rewrite_worker_plan(
        &self,
        event: WorkerPlanRewriteEvent<'_>,
    ) -> Result<WorkerPlanRewriteEventResponse> {
        let checked = event.plan.apply(|node| {
            self.check(node)?;
            Ok(TreeNodeRecursion::Continue)
        });
        match &checked {
            Ok(_) => self.counters.plans.add(1),
            Err(error) => {
                tracing::warn!(reason = error.strip_backtrace(), "a plan of another worker was refused");
                self.counters.plans_refused.add(1);
            }
        }
        checked?;
        Ok(WorkerPlanRewriteEventResponse::new(session::stop_with(event.plan, &self.stopped)?))
    }
}

impl OnlyPinnedPlans {
    fn check(&self, node: &Arc<dyn ExecutionPlan>) -> Result<()> {
        let Some(source) = node.downcast_ref::<DataSourceExec>() else {
            // Some operators add to their name how they work: `SortExec(TopK)`.
            let name = node.name().split('(').next().unwrap_or_default();
            return match OPERATORS.contains(&name) {
                true => Ok(()),
                false => plan_err!("a plan of a query can't have the operator {}", node.name()),
            };
        };
        let source = source.data_source();
        if source.downcast_ref::<MemorySourceConfig>().is_some() {
            return Ok(());
        }
        let Some(scan) = source.downcast_ref::<FileScanConfig>() else {
            return plan_err!("a plan of a query can't have this source of rows");
        };
        if scan.object_store_url.as_str().trim_end_matches('/') != FILES_URL {
            return plan_err!("a query reads its pinned files alone, not {}", scan.object_store_url);
        }
        if scan.file_source().downcast_ref::<ParquetSource>().is_none() {
            return plan_err!("a query reads Parquet files alone");
        }
        for file in scan.file_groups.iter().flat_map(|group| group.iter()) {
            let meta = &file.object_meta;
            match self.store.pinned(&meta.location) {
                Some(pinned) if pinned.bytes == meta.size => {}
                _ => return plan_err!("the file {} is not among the query's", meta.location),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::FileScanConfigBuilder;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::analyze::AnalyzeExec;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

    use super::*;
    use crate::store::tests::one_file;

    fn scan(url: &str, file: PartitionedFile) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let source = Arc::new(ParquetSource::new(schema));
        let config =
            FileScanConfigBuilder::new(ObjectStoreUrl::parse(url).unwrap(), source).with_file(file).build();
        // Below another operator: a plan is checked to its leaves.
        Arc::new(CoalescePartitionsExec::new(DataSourceExec::from_data_source(config)))
    }

    fn check(plan: Arc<dyn ExecutionPlan>) -> Result<(), String> {
        let config = datafusion::prelude::SessionConfig::new();
        let event = WorkerPlanRewriteEvent { plan, session_config: &config };
        let counters = Arc::<Counters>::default();
        let (store, stopped) = (one_file().0, CancellationToken::new());
        let handler = OnlyPinnedPlans { store, stopped, counters: Arc::clone(&counters) };
        let checked = handler.rewrite_worker_plan(event).map(drop).map_err(|error| error.to_string());
        let counted = counters.now();
        assert_eq!((counted.plans, counted.plans_refused), if checked.is_ok() { (1, 0) } else { (0, 1) });
        checked
    }

    #[test]
    fn a_plan_reads_the_pinned_files_and_nothing_else() {
        let pinned = || PartitionedFile::new("0", 10);
        assert_eq!(check(scan(FILES_URL, pinned())), Ok(()));
        for (url, file, why) in [
            ("file:///", pinned(), "not file:"),
            ("s3://bucket", pinned(), "not s3:"),
            ("pinned://files2", pinned(), "not pinned://files2"),
            (FILES_URL, PartitionedFile::new("1", 10), "not among"),
            (FILES_URL, PartitionedFile::new("0", 11), "not among"),
            (FILES_URL, PartitionedFile::new("etc/passwd", 10), "not among"),
        ] {
            let refused = check(scan(url, file)).unwrap_err();
            assert!(refused.contains(why), "{url}: {refused}");
        }
    }

    #[test]
    fn an_operator_that_does_more_than_compute_is_refused() {
        let inner = scan(FILES_URL, PartitionedFile::new("0", 10));
        let schema = Arc::new(Schema::new(vec![
            Field::new("type", DataType::Utf8, false),
            Field::new("plan", DataType::Utf8, false),
        ]));
        let plan = Arc::new(AnalyzeExec::new(false, false, vec![], None, inner, schema));
        assert!(check(plan).unwrap_err().contains("AnalyzeExec"));
    }
}
