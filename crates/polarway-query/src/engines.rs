//! Which engine runs a plan: DuckDB on this worker, or several workers.
//!
//! DuckDB binds the text in any case, so it means the same in both. What several workers can't run exactly, DuckDB runs, and the
//! query's summary says why. Only a query that asks for several workers is refused then.

use std::sync::{Arc, OnceLock};

use polarway_model::{EngineChoice, EngineUsed};

use crate::bound_plan::BoundPlan;
use crate::distributed::{DistributedExecutor, DistributedFailure, DistributedQuery, ResultRows};
use crate::error::Error;
use crate::executor::Executor;
use crate::output::Output;
use crate::plan::{Plan, TableSource};
use crate::status::Phase;

/// The fewest workers over which a query is spread.
const FEWEST_WORKERS: usize = 2;

/// The engine of this worker, which also gives every text its meaning.
pub(crate) trait LocalEngine: Executor {
    /// Binds the plan's text over the types of its tables.
    fn bind(&self, plan: &Plan) -> Result<BoundPlan, Error>;
}

/// The engines for plans.
#[derive(Debug)]
pub(crate) struct Engines {
    local: Arc<dyn LocalEngine>,
    distributed: OnceLock<Arc<dyn DistributedExecutor>>,
    /// Files of so many bytes are reason enough to spread a query.
    distributed_from_bytes: u64,
}

/// Why a plan does not run on several workers.
#[derive(Debug)]
pub(crate) enum Stays {
    /// It is small, or nobody asked for it.
    Unasked,
    /// It can't.
    Unfit(String),
}

impl Engines {
    pub(crate) fn new(local: Arc<dyn LocalEngine>, distributed_from_bytes: u64) -> Self {
        Self { local, distributed: OnceLock::new(), distributed_from_bytes }
    }

    /// `false` if there is one already.
    pub(crate) fn set_distributed(&self, executor: Arc<dyn DistributedExecutor>) -> bool {
        self.distributed.set(executor).is_ok()
    }

    /// Runs a plan to its end, where it belongs.
    pub(crate) fn execute(&self, plan: &Plan, output: &mut Output) -> Result<(), Error> {
        if plan.statement.explained.is_some() {
            return self.local.execute(plan, output);
        }
        let (executor, bound) = match self.choose(plan, output)? {
            Ok(chosen) => chosen,
            Err(Stays::Unasked) => return self.local.execute(plan, output),
            Err(Stays::Unfit(reason)) => return self.stay(plan, output, DistributedFailure::Refused(reason)),
        };
        let mut query = match executor.prepare(plan, &bound) {
            Ok(query) => query,
            Err(reason) => return self.stay(plan, output, DistributedFailure::Refused(reason)),
        };
        match run(&mut *query, plan, &bound, output) {
            Ok(workers) => {
                output.ran_on(EngineUsed::Distributed { workers });
                Ok(())
            }
            Err(failure) => self.stay(plan, output, failure),
        }
    }

    /// Runs a plan in DuckDB that several workers can't run, unless it must run there or has given rows.
    fn stay(&self, plan: &Plan, output: &mut Output, failure: DistributedFailure) -> Result<(), Error> {
        output.check()?;
        if plan.engine == EngineChoice::Distributed || output.has_rows() {
            return Err(failure.into_error());
        }
        let reason = failure.into_reason()?;
        tracing::debug!(reason, "a query runs on one worker");
        output.ran_on(EngineUsed::Local { reason: Some(reason) });
        self.local.execute(plan, output)
    }

    /// The executor over several workers and the bound plan, if the plan is to run there.
    ///
    /// # Errors
    /// What is wrong with the text, whoever runs it, and a stop.
    fn choose(
        &self,
        plan: &Plan,
        output: &Output,
    ) -> Result<Result<(&dyn DistributedExecutor, BoundPlan), Stays>, Error> {
        let executor = match self.wanted(plan) {
            Ok(executor) => executor,
            Err(stays) => return Ok(Err(stays)),
        };
        output.enter(Phase::Planning);
        match self.local.bind(plan) {
            Ok(bound) => Ok(Ok((executor, bound))),
            // DuckDB's own run has the better message, with positions and names that are near.
            Err(error) if plan.engine == EngineChoice::Auto => {
                output.check()?;
                Ok(Err(Stays::Unfit(error.to_string())))
            }
            Err(Error::Unsupported(reason)) => Ok(Err(Stays::Unfit(reason))),
            Err(error) => Err(error),
        }
    }

    /// The executor over several workers, if the plan's size and tables are for it.
    fn wanted(&self, plan: &Plan) -> Result<&dyn DistributedExecutor, Stays> {
        let unfit = |reason: &str| Err(Stays::Unfit(reason.to_owned()));
        let executor = match (plan.engine, self.distributed.get()) {
            (EngineChoice::Distributed, None) => {
                return unfit("this worker is not set up to run queries with others");
            }
            (EngineChoice::Local, _) | (_, None) => return Err(Stays::Unasked),
            (EngineChoice::Auto, _) if plan.bytes() < self.distributed_from_bytes => {
                return Err(Stays::Unasked);
            }
            (_, Some(executor)) => executor,
        };
        if plan.keep.table().is_some() {
            return unfit("its result is kept in the memory of one worker");
        }
        if let Some(kept) = plan.tables.iter().find(|table| matches!(table.source, TableSource::Kept(_))) {
            return Err(Stays::Unfit(format!("{} is in the memory of one worker", kept.described)));
        }
        match executor.workers() {
            workers if workers < FEWEST_WORKERS => Err(Stays::Unfit(format!(
                "it takes {FEWEST_WORKERS} workers, and {workers} can take part now"
            ))),
            _ => Ok(&**executor),
        }
    }
}

fn run(
    query: &mut dyn DistributedQuery,
    plan: &Plan,
    bound: &BoundPlan,
    output: &mut Output,
) -> Result<u32, DistributedFailure> {
    output.check()?;
    output.enter(Phase::Running);
    let mut rows = ResultRows::new(output, &bound.schema, plan.form);
    let workers = query.run(&mut rows)?;
    rows.finish()?;
    Ok(workers)
}
