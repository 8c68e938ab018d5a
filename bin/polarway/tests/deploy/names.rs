//! What the files name is there: metrics, each other, settings.

use std::collections::BTreeSet;

use crate::support::{deploy, file, files_below};

/// Every metric of the server; a test of the server holds this page to the definitions.
const METRICS: &str = include_str!("../../../../docs/metrics.md");

/// Every setting of the server; held to the definitions in the same way.
const SETTINGS: &str = include_str!("../../../../docs/configuration.md");

/// The names that the rows of the tables of a page begin with.
fn listed(page: &str) -> BTreeSet<&str> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name).collect()
}

/// The names in a text that begin in this way.
fn named<'a>(text: &'a str, prefixes: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
}

#[test]
fn every_metric_that_a_dashboard_a_rule_or_a_manifest_names_is_one_of_the_servers() {
    let metrics = listed(METRICS);
    let mut found = 0;
    for path in
        ["grafana", "prometheus", "kubernetes"].iter().flat_map(|name| files_below(&deploy().join(name)))
    {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in named(&text, &["polarway_", "process_"]) {
            let series = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let is_metric = metrics.contains(name) || series.is_some_and(|name| metrics.contains(name));
            assert!(is_metric, "{} names {name}, which the server does not have", path.display());
            found += 1;
        }
    }
    assert!(found > 80, "only {found} names were found");
}

#[test]
fn every_variable_that_a_file_sets_is_a_setting() {
    let of_client = ["POLARWAY_URL", "POLARWAY_TIMEOUT"];
    for path in files_below(&deploy()) {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in named(&text, &["POLARWAY_"]).filter(|name| *name != "POLARWAY_PORT") {
            let is_setting = SETTINGS.contains(&format!("`{name}`")) || of_client.contains(&name);
            assert!(is_setting, "{} sets {name}, which nobody reads", path.display());
        }
    }
}

#[test]
fn the_parts_of_a_kustomization_are_there() {
    let mut found = 0;
    for path in files_below(&deploy()).iter().filter(|path| path.ends_with("kustomization.yaml")) {
        let text = std::fs::read_to_string(path).unwrap();
        let entries = text.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
        for entry in
            entries.map(|entry| entry.trim_start_matches("path: ")).filter(|entry| !entry.contains(':'))
        {
            let part = path.parent().unwrap().join(entry);
            assert!(part.exists(), "{} names {entry}, which is not there", path.display());
            found += 1;
        }
    }
    assert!(found >= 10, "only {found} parts were found");
}

#[test]
fn the_rules_of_the_operator_are_those_of_prometheus() {
    let groups = |text: &str| text[text.find("groups:").unwrap()..].to_owned();
    let plain = groups(&file("prometheus/alerts.yml"));
    let indented: String = plain.split_inclusive('\n').map(|line| format!("  {line}")).collect();
    let of_operator = file("kubernetes/production/alerts.yaml");
    assert_eq!(format!("  {}", groups(&of_operator)), indented);
}

#[test]
fn nginx_with_tls_differs_from_nginx_without_it_in_nothing_else() {
    let (plain, secured) = (file("nginx/nginx.conf"), file("nginx/nginx-tls.conf"));
    let settings = |text: &str| -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let secured: Vec<String> = settings(&secured)
        .into_iter()
        .filter(|line| !line.starts_with("ssl_") && !line.starts_with("grpc_ssl_"))
        .map(|line| {
            line.replace("listen 50052 ssl http2;", "listen 50052 http2;").replace("grpcs://", "grpc://")
        })
        .collect();
    assert_eq!(secured, settings(&plain));
}

#[test]
fn a_pod_is_not_given_the_addresses_of_services_as_variables_and_does_not_run_as_root() {
    let deployment = file("kubernetes/base/deployment.yaml");
    for setting in [
        "enableServiceLinks: false",
        "runAsNonRoot: true",
        "runAsUser: 10001",
        "readOnlyRootFilesystem: true",
    ] {
        assert!(deployment.contains(setting), "{setting}");
    }
    let image = file("Dockerfile");
    assert!(image.contains("\nUSER 10001:10001\n"));
}
