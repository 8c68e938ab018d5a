//! How the operator travels in plans: as the id of its handle.

use std::sync::Arc;

use datafusion::common::{Result, internal_err, plan_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::PhysicalExtensionCodec;
use polarway_model::HandleId;

use super::KeepExec;

/// Reads and writes [`KeepExec`] and nothing else.
#[derive(Debug)]
pub(crate) struct KeepCodec;

impl PhysicalExtensionCodec for KeepCodec {
    fn try_decode(
        &self,
        written: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = inputs else {
            return internal_err!("a task keeps the rows of one operator, not of {}", inputs.len());
        };
        let handle = std::str::from_utf8(written).ok().and_then(|text| text.parse::<HandleId>().ok());
        let handle = handle.ok_or_else(|| plan_datafusion_err!("a plan names a handle that can't be one"))?;
        Ok(Arc::new(KeepExec::new(handle, Arc::clone(input))))
    }

    fn try_encode(&self, node: Arc<dyn ExecutionPlan>, into: &mut Vec<u8>) -> Result<()> {
        let Some(keep) = node.downcast_ref::<KeepExec>() else {
            return internal_err!("a plan with the operator {} can't travel", node.name());
        };
        into.extend_from_slice(keep.handle().as_bytes());
        Ok(())
    }
}
