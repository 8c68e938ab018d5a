//! Which task reads what of a scan.
//!
//! A file is split into ranges of bytes, and a row group is read with the range in which it begins. Ranges are often not much larger
//! than row groups, so some have two of these and others one. A task gets neighbours: together they have as many row groups as a range of
//! their size. `datafusion-distributed` would deal the ranges out in turn, and one of three tasks could get all that have two.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::datasource::physical_plan::{FileGroup, FileGroupPartitioner, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};
use datafusion_distributed::{DistributedLeafExec, ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse};

/// A scan of files; `None` for other operators.
pub(super) fn file_scan(node: &Arc<dyn ExecutionPlan>) -> Option<&FileScanConfig> {
    node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref()
}

/// Splits a scan of files among the tasks of its stage.
pub(super) fn neighbouring_ranges(
    event: ScaleUpLeafNodeEvent<'_>,
) -> Option<Result<ScaleUpLeafNodeEventResponse>> {
    let scan = file_scan(event.plan)?;
    if scan.partitioned_by_file_group {
        return None;
    }
    let partitions = event.plan.output_partitioning().partition_count();
    let ranges = FileGroupPartitioner::new()
        .with_target_partitions(partitions * event.task_count)
        .with_repartition_file_min_size(0)
        .with_preserve_order_within_groups(!scan.output_ordering.is_empty())
        .repartition_file_groups(&scan.file_groups)
        .unwrap_or_else(|| scan.file_groups.clone());
    let mut without_files = scan.clone();
    without_files.file_groups.clear();
    let of_tasks = dealt(ranges, event.task_count).into_iter().map(|file_groups| {
        let mut of_task = without_files.clone();
        of_task.file_groups = file_groups;
        DataSourceExec::from_data_source(of_task) as Arc<dyn ExecutionPlan>
    });
    let leaf = DistributedLeafExec::try_new(Arc::clone(event.plan), of_tasks);
    Some(leaf.map(|leaf| ScaleUpLeafNodeEventResponse::new(Arc::new(leaf))))
}

/// Neighbours together, the same number to each task if possible.
fn dealt(ranges: Vec<FileGroup>, tasks: usize) -> Vec<Vec<FileGroup>> {
    let count = ranges.len();
    let mut dealt = vec![Vec::new(); tasks];
    for (place, range) in ranges.into_iter().enumerate() {
        dealt[place * tasks / count].push(range);
    }
    dealt
}

#[cfg(test)]
mod tests {
    use datafusion::datasource::listing::PartitionedFile;

    use super::*;

    #[test]
    fn each_task_gets_neighbours_and_none_many_more_than_another() {
        for (ranges, tasks, expected) in
            [(6, 3, vec![2, 2, 2]), (5, 3, vec![2, 2, 1]), (2, 3, vec![1, 1, 0]), (0, 2, vec![0, 0])]
        {
            let range = |number: u64| FileGroup::new(vec![PartitionedFile::new("f", number)]);
            let dealt = dealt((0..ranges).map(range).collect(), tasks);
            let sizes: Vec<u64> = dealt
                .iter()
                .flatten()
                .flat_map(|group| group.iter())
                .map(|file| file.object_meta.size)
                .collect();
            assert_eq!(sizes, (0..ranges).collect::<Vec<_>>());
            assert_eq!(dealt.iter().map(Vec::len).collect::<Vec<_>>(), expected);
        }
    }
}
