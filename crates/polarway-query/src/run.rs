//! One query on its own thread: gate, resolve, execute, and what is repeated when other queries caused a failure.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use tracing::Span;
use uuid::Uuid;

use crate::catalog::{Catalog, Reference};
use crate::config::QueryOptions;
use crate::engine::Shared;
use crate::error::Error;
use crate::output::Output;
use crate::parameters::ParameterValues;
use crate::plan::{Plan, PlanLimits, PlannedTable, ResultForm};
use crate::resolve::{Held, resolve, suppose};
use crate::status::Phase;

/// How often a query that waits to run again checks whether it can.
const PAUSE: Duration = Duration::from_millis(10);

/// A query that has a slot.
pub(crate) struct Run {
    shared: Arc<Shared>,
    catalog: Arc<dyn Catalog>,
    options: QueryOptions,
    limits: PlanLimits,
    output: Output,
    /// The table that holds the result.
    made: Option<String>,
}

impl Run {
    pub(crate) fn new(
        shared: Arc<Shared>,
        catalog: Arc<dyn Catalog>,
        options: QueryOptions,
        limits: PlanLimits,
        output: Output,
    ) -> Self {
        Self { shared, catalog, options, limits, output, made: None }
    }

    pub(crate) fn run(mut self) {
        let outcome = self.answer();
        // A stop makes DuckDB fail in several ways; the caller needs to know about the stop.
        let outcome = outcome.map_err(|error| self.output.check().err().unwrap_or(error));
        let has_failed = outcome.is_err();
        // The reader may be gone, or no longer want what was kept.
        let is_closed = self.output.end(outcome).is_err();
        if let Some(table) = &self.made
            && (has_failed || is_closed)
        {
            let _ = self.shared.remove_kept(table);
        }
        self.output.finish();
    }

    fn answer(&mut self) -> Result<(), Error> {
        self.output.check()?;
        self.output.enter(Phase::Checking);
        let statement =
            self.shared.gate.check(self.shared.dialect(), &self.output.activity().sql, &*self.catalog)?;
        if self.options.keep.is_kept() && statement.explained.is_some() {
            return Err(Error::NotAllowed("a plan can't be kept: EXPLAIN answers with text".to_owned()));
        }
        let parameters = ParameterValues::new(self.options.parameters.take());
        parameters.check(&statement.parameters)?;
        let QueryOptions { batch_bytes, hugeint_as_text, .. } = self.options;
        let mut plan = Plan {
            statement,
            tables: Vec::new(),
            parameters,
            form: ResultForm { batch_bytes, hugeint_as_text },
            keep: std::mem::take(&mut self.options.keep),
            limits: self.limits,
            engine: self.options.engine,
            query: self.output.activity().id,
            call: self.options.call.take(),
        };
        let outcome = self.resolve_and_execute(&mut plan);
        match outcome {
            // They were lost with their DuckDB: the catalog reports that.
            Err(Error::Replaced(_)) if plan.reads_kept_tables() => self.resolve_and_execute(&mut plan),
            outcome => outcome,
        }
    }

    fn resolve_and_execute(&mut self, plan: &mut Plan) -> Result<(), Error> {
        self.output.check()?;
        self.output.enter(Phase::Resolving);
        let references = plan.parameters.references(self.shared.dialect(), &plan.statement)?;
        if !plan.keep.is_kept()
            && let Some((tables, _pinned)) = suppose(&plan.statement, &references, &*self.catalog)
        {
            plan.tables = tables;
            if self.shared.engines.have_at_hand(plan) {
                return self.execute_supposing(plan, &references);
            }
        }
        let (tables, held) = resolve(&plan.statement, &references, &*self.catalog)?;
        plan.tables = tables;
        let outcome = self.execute(plan);
        self.finish(plan, outcome, held)
    }

    /// Executes a plan over the tables that its names most likely mean, while the catalog finds out what they do mean. If that is
    /// something else, the plan is executed again, and nothing of its first result was delivered.
    fn execute_supposing(&mut self, plan: &mut Plan, references: &[Reference]) -> Result<(), Error> {
        let (catalog, span) = (Arc::clone(&self.catalog), Span::current());
        let decision = self.output.suppose();
        let supposed = &*plan;
        let resolve_names = move || {
            let resolved = span.in_scope(|| resolve(&supposed.statement, references, &*catalog));
            let are_same = |tables: &[PlannedTable]| {
                let mut pairs = tables.iter().zip(&supposed.tables);
                tables.len() == supposed.tables.len()
                    && pairs.all(|(table, supposed)| table.source.is_same(&supposed.source))
            };
            if resolved.as_ref().is_ok_and(|(tables, _)| are_same(tables)) {
                decision.confirm();
            }
            resolved
        };
        let (outcome, resolved) = thread::scope(|scope| {
            let resolving =
                thread::Builder::new().name("polarway-resolve".to_owned()).spawn_scoped(scope, resolve_names);
            let outcome = self.execute(supposed);
            (outcome, resolving.ok().and_then(|resolving| resolving.join().ok()))
        });
        let is_right = self.output.settle();
        let (tables, held) = match resolved {
            Some(resolved) => resolved?,
            // There was no thread for it, or it panicked.
            None => resolve(&plan.statement, references, &*self.catalog)?,
        };
        if is_right {
            return self.finish(plan, outcome, held);
        }
        plan.tables = tables;
        let outcome = self.execute(plan);
        self.finish(plan, outcome, held)
    }

    /// What is left to do when a plan was executed.
    fn finish(&mut self, plan: &Plan, outcome: Result<(), Error>, mut held: Held) -> Result<(), Error> {
        if outcome.is_ok() {
            self.made = plan.keep.table().map(str::to_owned);
        }
        if outcome.as_ref().err().is_none_or(Error::may_come_of_wrong_files) {
            held.check_after_scan()?;
        }
        outcome
    }

    /// Executes a plan. If memory ran out while other queries held some of it, waits until those have ended and runs it again.
    fn execute(&mut self, plan: &Plan) -> Result<(), Error> {
        let shared = Arc::clone(&self.shared);
        let mut attempt = self.attempt(plan);
        if matches!(attempt.outcome, Err(Error::OutOfMemory(_)))
            && !attempt.was_alone
            && !self.output.has_rows()
        {
            // One at a time, otherwise all that failed together would fail again.
            if let Some(_turn) = self.wait_for(|| shared.second_try.try_lock())? {
                self.wait_for(|| {
                    let have_ended = attempt.others.iter().all(|other| shared.registry.is_idle(*other));
                    have_ended.then_some(())
                })?;
                attempt = self.attempt(plan);
            }
        }
        match attempt.outcome {
            Err(Error::OutOfMemory(fact)) if attempt.was_alone => {
                Err(Error::QueryTooLarge(format!("{fact}; select fewer rows or columns")))
            }
            Err(Error::OutOfMemory(fact)) => Err(Error::OutOfMemory(format!(
                "{fact}; select fewer rows or columns, or try again when fewer queries run"
            ))),
            outcome => outcome,
        }
    }

    /// Executes a plan once, and looks who else did meanwhile.
    fn attempt(&mut self, plan: &Plan) -> Attempt {
        let shared = Arc::clone(&self.shared);
        let number = shared.executions.fetch_add(1, Ordering::Relaxed) + 1;
        // Those that hold memory now may end before this one fails.
        let mut others = self.others();
        let outcome = shared.engines.execute(plan, &mut self.output);
        others.extend(self.others());
        // One that began and ended meanwhile is among neither.
        let was_alone = others.is_empty() && shared.executions.load(Ordering::Relaxed) == number;
        Attempt { outcome, others, was_alone }
    }

    /// The other queries that run now.
    fn others(&self) -> Vec<Uuid> {
        let this = self.output.activity().id;
        let all = self.shared.registry.all();
        all.iter().filter(|other| other.id != this && !other.is_waiting()).map(|other| other.id).collect()
    }

    /// Waits for something, at most as long as a query may wait. Meanwhile the query counts as waiting.
    fn wait_for<T>(&self, mut ready: impl FnMut() -> Option<T>) -> Result<Option<T>, Error> {
        let until = Instant::now() + self.shared.limits.wait;
        self.output.enter(Phase::Waiting);
        loop {
            self.output.check()?;
            if let Some(ready) = ready() {
                return Ok(Some(ready));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// One execution of a plan.
struct Attempt {
    outcome: Result<(), Error>,
    /// The queries that ran when it began or when it ended.
    others: Vec<Uuid>,
    /// Whether no other query can have held memory that this one needed.
    was_alone: bool,
}
