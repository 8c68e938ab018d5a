//! The steps of a scenario, done with the Rust client.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use polarway_client::{
    At, DeleteOptions, DistributedClient, Error, HandleOptions, LoadOptions, Parameters, QueryOptions,
    QueryPhase, Selection, Table, WriteMode, WriteOptions,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{Gives, Refusal, Scenario, Step, TableOrName};
use crate::support::{Break, PATIENCE, Proxy, Server, client_of, in_background, query_in};

/// What a call gave.
#[derive(Debug, Default)]
struct Outcome {
    version: Option<u64>,
    rows: Option<u64>,
    count: Option<usize>,
    names: Option<Vec<String>>,
    table: Option<Table>,
}

impl Outcome {
    fn of(table: Table) -> Self {
        Self { rows: Some(table.num_rows() as u64), table: Some(table), ..Self::default() }
    }

    fn of_rows(rows: u64) -> Self {
        Self { rows: Some(rows), ..Self::default() }
    }
}

/// A query that runs beside the steps.
struct Started {
    sql: String,
    task: JoinHandle<Result<Table, Error>>,
}

/// What the steps of a scenario have made so far.
pub(super) struct Runner<'a> {
    server: &'a Server,
    scenario: &'a Scenario,
    handles: BTreeMap<String, String>,
    started: BTreeMap<String, Started>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(server: &'a Server, scenario: &'a Scenario) -> Self {
        Self { server, scenario, handles: BTreeMap::new(), started: BTreeMap::new() }
    }

    pub(super) async fn run(mut self) {
        for (number, step) in self.scenario.steps.iter().enumerate() {
            let what = format!("{}, step {} ({})", self.scenario.name, number + 1, step.call);
            if step.breaks_at.is_empty() {
                let mut client = client_of(self.server.url());
                if let Some(milliseconds) = step.timeout_ms {
                    client = client.timeout(Duration::from_millis(milliseconds));
                }
                self.step(&what, step, &client.connect().await.unwrap()).await;
            } else {
                self.step_with_breaks(&what, step).await;
            }
        }
    }

    async fn step_with_breaks(&mut self, what: &str, step: &Step) {
        let whole = Proxy::before(self.server.address(), Break::Close, 0, || 0).await;
        self.step(what, step, &client_of(whole.url()).connect_lazily().unwrap()).await;
        for part in &step.breaks_at {
            let after = (whole.passed_bytes() as f64 * part) as u64;
            let proxy = Proxy::before(self.server.address(), Break::Close, 1, move || after).await;
            self.step(what, step, &client_of(proxy.url()).connect_lazily().unwrap()).await;
            assert!(proxy.has_broken(), "{what}: it did not break at {part}");
        }
    }

    async fn step(&mut self, what: &str, step: &Step, client: &DistributedClient) {
        let begin = Instant::now();
        loop {
            let outcome = self.call(step, client).await;
            let Err(difference) = self.compare(step, outcome) else { return };
            assert!(step.eventually && begin.elapsed() < PATIENCE, "{what}: {difference}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The arguments of a step, with the ids of handles in the place of their names.
    fn arguments<T: DeserializeOwned>(&self, step: &Step) -> T {
        let mut with = step.with.clone();
        self.name_handles(&mut with);
        serde_json::from_value(with).unwrap_or_else(|error| panic!("{}: {error}", step.call))
    }

    fn name_handles(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.with_ids(text),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.name_handles(field)),
            _ => {}
        }
    }

    fn with_ids(&self, text: &str) -> String {
        let handles = self.handles.iter();
        handles.fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
    }

    fn table(&self, table: &TableOrName) -> Table {
        match table {
            TableOrName::Table(table) => table.build(),
            TableOrName::Name(name) => self.scenario.tables[name].build(),
        }
    }

    async fn call(&mut self, step: &Step, client: &DistributedClient) -> Result<Outcome, Error> {
        match step.call.as_str() {
            "store" => self.store(self.arguments(step), client).await,
            "load" => {
                let Load { name, version, columns, rows } = self.arguments(step);
                let at = version.map_or(At::Newest, At::Version);
                let (first_row, end_row) = rows.map_or((0, None), |[first, end]| (first, Some(end)));
                let selection = Selection { columns, first_row, end_row };
                client.load_with(&name, LoadOptions { at, selection }).await.map(Outcome::of)
            }
            "query" => {
                let Query { sql, parameters, time_ms } = self.arguments(step);
                let parameters: Parameters = parameters.into_iter().collect();
                let time = time_ms.map(Duration::from_millis);
                let options = QueryOptions { parameters, time, ..QueryOptions::default() };
                client.query_with(&sql, options).await.map(Outcome::of)
            }
            "describe" => {
                let Name { name } = self.arguments(step);
                let described = client.describe(&name).await?;
                Ok(Outcome { version: Some(described.version), ..Outcome::of_rows(described.rows) })
            }
            "versions" => {
                let Name { name } = self.arguments(step);
                Ok(Outcome { count: Some(client.versions(&name).await?.len()), ..Outcome::default() })
            }
            "delete" => {
                let Delete { name, expected_version } = self.arguments(step);
                let options = DeleteOptions { expected_version, ..DeleteOptions::default() };
                let deleted = client.delete_with(&name, options).await?;
                Ok(Outcome { version: Some(deleted.version), ..Outcome::default() })
            }
            "datasets" => {
                let names = client.datasets().await?.into_iter().map(|dataset| dataset.name.into()).collect();
                Ok(Outcome { names: Some(names), ..Outcome::default() })
            }
            "keep" => {
                let Keep { sql, ttl_ms, time_ms } = self.arguments(step);
                let (ttl, time) = (ttl_ms.map(Duration::from_millis), time_ms.map(Duration::from_millis));
                let options = HandleOptions { ttl, time, ..HandleOptions::default() };
                let handle = client.query_handle_with(&sql, options).await?;
                handle.keep();
                self.handles.extend(step.name.clone().map(|name| (name, handle.id().to_owned())));
                Ok(Outcome::of_rows(handle.rows()))
            }
            "handle" => {
                let Id { id } = self.arguments(step);
                client.handle(&id).await.map(|handle| Outcome::of_rows(handle.rows()))
            }
            "drop" => {
                let Id { id } = self.arguments(step);
                client.drop_handle(&id).await.map(|()| Outcome::default())
            }
            "start" => {
                let Start { sql, until } = self.arguments(step);
                let phase = match until {
                    Until::Running => QueryPhase::Running,
                    Until::Waiting => QueryPhase::Waiting,
                };
                let task = in_background(client, &sql, QueryOptions::default());
                query_in(phase, client, &sql).await;
                self.started.insert(step.name.clone().unwrap(), Started { sql, task });
                Ok(Outcome::default())
            }
            "cancel" => {
                let id = match self.arguments(step) {
                    Cancel::Id(id) => id,
                    Cancel::Query(name) => {
                        let sql = &self.started[&name].sql;
                        query_in(QueryPhase::Running, client, sql).await.query_id
                    }
                };
                client.cancel_query(&id).await.map(|()| Outcome::default())
            }
            "wait" => {
                let Wait { query } = self.arguments(step);
                self.started.remove(&query).unwrap().task.await.unwrap().map(Outcome::of)
            }
            other => panic!("no call is named {other}"),
        }
    }

    async fn store(&self, store: Store, client: &DistributedClient) -> Result<Outcome, Error> {
        let mode = match store.mode {
            Mode::Overwrite => WriteMode::Overwrite,
            Mode::Append => WriteMode::Append,
            Mode::Create => WriteMode::Create,
        };
        let mut options = WriteOptions::new(mode);
        options.expected_version = store.expected_version;
        let stored = client.store_with(&store.name, self.table(&store.table), options).await?;
        Ok(Outcome { version: Some(stored.version), ..Outcome::of_rows(stored.rows) })
    }

    /// Says how an outcome differs from what a step must come to.
    fn compare(&self, step: &Step, outcome: Result<Outcome, Error>) -> Result<(), String> {
        match (outcome, &step.refused) {
            (Ok(outcome), None) => match &step.gives {
                Some(gives) => self.compare_given(gives, &outcome, step.call != "load"),
                None => Ok(()),
            },
            (Ok(outcome), Some(refusal)) => Err(format!("{outcome:?} and not {}", refusal.reason)),
            (Err(error), None) => Err(format!("{error:?}")),
            (Err(error), Some(refusal)) => self.compare_refusal(refusal, &error),
        }
    }

    fn compare_refusal(&self, refusal: &Refusal, error: &Error) -> Result<(), String> {
        let is_the_reason = error.reason().is_some_and(|reason| reason.as_str() == refusal.reason);
        let says = refusal.says.iter().all(|said| error.to_string().contains(&self.with_ids(said)));
        let is_same = is_the_reason && says;
        is_same.then_some(()).ok_or_else(|| {
            format!("{error:?} and not {}, with {:?} in its message", refusal.reason, refusal.says)
        })
    }

    fn compare_given(&self, gives: &Gives, outcome: &Outcome, is_query: bool) -> Result<(), String> {
        let Gives { version, rows, count, names, table } = gives;
        let is_same = (version.is_none() || *version == outcome.version)
            && (rows.is_none() || *rows == outcome.rows)
            && (count.is_none() || *count == outcome.count)
            && (names.is_none() || *names == outcome.names);
        if !is_same {
            return Err(format!("{outcome:?}"));
        }
        let (Some(expected), Some(found)) = (table, &outcome.table) else { return Ok(()) };
        let expected = self.table(expected);
        same_columns(&expected, found, is_query).then_some(()).ok_or_else(|| {
            format!(
                "{}\n{:?}\nand not\n{}\n{:?}",
                first_rows(found),
                found.schema(),
                first_rows(&expected),
                expected.schema()
            )
        })
    }
}

/// Whether names, types and values are the same. Every column of a query may have NULLs.
fn same_columns(expected: &Table, found: &Table, is_query: bool) -> bool {
    let (expected, found) = (expected.to_batch().unwrap(), found.to_batch().unwrap());
    let (left, right) = (expected.schema(), found.schema());
    let mut pairs = left.fields().iter().zip(right.fields());
    left.fields().len() == right.fields().len()
        && pairs.all(|(left, right)| {
            (left.name(), left.data_type()) == (right.name(), right.data_type())
                && (is_query || left.is_nullable() == right.is_nullable())
        })
        && expected.columns() == found.columns()
}

fn first_rows(table: &Table) -> Table {
    table.slice(0, 10)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Store {
    name: String,
    table: TableOrName,
    #[serde(default)]
    mode: Mode,
    expected_version: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Overwrite,
    Append,
    Create,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Load {
    name: String,
    version: Option<u64>,
    columns: Option<Vec<String>>,
    rows: Option<[u64; 2]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    sql: String,
    #[serde(default)]
    parameters: Vec<String>,
    time_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Delete {
    name: String,
    expected_version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {
    sql: String,
    ttl_ms: Option<u64>,
    time_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    sql: String,
    until: Until,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Until {
    Running,
    Waiting,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cancel {
    Id(String),
    Query(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    query: String,
}
