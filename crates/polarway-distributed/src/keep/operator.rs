//! The operator over a task's plan that keeps its rows.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_distributed::DistributedTaskContext;
use polarway_model::HandleId;

use super::figures::COLUMNS;
use super::{Place, writing};

/// Writes all rows of its input, of all partitions, into one file of a handle, and gives figures of the file.
#[derive(Debug)]
pub(crate) struct KeepExec {
    handle: HandleId,
    input: Arc<dyn ExecutionPlan>,
    /// Where it writes. A plan that came from another worker has none before it was checked.
    place: Option<Arc<Place>>,
    properties: Arc<PlanProperties>,
}

impl KeepExec {
    pub(crate) fn new(handle: HandleId, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&COLUMNS)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self { handle, input, place: None, properties }
    }

    /// What it keeps the rows of.
    pub(crate) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }

    /// The handle that its rows become a part of.
    pub(crate) fn handle(&self) -> HandleId {
        self.handle
    }

    /// The same, which writes there.
    pub(crate) fn writing_to(&self, place: Arc<Place>) -> Self {
        Self { place: Some(place), ..Self::new(self.handle, Arc::clone(&self.input)) }
    }
}

impl DisplayAs for KeepExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "KeepExec: handle={}", self.handle)
    }
}

impl ExecutionPlan for KeepExec {
    fn name(&self) -> &'static str {
        "KeepExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [input] = children.as_slice() else {
            return internal_err!("a task keeps the rows of one operator, not of {}", children.len());
        };
        let place = self.place.clone();
        Ok(Arc::new(Self { place, ..Self::new(self.handle, Arc::clone(input)) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (0, Some(place)) = (partition, &self.place) else {
            return internal_err!("a task keeps its rows once, and where its query says");
        };
        let task = DistributedTaskContext::from_ctx(&context).task_index as u64;
        let rows = CoalescePartitionsExec::new(Arc::clone(&self.input)).execute(0, Arc::clone(&context))?;
        let figures = writing::write(rows, Arc::clone(place), task, context.memory_pool())?;
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&COLUMNS), figures)))
    }
}
