//! The sessions of a query, on its coordinator and on its workers.
//!
//! Settings of a session don't travel with a plan, so all of them come from here.

mod conditions;
mod guard;
mod joins;
mod projections;
mod rules;
mod runtime;
mod small_sides;
mod splits;
mod stopping;

pub use rules::{optimizer_rules, physical_optimizer_rules};
pub(crate) use runtime::{Spill, WorkerRuntime};
pub(crate) use stopping::stop_with;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{AggregateUDF, LogicalPlan, ScalarUDF, WindowUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion_distributed::{
    ChannelResolver, DistributedConfig, DistributedExt as _, DistributedTaskContext,
    SessionStateBuilderExt as _, WorkerPlanRewriteHandler, WorkerResolver,
};

use crate::channels::{QueryChannels, UNREAD_BYTES};
use crate::keep::{KeepCodec, KeptByTasks, Place};

/// The functions that plans may call beside those of DataFusion. All workers of a version have the same.
#[derive(Debug, Clone, Default)]
pub struct Functions {
    /// Functions of a row's values.
    pub scalar: Vec<Arc<ScalarUDF>>,
    /// Functions of the values of a group.
    pub aggregate: Vec<Arc<AggregateUDF>>,
    /// Functions of a window.
    pub window: Vec<Arc<WindowUDF>>,
}

/// A plan of one partition has nothing that brings rows together, and would stay on one worker.
const FEWEST_PARTITIONS: usize = 2;

/// Whole numbers that are keys of a join have a place each if they are this close together, which takes 4 MiB: a key is found there
/// without a hash.
const DIRECT_KEYS: usize = 1 << 20;

/// How a query is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The partitions of each task, as many as a worker gives threads to a query.
    pub partitions: usize,
    /// The bytes of files that a partition reads: a scan is spread over as many tasks as it fills.
    pub bytes_per_partition: usize,
    /// The bytes of files that each task of a join reads for itself. Larger tables are read by tasks that send the rows to all of them.
    pub bytes_of_each_task: u64,
}

impl Default for Spread {
    fn default() -> Self {
        let partitions = std::thread::available_parallelism().map_or(FEWEST_PARTITIONS, usize::from);
        Self {
            partitions: partitions.max(FEWEST_PARTITIONS),
            bytes_per_partition: 16 << 20,
            bytes_of_each_task: 1 << 20,
        }
    }
}

/// The settings that must be the same on all workers of a query.
fn settings(partitions: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions)
        .with_information_schema(false)
        .with_collect_statistics(false);
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".into());
    options.execution.perfect_hash_join_small_build_threshold = DIRECT_KEYS;
    // Filters that a join or a sort finds while it runs would have to cross to other workers, which they can't.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    config
}

fn with_functions(mut builder: SessionStateBuilder, functions: &Functions) -> SessionStateBuilder {
    builder.scalar_functions().get_or_insert_default().extend(functions.scalar.iter().cloned());
    builder.aggregate_functions().get_or_insert_default().extend(functions.aggregate.iter().cloned());
    builder.window_functions().get_or_insert_default().extend(functions.window.iter().cloned());
    builder
}

/// The session in which a coordinator plans a query and runs the last stage.
pub(crate) fn coordinator(
    spread: Spread,
    functions: &Functions,
    runtime: Arc<RuntimeEnv>,
    workers: impl WorkerResolver + 'static,
    channels: QueryChannels,
    kept: Option<Arc<Place>>,
) -> Result<SessionState> {
    let reports = channels.reports.is_some();
    let physical_rules = physical_optimizer_rules(workers.get_urls()?.len());
    let mut builder = SessionStateBuilder::new().with_default_features();
    builder = with_functions(builder, functions)
        .with_config(settings(spread.partitions))
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rules(physical_rules)
        .with_runtime_env(runtime)
        .with_distributed_worker_resolver(workers)
        .with_distributed_channel_resolver(channels)
        .with_distributed_user_codec(KeepCodec)
        .with_physical_optimizer_rule(Arc::new(stopping::YieldingJoins))
        .with_distributed_planner()
        .with_distributed_file_scan_config_bytes_per_partition(spread.bytes_per_partition)?
        .with_distributed_metrics_collection(reports)?
        .with_distributed_worker_connection_buffer_budget_bytes(UNREAD_BYTES)?
        // The network between workers is faster than a compression, which took a seventh of the processor's time.
        .with_distributed_compression(None)?
        .with_distributed_scale_up_leaf_node_handler(splits::neighbouring_ranges)
        .with_distributed_desired_task_count_handler(guard::one_task_for_all_rows);
    if let Some(place) = kept {
        // After all rules that make the plan: it is over the whole of it.
        builder = builder.with_physical_optimizer_rule(Arc::new(KeptByTasks(place)));
    }
    Ok(builder.build())
}

/// A query in stages, as its coordinator runs it.
pub(crate) async fn in_stages(
    session: &SessionState,
    query: &LogicalPlan,
    spread: Spread,
) -> Result<Arc<dyn ExecutionPlan>> {
    small_sides::read_by_each_task(session.create_physical_plan(query).await?, spread.bytes_of_each_task)
}

/// The session of a task on a worker. Of what its coordinator has set, it keeps the task's place and how rows travel.
pub(crate) fn worker(
    mut given: SessionStateBuilder,
    partitions: usize,
    functions: &Functions,
    channels: impl ChannelResolver + Send + Sync + 'static,
    check: impl WorkerPlanRewriteHandler,
) -> SessionState {
    let sent = given.config().take().unwrap_or_default();
    let mut config = settings(partitions);
    if let Some(place) = sent.get_extension::<DistributedTaskContext>() {
        config = config.with_extension(place);
    }
    if let Some(distributed) = sent.options().extensions.get::<DistributedConfig>() {
        config.set_distributed_option_extension(distributed.clone());
    }
    with_functions(given, functions)
        .with_config(config)
        .with_distributed_channel_resolver(channels)
        .with_distributed_user_codec(KeepCodec)
        .with_distributed_worker_plan_rewrite_handler(check)
        .build()
}
