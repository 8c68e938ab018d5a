//! What a query took: for each stage what each worker did, and what the operators gave. It is the answer of EXPLAIN ANALYZE.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::common::human_readable_size;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion_distributed::{DistributedExec, NetworkBoundaryExt as _, Stage};

use super::address;
use crate::channels::{TaskReport, TaskReports};

/// The metric of a scan that counts what it read of files.
const READ: &str = "bytes_scanned";

/// A plan that runs, and where its tasks report.
#[derive(Debug, Clone)]
pub(super) struct Analysis {
    pub(super) plan: Arc<dyn ExecutionPlan>,
    pub(super) reports: Arc<TaskReports>,
}

impl Analysis {
    /// The stages of the plan, once its last row has come.
    pub(super) fn text(&self) -> String {
        if !self.plan.is::<DistributedExec>() {
            let plan = DisplayableExecutionPlan::with_metrics(&*self.plan);
            return format!("too small for several tasks: this worker ran it alone\n{}", plan.indent(false));
        }
        let reports = self.reports.all();
        let mut stages = Vec::new();
        find_stages(&self.plan, &mut stages);
        stages.sort_by_key(|(number, ..)| *number);
        let mut text = String::new();
        for (number, tasks, plan) in stages {
            let of_stage: Vec<_> = reports.iter().filter(|report| report.stage == number).collect();
            describe(number, tasks, &of_stage, &mut text);
            describe_operators(&plan, &of_stage, &mut text);
        }
        text
    }
}

/// A stage: its number, how many tasks it has, and their plan.
type PlannedStage = (usize, usize, Arc<dyn ExecutionPlan>);

fn find_stages(plan: &Arc<dyn ExecutionPlan>, stages: &mut Vec<PlannedStage>) {
    let stage = plan.as_network_boundary().map(|boundary| boundary.input_stage());
    stages.extend(
        stage.and_then(|stage: &Stage| {
            Some((stage.num(), stage.task_count(), Arc::clone(stage.local_plan()?)))
        }),
    );
    plan.children().into_iter().for_each(|child| find_stages(child, stages));
}

fn describe(number: usize, tasks: usize, reports: &[&TaskReport], text: &mut String) {
    let done: Vec<_> = reports.iter().map(|report| (report, Figures::of_task(&report.operators))).collect();
    let all = done.iter().fold(Figures::default(), |all, (_, figures)| all.and(figures));
    let _ = writeln!(text, "stage {number}, tasks: {tasks}, {}", all.given());
    for (report, figures) in &done {
        let worker = address(&report.worker);
        let _ =
            writeln!(text, "  task {} on {worker}: {}, {}", report.task, figures.given(), figures.effort());
    }
    for idle in (0..tasks).filter(|task| reports.iter().all(|report| report.task != *task)) {
        let _ = writeln!(text, "  task {idle}: nobody asked for its rows");
    }
}

/// The operators with the sums of their tasks. Tasks that have operators of their own, as those of a UNION may, are left out.
fn describe_operators(plan: &Arc<dyn ExecutionPlan>, reports: &[&TaskReport], text: &mut String) {
    let mut operators = Vec::new();
    find_operators(plan, 0, &mut operators);
    let alike = || reports.iter().filter(|report| report.operators.len() == operators.len());
    for (place, (depth, operator)) in operators.iter().enumerate() {
        let figures = alike().map(|report| Figures::of(&report.operators[place]));
        let figures = figures.fold(Figures::default(), |sum, figures| sum.and(&figures));
        let shape = displayable(&**operator).one_line().to_string();
        let indent = "  ".repeat(depth + 2);
        let _ = writeln!(text, "{indent}{}: {}, {}", shape.trim_end(), figures.given(), figures.effort());
    }
}

/// The operators of a stage, from the top down, as its tasks report them.
fn find_operators(
    plan: &Arc<dyn ExecutionPlan>,
    depth: usize,
    found: &mut Vec<(usize, Arc<dyn ExecutionPlan>)>,
) {
    found.push((depth, Arc::clone(plan)));
    if !plan.is_network_boundary() {
        plan.children().into_iter().for_each(|child| find_operators(child, depth + 1, found));
    }
}

/// What an operator, a task or a stage did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    rows: usize,
    bytes: usize,
    computed: Duration,
    read_bytes: usize,
    spilled_bytes: usize,
    began: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
}

impl Figures {
    /// Those of an operator, of all its partitions.
    fn of(metrics: &MetricsSet) -> Self {
        let mut figures = Self::default();
        for metric in metrics.iter() {
            match metric.value() {
                MetricValue::OutputRows(rows) => figures.rows += rows.value(),
                MetricValue::OutputBytes(bytes) => figures.bytes += bytes.value(),
                MetricValue::ElapsedCompute(time) => {
                    figures.computed += Duration::from_nanos(time.value() as u64);
                }
                MetricValue::SpilledBytes(bytes) => figures.spilled_bytes += bytes.value(),
                MetricValue::Count { name, count } if name == READ => figures.read_bytes += count.value(),
                MetricValue::StartTimestamp(time) => figures.began = earlier(figures.began, time.value()),
                MetricValue::EndTimestamp(time) => figures.ended = figures.ended.max(time.value()),
                _ => {}
            }
        }
        figures
    }

    /// Those of a task: its rows are those of its uppermost operator that counts rows.
    fn of_task(operators: &[MetricsSet]) -> Self {
        let all: Vec<Self> = operators.iter().map(Self::of).collect();
        let top = operators.iter().position(|metrics| metrics.output_rows().is_some());
        let given = top.map_or(Self::default(), |top| all[top]);
        let sum = all.iter().fold(Self::default(), |sum, figures| sum.and(figures));
        Self { rows: given.rows, bytes: given.bytes, ..sum }
    }

    fn and(self, other: &Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            bytes: self.bytes + other.bytes,
            computed: self.computed + other.computed,
            read_bytes: self.read_bytes + other.read_bytes,
            spilled_bytes: self.spilled_bytes + other.spilled_bytes,
            began: earlier(self.began, other.began),
            ended: self.ended.max(other.ended),
        }
    }

    /// What it gave.
    fn given(&self) -> String {
        format!("{} rows, {}", self.rows, human_readable_size(self.bytes))
    }

    /// What that took.
    fn effort(&self) -> String {
        let mut effort = format!("computed {:.1?}", self.computed);
        let took = self.began.zip(self.ended).and_then(|(began, ended)| (ended - began).to_std().ok());
        if let Some(took) = took {
            effort.insert_str(0, &format!("took {took:.1?}, "));
        }
        for (what, bytes) in [("read", self.read_bytes), ("spilled", self.spilled_bytes)] {
            if bytes > 0 {
                let _ = write!(effort, ", {what} {}", human_readable_size(bytes));
            }
        }
        effort
    }
}

/// The earlier of two moments that may not be known.
fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    [one, other].into_iter().flatten().min()
}
