use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema};
use polarway_model::{HandleId, HandleInfo};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::connection::Workers;

/// The id that `h_0` or `h_1` stands for.
fn id(name: &str) -> HandleId {
    HandleId::from_bits([name.strip_prefix("h_").unwrap().parse().unwrap(); 16])
}

/// A handle of these columns, at a server that nobody asks.
pub(in crate::handle) fn handle(name: &str, columns: &[impl AsRef<str>]) -> Handle {
    let workers = Workers::new(&["http://localhost:1".parse().unwrap()], None, None).unwrap();
    let client = DistributedClient::new(Arc::new(workers), Duration::from_secs(1));
    let fields = columns.iter().map(|name| Field::new(name.as_ref(), DataType::Int64, true));
    let info = HandleInfo {
        id: id(name),
        schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        rows: 3,
        bytes: 24,
        created_us: 0,
        expires_us: 1,
        ttl: Duration::from_secs(1),
    };
    Handle::new(&client, info, false)
}

/// What `proto/cases/follow_ups.json` holds for the clients of all languages.
#[derive(Deserialize)]
struct Cases {
    handles: Vec<HandleCase>,
    cases: Vec<Case>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct HandleCase {
    id: String,
    columns: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
    sql: String,
    columns: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Refused {
    steps: Vec<Step>,
    says: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Step {
    Filter { filter: String },
    Select { select: Vec<String> },
    WithColumns { with_columns: Vec<String> },
    Group { group_by: Vec<String>, agg: Vec<String> },
    Join { join: Other, how: String, on: Vec<String> },
    Sort { sort: Vec<String> },
    Limit { limit: u64 },
    Distinct { distinct: bool },
    Sql { sql: String },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Other {
    Dataset { dataset: String },
    Lazy { handle: String, steps: Vec<Step> },
    Handle { handle: String },
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../../../../proto/cases/follow_ups.json")).unwrap()
}

impl Cases {
    fn handle(&self, id: &str) -> Handle {
        let case = self.handles.iter().find(|handle| handle.id == id).unwrap();
        handle(id, &case.columns)
    }

    fn query(&self, id: &str, steps: &[Step]) -> Result<LazyQuery> {
        steps.iter().try_fold(self.handle(id).lazy(), |query, step| self.apply(&query, step))
    }

    fn apply(&self, query: &LazyQuery, step: &Step) -> Result<LazyQuery> {
        match step {
            Step::Filter { filter } => query.filter(filter),
            Step::Select { select } => query.select(select),
            Step::WithColumns { with_columns } => query.with_columns(with_columns),
            Step::Group { group_by, agg } => query.group_by(group_by).agg(agg),
            Step::Join { join, how, on } => {
                let how = match how.as_str() {
                    "inner" => JoinHow::Inner,
                    "left" => JoinHow::Left,
                    "right" => JoinHow::Right,
                    "full" => JoinHow::Full,
                    "semi" => JoinHow::Semi,
                    "anti" => JoinHow::Anti,
                    other => panic!("{other} is no join"),
                };
                match join {
                    Other::Dataset { dataset } => query.join(dataset.as_str(), how, on),
                    Other::Handle { handle } => query.join(&self.handle(handle), how, on),
                    Other::Lazy { handle, steps } => query.join(self.query(handle, steps)?, how, on),
                }
            }
            Step::Sort { sort } => query.sort(sort),
            Step::Limit { limit } => Ok(query.limit(*limit)),
            Step::Distinct { distinct } => Ok(if *distinct { query.distinct() } else { query.clone() }),
            Step::Sql { sql } => query.sql(sql),
        }
    }
}

#[tokio::test]
async fn each_step_writes_sql_over_what_was_before_and_tells_the_columns_that_it_knows() {
    let cases = cases();
    for case in &cases.cases {
        let query = cases.query("h_0", &case.steps).unwrap();
        let sql = ['0', '1'].iter().fold(case.sql.clone(), |sql, number| {
            let name = format!("h_{number}");
            sql.replace(&name, &id(&name))
        });
        assert_eq!(query.to_sql(), sql, "{}", case.name);
        assert_eq!(query.columns, case.columns, "{}", case.name);
    }
}

#[tokio::test]
async fn what_is_no_expression_or_missing_is_refused_before_anything_is_sent() {
    let cases = cases();
    for Refused { steps, says } in &cases.refused {
        let error = cases.query("h_0", steps).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Expression, "{steps:?}");
        assert!(error.to_string().contains(says), "{steps:?}: {error}");
    }
}

#[tokio::test]
async fn a_join_holds_the_handles_of_both_sides() {
    let other = handle("h_1", &["carrier"]);
    let joined = handle("h_0", &["carrier"]).lazy().join(&other, JoinHow::Left, ["carrier"]).unwrap();
    assert_eq!(joined.handles.len(), 2);
}

#[test]
fn every_method_that_writes_sql_has_a_case() {
    let text = include_str!("../../../../../proto/cases/follow_ups.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let steps = all["cases"].as_array().unwrap().iter().flat_map(|case| case["steps"].as_array().unwrap());
    let used: Vec<&String> = steps.flat_map(|step| step.as_object().unwrap().keys()).collect();
    for method in
        ["filter", "select", "with_columns", "group_by", "agg", "join", "sort", "limit", "distinct", "sql"]
    {
        assert!(used.iter().any(|key| *key == method), "{method}");
    }
}
