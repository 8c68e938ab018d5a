//! What a plan of another worker may contain: operators that read pinned files and compute, over all of them one that keeps the
//! rows of a result that is kept, and nothing else.

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
use crate::keep::{KeepExec, Place};
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

/// Refuses plans that do more than compute over the pinned files of their query and keep its result, and lets the others stop with it.
pub(super) struct OnlyPinnedPlans {
    pub(super) store: Arc<PinnedStore>,
    pub(super) stopped: CancellationToken,
    pub(super) counters: Arc<Counters>,
    /// Where the query's result is kept, if it is.
    pub(super) place: Option<Arc<Place>>,
}

impl WorkerPlanRewriteHandler for OnlyPinnedPlans {
    fn rewrite_worker_plan(
        &self,
        event: WorkerPlanRewriteEvent<'_>,
    ) -> Result<WorkerPlanRewriteEventResponse> {
        let checked = self.check_kept(&event.plan).and_then(|below| {
            below.apply(|node| {
                self.check(node)?;
                Ok(TreeNodeRecursion::Continue)
            })
        });
        match &checked {
            Ok(_) => self.counters.plans.add(1),
            Err(error) => {
                tracing::warn!(reason = error.strip_backtrace(), "a plan of another worker was refused");
                self.counters.plans_refused.add(1);
            }
        }
        checked?;
        let plan = self.writing_to_its_place(event.plan);
        Ok(WorkerPlanRewriteEventResponse::new(session::stop_with(plan, &self.stopped)?))
    }
}

impl OnlyPinnedPlans {
    /// Checks whether a plan may keep its rows, if it does, and returns what is below.
    fn check_kept<'p>(&self, plan: &'p Arc<dyn ExecutionPlan>) -> Result<&'p Arc<dyn ExecutionPlan>> {
        let Some(keep) = plan.downcast_ref::<KeepExec>() else { return Ok(plan) };
        match &self.place {
            None => plan_err!("a plan can't keep rows of a query whose result is not kept"),
            Some(place) if place.handle != keep.handle() => {
                plan_err!("a plan can't keep rows in another handle than its query's")
            }
            Some(_) => Ok(keep.input()),
        }
    }

    /// A plan that was checked, which knows where it keeps its rows, if it does.
    fn writing_to_its_place(&self, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        match (plan.downcast_ref::<KeepExec>(), &self.place) {
            (Some(keep), Some(place)) => Arc::new(keep.writing_to(Arc::clone(place))),
            _ => plan,
        }
    }

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
    use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::FileScanConfigBuilder;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::physical_plan::analyze::AnalyzeExec;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use polarway_model::HandleId;
    use polarway_query::{CatalogError, ResultFile, ResultFiles};
    use uuid::Uuid;

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

    /// Writes no file: a plan that is checked is not run.
    #[derive(Debug)]
    struct NoFiles;

    impl ResultFiles for NoFiles {
        fn create(&self, _: HandleId, _: Uuid, _: SchemaRef) -> Result<Box<dyn ResultFile>, CatalogError> {
            panic!("a plan was run");
        }
    }

    fn place(handle: HandleId) -> Arc<Place> {
        let (files, columns) = (Arc::new(NoFiles), Arc::new(Schema::empty()));
        let (stopped, census) = (CancellationToken::new(), Arc::default());
        Arc::new(Place { files, handle, columns, attempt: Uuid::nil(), stopped, census })
    }

    fn check(plan: Arc<dyn ExecutionPlan>) -> Result<(), String> {
        check_with(plan, None)
    }

    fn check_with(plan: Arc<dyn ExecutionPlan>, place: Option<Arc<Place>>) -> Result<(), String> {
        let config = datafusion::prelude::SessionConfig::new();
        let event = WorkerPlanRewriteEvent { plan, session_config: &config };
        let counters = Arc::<Counters>::default();
        let (store, stopped) = (one_file().0, CancellationToken::new());
        let handler = OnlyPinnedPlans { store, stopped, counters: Arc::clone(&counters), place };
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

    #[test]
    fn a_plan_keeps_rows_only_where_its_query_says_and_only_all_of_them() {
        let handle = |bits| HandleId::from_bits([bits; 16]);
        let scanned = || scan(FILES_URL, PartitionedFile::new("0", 10));
        let kept = |bits, plan| Arc::new(KeepExec::new(handle(bits), plan)) as Arc<dyn ExecutionPlan>;
        let own = || Some(place(handle(1)));
        assert_eq!(check_with(kept(1, scanned()), own()), Ok(()));
        assert_eq!(check_with(scanned(), own()), Ok(()));
        let folded = Arc::new(CoalescePartitionsExec::new(kept(1, scanned())));
        for (plan, place, why) in [
            (kept(1, scanned()), None, "not kept"),
            (kept(2, scanned()), own(), "another handle"),
            (kept(1, kept(1, scanned())), own(), "can't have the operator KeepExec"),
            (folded as _, own(), "can't have the operator KeepExec"),
            (kept(1, scan("file:///", PartitionedFile::new("0", 10))), own(), "not file:"),
        ] {
            let refused = check_with(plan, place).unwrap_err();
            assert!(refused.contains(why), "{why}: {refused}");
        }
    }
}
