//! A limit inside of a scan would be applied by each of its tasks: too many rows would come out, and nothing would say so.

use datafusion::common::Result;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion_distributed::{DesiredTaskCountEvent, DesiredTaskCountEventResponse};

/// Keeps a stage with a limited scan to one task.
pub(super) fn one_task_for_a_limit(
    event: DesiredTaskCountEvent<'_>,
) -> Option<Result<DesiredTaskCountEventResponse>> {
    let source = event.plan.downcast_ref::<DataSourceExec>()?;
    let scan = source.data_source().downcast_ref::<FileScanConfig>()?;
    scan.limit.map(|_| Ok(DesiredTaskCountEventResponse::maximum(1)))
}
