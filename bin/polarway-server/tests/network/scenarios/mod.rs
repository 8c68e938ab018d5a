//! The scenarios that the clients of all languages share, see `proto/cases/README.md`.

mod run;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use polarway_client::Reason;
use serde::Deserialize;
use serde_json::Value;

use self::run::Runner;
use self::tables::TableSpec;
use crate::support::Server;

const REFUSALS: &str = include_str!("../../../../../proto/cases/scenarios/refusals.json");
const INTERRUPTIONS: &str = include_str!("../../../../../proto/cases/scenarios/interruptions.json");
const SHAPES: &str = include_str!("../../../../../proto/cases/scenarios/shapes.json");
const TYPES: &str = include_str!("../../../../../proto/cases/scenarios/types.json");
const UNICODE: &str = include_str!("../../../../../proto/cases/scenarios/unicode.json");

/// A file of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "about")]
    _about: String,
    scenarios: Vec<Scenario>,
    /// Reasons that no scenario brings about, and why.
    #[serde(default)]
    elsewhere: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    #[serde(default)]
    server: Vec<String>,
    #[serde(default)]
    tables: BTreeMap<String, TableSpec>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    call: String,
    #[serde(default)]
    with: Value,
    #[serde(rename = "as")]
    name: Option<String>,
    gives: Option<Gives>,
    refused: Option<Refusal>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    eventually: bool,
    #[serde(default)]
    breaks_at: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gives {
    version: Option<u64>,
    rows: Option<u64>,
    count: Option<usize>,
    names: Option<Vec<String>>,
    table: Option<TableOrName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    reason: String,
    says: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TableOrName {
    Name(String),
    Table(TableSpec),
}

fn file(text: &str) -> File {
    serde_json::from_str(text).unwrap()
}

async fn run_all(text: &str) {
    for scenario in file(text).scenarios {
        let flags: Vec<&str> = scenario.server.iter().map(String::as_str).collect();
        let server = Server::start_with(&flags);
        Runner::new(&server, &scenario).run().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back_as_it_was() {
    run_all(TYPES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_every_shape_come_back_as_they_were() {
    run_all(SHAPES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_all_scripts_are_values_names_and_sql() {
    run_all(UNICODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_has_its_reason() {
    run_all(REFUSALS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_interrupted_goes_on_or_ends_with_its_reason() {
    run_all(INTERRUPTIONS).await;
}

#[test]
fn every_reason_is_met_in_a_scenario_or_it_is_said_why_not() {
    let files = [REFUSALS, INTERRUPTIONS, SHAPES, TYPES, UNICODE].map(file);
    let steps = files.iter().flat_map(|file| &file.scenarios).flat_map(|scenario| &scenario.steps);
    let met: BTreeSet<&str> = steps.filter_map(|step| Some(step.refused.as_ref()?.reason.as_str())).collect();
    let elsewhere: BTreeSet<&str> =
        files.iter().flat_map(|file| file.elsewhere.keys()).map(String::as_str).collect();
    assert_eq!(met.intersection(&elsewhere).collect::<Vec<_>>(), Vec::<&&str>::new());
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(met.union(&elsewhere).copied().collect::<BTreeSet<_>>(), all);
}
