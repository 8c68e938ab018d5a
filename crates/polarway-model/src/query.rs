//! Queries: how they are run, and what is known of them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use polarway_table::Parameters;

use crate::dataset::DatasetVersion;

/// Options of a query.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// The values of its parameters.
    pub parameters: Parameters,
    /// How long the query may take, waiting included; `None` is the longest time that the engine or the server allows.
    pub time: Option<Duration>,
    /// Whether the server computes the complete result before it sends the first row, and keeps it until all rows have arrived:
    /// if the connection breaks meanwhile, the read continues at the next row, and the query is not run again.
    ///
    /// For results that take long to compute or to send, over connections that break. The server needs room for the complete
    /// result, the first row comes when the last one is computed, and [`time`](Self::time) bounds only the computation. A slow
    /// reader must request the next rows before the server's handle expires. EXPLAIN and the like can't be read so. Between an
    /// embedded engine and its program there is no connection that could break: it changes nothing there.
    pub resumable: bool,
    /// Whether numbers of type HUGEINT, as the sum of integers is one, come as text. They may have 39 digits, and Arrow's
    /// decimals have 38: as decimals they are refused then. A result that is kept, and a [`resumable`](Self::resumable)
    /// one, has decimals.
    pub hugeint_as_text: bool,
    /// Which engine runs it.
    pub engine: EngineChoice,
}

impl From<Parameters> for QueryOptions {
    fn from(parameters: Parameters) -> Self {
        Self { parameters, ..Self::default() }
    }
}

/// Options for making a handle.
#[derive(Clone, Debug, Default)]
pub struct HandleOptions {
    /// The values of its parameters.
    pub parameters: Parameters,
    /// How long the query may take, waiting included; `None` is the longest time that the engine or the server allows.
    pub time: Option<Duration>,
    /// How long the result is kept without being used; `None` is the time in the settings of the engine or the server.
    pub ttl: Option<Duration>,
    /// Random bits that identify the call. A retry with the same bits finds the handle that the first call made, on any
    /// worker that shares the storage. Whoever knows them knows the handle's id. For `None`, a client draws its own.
    pub request: Option<[u8; 16]>,
    /// Which engine runs the query.
    pub engine: EngineChoice,
}

impl From<Parameters> for HandleOptions {
    fn from(parameters: Parameters) -> Self {
        Self { parameters, ..Self::default() }
    }
}

/// Options that a handle does not have are left out.
impl From<QueryOptions> for HandleOptions {
    fn from(options: QueryOptions) -> Self {
        let QueryOptions { parameters, time, resumable: _, hugeint_as_text: _, engine } = options;
        Self { parameters, time, engine, ..Self::default() }
    }
}

/// Which engine runs a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineChoice {
    /// Several workers, if the query reads much and they can run it exactly; otherwise the worker that was asked.
    #[default]
    Auto,
    /// The worker that was asked.
    Local,
    /// Several workers. A query that they can't run exactly is refused.
    Distributed,
}

impl EngineChoice {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Local, Self::Distributed];

    /// Its name, such as `auto`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Local => "local",
            Self::Distributed => "distributed",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineChoice {
    type Err = InvalidEngine;

    fn from_str(text: &str) -> Result<Self, InvalidEngine> {
        let found = Self::ALL.into_iter().find(|choice| choice.name() == text);
        found.ok_or_else(|| InvalidEngine(text.to_owned()))
    }
}

/// A text that names no engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEngine(String);

impl fmt::Display for InvalidEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no engine: it is auto, local or distributed", self.0)
    }
}

impl std::error::Error for InvalidEngine {}

/// Which engine ran a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineUsed {
    /// DuckDB, on the worker that was asked.
    Local {
        /// Why it did not run on several workers, if its size was a reason to.
        reason: Option<String>,
    },
    /// Several workers.
    Distributed {
        /// How many took part.
        workers: u32,
    },
}

impl Default for EngineUsed {
    fn default() -> Self {
        Self::Local { reason: None }
    }
}

/// A stage in the life of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryPhase {
    /// It waits for other queries to end.
    Waiting,
    /// Its text is parsed and checked.
    Checking,
    /// Its names are looked up and pinned.
    Resolving,
    /// It is planned.
    Planning,
    /// It runs, and its rows are taken.
    Running,
    /// A phase that only a later version of Polarway has.
    Unknown,
}

impl QueryPhase {
    /// Its name, such as `running`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Checking => "checking",
            Self::Resolving => "resolving",
            Self::Planning => "planning",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }
}

/// How long a query spent in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueryTimes {
    /// Waiting for other queries to end.
    pub waiting: Duration,
    /// Parsing and checking the text; next to nothing for one that was seen before.
    pub checking: Duration,
    /// Looking names up and pinning their versions.
    pub resolving: Duration,
    /// Planning.
    pub planning: Duration,
    /// From the start of execution until the last row was taken: a slow reader counts.
    pub running: Duration,
}

impl QueryTimes {
    /// The time of all phases together.
    pub fn total(&self) -> Duration {
        let Self { waiting, checking, resolving, planning, running } = *self;
        waiting + checking + resolving + planning + running
    }

    /// Adds time that was spent in a phase.
    pub fn add(&mut self, phase: QueryPhase, time: Duration) {
        let total = match phase {
            QueryPhase::Waiting => &mut self.waiting,
            QueryPhase::Checking => &mut self.checking,
            QueryPhase::Resolving => &mut self.resolving,
            QueryPhase::Planning => &mut self.planning,
            QueryPhase::Running => &mut self.running,
            QueryPhase::Unknown => return,
        };
        *total += time;
    }
}

/// What a query did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuerySummary {
    /// The rows of its result.
    pub rows: u64,
    /// The bytes of its result in Arrow's form.
    pub bytes: u64,
    /// The datasets that it read, each once per version, by name and version.
    pub datasets: Vec<DatasetVersion>,
    /// How long it spent in each phase.
    pub times: QueryTimes,
    /// Which engine ran it.
    pub engine: EngineUsed,
}

/// A query that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningQuery {
    /// The id to cancel it by.
    pub query_id: String,
    /// Its text.
    pub sql: String,
    /// Its phase.
    pub phase: QueryPhase,
    /// When it came: microseconds since 1970-01-01 UTC.
    pub started_us: i64,
    /// The time since then.
    pub elapsed: Duration,
    /// The rows of its result until now.
    pub rows: u64,
    /// The bytes of those rows in Arrow's form.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_found_by_its_name_and_another_text_is_named_in_the_error() {
        for choice in EngineChoice::ALL {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!(EngineChoice::default(), EngineChoice::Auto);
        for text in ["", "Auto", "duckdb", "local "] {
            let error = text.parse::<EngineChoice>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
