//! Queries and their summaries.

use std::time::Duration;

use polarway_model::{EngineChoice, EngineUsed, QueryPhase, QuerySummary, QueryTimes, RunningQuery};

use super::{InvalidMessage, micros};
use crate::v1;

impl From<QueryPhase> for v1::QueryPhase {
    fn from(phase: QueryPhase) -> Self {
        match phase {
            QueryPhase::Waiting => Self::Waiting,
            QueryPhase::Checking => Self::Checking,
            QueryPhase::Resolving => Self::Resolving,
            QueryPhase::Planning => Self::Planning,
            QueryPhase::Running => Self::Running,
            _ => Self::Unspecified,
        }
    }
}

impl From<v1::QueryPhase> for QueryPhase {
    fn from(phase: v1::QueryPhase) -> Self {
        match phase {
            v1::QueryPhase::Unspecified => Self::Unknown,
            v1::QueryPhase::Waiting => Self::Waiting,
            v1::QueryPhase::Checking => Self::Checking,
            v1::QueryPhase::Resolving => Self::Resolving,
            v1::QueryPhase::Planning => Self::Planning,
            v1::QueryPhase::Running => Self::Running,
        }
    }
}

impl From<QueryTimes> for v1::QueryTimes {
    fn from(times: QueryTimes) -> Self {
        let QueryTimes { waiting, checking, resolving, planning, running } = times;
        Self {
            waiting_us: micros(waiting),
            checking_us: micros(checking),
            resolving_us: micros(resolving),
            planning_us: micros(planning),
            running_us: micros(running),
        }
    }
}

impl From<v1::QueryTimes> for QueryTimes {
    fn from(message: v1::QueryTimes) -> Self {
        let v1::QueryTimes { waiting_us, checking_us, resolving_us, planning_us, running_us } = message;
        Self {
            waiting: Duration::from_micros(waiting_us),
            checking: Duration::from_micros(checking_us),
            resolving: Duration::from_micros(resolving_us),
            planning: Duration::from_micros(planning_us),
            running: Duration::from_micros(running_us),
        }
    }
}

impl From<EngineChoice> for v1::Engine {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Auto => Self::Unspecified,
            EngineChoice::Local => Self::Local,
            EngineChoice::Distributed => Self::Distributed,
        }
    }
}

impl From<v1::Engine> for EngineChoice {
    fn from(choice: v1::Engine) -> Self {
        match choice {
            v1::Engine::Unspecified => Self::Auto,
            v1::Engine::Local => Self::Local,
            v1::Engine::Distributed => Self::Distributed,
        }
    }
}

impl From<EngineUsed> for v1::EngineUsed {
    fn from(used: EngineUsed) -> Self {
        let (engine, workers, stayed_local) = match used {
            EngineUsed::Local { reason } => (v1::Engine::Local, 1, reason.unwrap_or_default()),
            EngineUsed::Distributed { workers } => (v1::Engine::Distributed, workers, String::new()),
        };
        Self { engine: engine.into(), workers, stayed_local }
    }
}

impl From<v1::EngineUsed> for EngineUsed {
    fn from(message: v1::EngineUsed) -> Self {
        let is_distributed = message.engine() == v1::Engine::Distributed;
        let v1::EngineUsed { engine: _, workers, stayed_local } = message;
        match is_distributed {
            true => Self::Distributed { workers },
            false => Self::Local { reason: Some(stayed_local).filter(|reason| !reason.is_empty()) },
        }
    }
}

impl From<QuerySummary> for v1::QuerySummary {
    fn from(summary: QuerySummary) -> Self {
        let QuerySummary { rows, bytes, datasets, times, engine } = summary;
        let datasets = datasets.into_iter().map(Into::into).collect();
        Self { rows, bytes, datasets, times: Some(times.into()), engine: Some(engine.into()) }
    }
}

impl TryFrom<v1::QuerySummary> for QuerySummary {
    type Error = InvalidMessage;

    fn try_from(message: v1::QuerySummary) -> Result<Self, InvalidMessage> {
        let v1::QuerySummary { rows, bytes, datasets, times, engine } = message;
        let datasets = datasets.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        let times = times.map(QueryTimes::from).unwrap_or_default();
        let engine = engine.map(EngineUsed::from).unwrap_or_default();
        Ok(Self { rows, bytes, datasets, times, engine })
    }
}

impl From<RunningQuery> for v1::RunningQuery {
    fn from(query: RunningQuery) -> Self {
        let RunningQuery { query_id, sql, phase, started_us, elapsed, rows, bytes } = query;
        let (phase, elapsed_us) = (v1::QueryPhase::from(phase).into(), micros(elapsed));
        Self { query_id, sql, phase, started_us, elapsed_us, rows, bytes }
    }
}

impl From<v1::RunningQuery> for RunningQuery {
    fn from(message: v1::RunningQuery) -> Self {
        let phase = v1::QueryPhase::try_from(message.phase).map_or(QueryPhase::Unknown, QueryPhase::from);
        let v1::RunningQuery { query_id, sql, phase: _, started_us, elapsed_us, rows, bytes } = message;
        Self { query_id, sql, phase, started_us, elapsed: Duration::from_micros(elapsed_us), rows, bytes }
    }
}

#[cfg(test)]
mod tests {
    use polarway_model::DatasetVersion;

    use super::*;

    #[test]
    fn a_summary_arrives_as_itself_whoever_ran_the_query() {
        let read = |version| DatasetVersion { name: "trades".parse().unwrap(), version };
        let running = Duration::from_micros(7);
        for engine in [
            EngineUsed::default(),
            EngineUsed::Local { reason: Some("median is not known".to_owned()) },
            EngineUsed::Distributed { workers: 3 },
        ] {
            let summary = QuerySummary {
                rows: 1,
                bytes: 2,
                datasets: vec![read(3), read(4)],
                times: QueryTimes { running, ..QueryTimes::default() },
                engine,
            };
            assert_eq!(QuerySummary::try_from(v1::QuerySummary::from(summary.clone())).unwrap(), summary);
        }
    }

    #[test]
    fn a_choice_of_workers_arrives_as_itself() {
        for choice in EngineChoice::ALL {
            assert_eq!(EngineChoice::from(v1::Engine::from(choice)), choice);
        }
    }

    #[test]
    fn a_running_query_arrives_as_itself_in_every_phase() {
        use QueryPhase::{Checking, Planning, Resolving, Running, Unknown, Waiting};

        for phase in [Waiting, Checking, Resolving, Planning, Running, Unknown] {
            let query = RunningQuery {
                query_id: "01990000-0000-7000-8000-000000000000".to_owned(),
                sql: "SELECT 42".to_owned(),
                phase,
                started_us: -1,
                elapsed: Duration::from_secs(1),
                rows: 2,
                bytes: 3,
            };
            assert_eq!(RunningQuery::from(v1::RunningQuery::from(query.clone())), query);
        }
        let later = v1::RunningQuery { phase: 99, ..v1::RunningQuery::default() };
        assert_eq!(RunningQuery::from(later).phase, QueryPhase::Unknown);
    }
}
