//! Which engine runs a plan: DuckDB on this worker, or several workers.
//!
//! DuckDB binds the text in any case, so it means the same in both. What several workers can't run exactly, DuckDB runs, and the
//! query's summary says why. Only a query that asks for several workers is refused then.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use polarway_model::{EngineChoice, EngineUsed};

use crate::bound_plan::BoundPlan;
use crate::distributed::{DistributedExecutor, DistributedFailure, DistributedQuery, ResultRows};
use crate::distributed_outcome::{CountedOutcomes, DistributedCounts, DistributedOutcome, StayCause};
use crate::error::Error;
use crate::executor::Executor;
use crate::explained;
use crate::output::Output;
use crate::plan::{ExplainFormat, Explained, Plan, TableSource};
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
    outcomes: CountedOutcomes,
}

/// Why a plan does not run on several workers.
enum Stays {
    /// It is small, or nobody asked for it.
    Unasked,
    /// It can't, in these words.
    Unfit(StayCause, String),
}

/// A plan that several workers can run.
struct Spread {
    query: Box<dyn DistributedQuery>,
    /// The columns of its result.
    schema: SchemaRef,
}

impl Engines {
    pub(crate) fn new(local: Arc<dyn LocalEngine>, distributed_from_bytes: u64) -> Self {
        let (distributed, outcomes) = (OnceLock::new(), CountedOutcomes::default());
        Self { local, distributed, distributed_from_bytes, outcomes }
    }

    /// How the queries ended that were to run on several workers.
    pub(crate) fn outcomes(&self) -> DistributedCounts {
        self.outcomes.now()
    }

    /// `false` if there is one already.
    pub(crate) fn set_distributed(&self, executor: Arc<dyn DistributedExecutor>) -> bool {
        self.distributed.set(executor).is_ok()
    }

    /// Whether a plan is to run in DuckDB, which can begin without a request to the storage.
    pub(crate) fn have_at_hand(&self, plan: &Plan) -> bool {
        self.wanted(plan).is_err() && self.local.has_at_hand(plan)
    }

    /// Runs a plan to its end, where it belongs.
    pub(crate) fn execute(&self, plan: &Plan, output: &mut Output) -> Result<(), Error> {
        if let Some(explained) = plan.statement.explained {
            return self.explain(plan, explained, output);
        }
        let (cause, failure) = match self.choose(plan, output)? {
            Err(Stays::Unasked) => return self.local.execute(plan, output),
            Err(Stays::Unfit(cause, reason)) => (cause, DistributedFailure::Refused(reason)),
            Ok(mut spread) => match spread.run(plan, output) {
                Ok(workers) => {
                    self.ran_together(workers, output);
                    return Ok(());
                }
                Err(failure) => (StayCause::of_failure(&failure), failure),
            },
        };
        match why_it_stays(plan, output, failure) {
            Ok(reason) => {
                self.outcomes.count(DistributedOutcome::Local(cause));
                tracing::debug!(reason, "a query runs on one worker");
                output.ran_on(EngineUsed::Local { reason: Some(reason) });
                output.written(0, 0)?; // what the workers wrote is given up
                self.local.execute(plan, output)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    fn ran_together(&self, workers: u32, output: &mut Output) {
        self.outcomes.count(DistributedOutcome::Done);
        output.ran_on(EngineUsed::Distributed { workers });
    }

    fn failed(&self, error: Error) -> Error {
        self.outcomes.count(DistributedOutcome::of_error(&error));
        error
    }

    /// The answer of EXPLAIN: DuckDB's plan, and where the query would run; or only how it would be, or was, spread.
    fn explain(&self, plan: &Plan, explained: Explained, output: &mut Output) -> Result<(), Error> {
        let is_spread = match explained.format {
            ExplainFormat::Distributed => true,
            // It asks what running the query takes where it is to run.
            ExplainFormat::Text => explained.is_analyzed && plan.engine == EngineChoice::Distributed,
            ExplainFormat::Json => false,
        };
        if is_spread {
            let choice = self.choose(plan, output)?;
            let answer = match choice {
                Ok(spread) if explained.is_analyzed => self.analyze(plan, spread, output)?,
                Ok(mut spread) => spread.query.describe().map_err(DistributedFailure::into_error)?,
                Err(stays) => format!("{}\n", stays.sentence()),
            };
            output.check()?;
            output.columns(&explained::columns())?;
            return output.rows(explained::row(&explained::columns(), &answer)?);
        }
        self.local.execute(plan, output)?;
        let (Some(_), Some(columns)) = (self.distributed.get(), output.schema()) else { return Ok(()) };
        let answer = match self.choose(plan, output)? {
            Ok(_) => "several workers would run it".to_owned(),
            Err(stays) => stays.sentence(),
        };
        output.rows(explained::row(&columns, &answer)?)
    }

    /// Runs a plan, drops its rows, and says what that took.
    fn analyze(&self, plan: &Plan, mut spread: Spread, output: &mut Output) -> Result<String, Error> {
        output.check()?;
        output.enter(Phase::Running);
        let mut rows = ResultRows::new(output, &spread.schema, plan.form);
        let analyzed = spread.query.analyze(&mut rows);
        drop(rows);
        let (workers, answer) = analyzed.map_err(|failure| self.failed(failure.into_error()))?;
        self.ran_together(workers, output);
        Ok(answer)
    }

    /// The plan as it would run on several workers, if it is to run there.
    ///
    /// # Errors
    /// What is wrong with the text, whoever runs it, and a stop.
    fn choose(&self, plan: &Plan, output: &Output) -> Result<Result<Spread, Stays>, Error> {
        let executor = match self.wanted(plan) {
            Ok(executor) => executor,
            Err(stays) => return Ok(Err(stays)),
        };
        output.enter(Phase::Planning);
        let bound = match self.local.bind(plan) {
            Ok(bound) => bound,
            // DuckDB's own run has the better message, with positions and names that are near.
            Err(error) if plan.engine == EngineChoice::Auto => {
                output.check()?;
                return Ok(Err(Stays::Unfit(StayCause::Plan, error.to_string())));
            }
            Err(Error::Unsupported(reason)) => return Ok(Err(Stays::Unfit(StayCause::Plan, reason))),
            Err(error) => return Err(error),
        };
        let query = executor.prepare(plan, &bound);
        let unfit = |reason| Stays::Unfit(StayCause::Plan, reason);
        Ok(query.map(|query| Spread { query, schema: bound.schema }).map_err(unfit))
    }

    /// The executor over several workers, if the plan's size and tables are for it.
    fn wanted(&self, plan: &Plan) -> Result<&dyn DistributedExecutor, Stays> {
        let unfit = |cause, reason: String| Err(Stays::Unfit(cause, reason));
        let executor = match (plan.engine, self.distributed.get()) {
            (EngineChoice::Distributed, None) => {
                let reason = "this worker is not set up to run queries with others";
                return unfit(StayCause::Workers, reason.to_owned());
            }
            (EngineChoice::Local, _) | (_, None) => return Err(Stays::Unasked),
            (EngineChoice::Auto, _) if plan.bytes() < self.distributed_from_bytes => {
                return Err(Stays::Unasked);
            }
            (_, Some(executor)) => executor,
        };
        if plan.keep.table().is_some() {
            return unfit(StayCause::Memory, "its result is kept in the memory of one worker".to_owned());
        }
        if let Some(kept) = plan.tables.iter().find(|table| matches!(table.source, TableSource::Kept(_))) {
            return unfit(StayCause::Memory, format!("{} is in the memory of one worker", kept.described));
        }
        match executor.workers() {
            workers if workers < FEWEST_WORKERS => unfit(
                StayCause::Workers,
                format!("it takes {FEWEST_WORKERS} workers, and {workers} can take part now"),
            ),
            _ => Ok(&**executor),
        }
    }
}

/// Why DuckDB now runs a plan that several workers can't run.
///
/// # Errors
/// The query's error, if it must run on several workers, has given rows, or was stopped.
fn why_it_stays(plan: &Plan, output: &Output, failure: DistributedFailure) -> Result<String, Error> {
    output.check()?;
    match plan.engine == EngineChoice::Distributed || output.has_rows() {
        true => Err(failure.into_error()),
        false => failure.into_reason(),
    }
}

impl Spread {
    /// Runs the plan to its end, and returns how many workers took part.
    fn run(&mut self, plan: &Plan, output: &mut Output) -> Result<u32, DistributedFailure> {
        output.check()?;
        output.enter(Phase::Running);
        let mut rows = ResultRows::new(output, &self.schema, plan.form);
        let workers = self.query.run(&mut rows)?;
        rows.finish()?;
        Ok(workers)
    }
}

impl Stays {
    /// The same for a reader of EXPLAIN.
    fn sentence(self) -> String {
        match self {
            Self::Unasked => {
                "one worker would run it: it reads less than what makes several workers worth it, or asks for \
                 one"
                .to_owned()
            }
            Self::Unfit(_, reason) => format!("one worker would run it: {reason}"),
        }
    }
}
