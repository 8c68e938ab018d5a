//! A real Prometheus scrapes a real worker, and has an answer to every query of the dashboard.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use polarway_fleet::free_port;
use polarway_testing::wait_until;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{client, deploy, example, file, run, succeeds};

/// A process that ends with the test.
struct Background(Child);

impl Background {
    fn start(program: impl AsRef<Path>, arguments: &[String], folder: &Path) -> Self {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(folder).env_remove("POLARWAY_AUTH_TOKEN");
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each query of the dashboard, with the title of its panel.
fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&file("grafana/dashboard.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let queries = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap();
        targets.iter().map(|target| (text(&panel["title"]), text(&target["expr"])))
    });
    queries.collect()
}

#[test]
fn the_dashboard_has_a_row_for_each_thing_that_an_operator_looks_at() {
    let dashboard: Value = serde_json::from_str(&file("grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<&str> = panels
        .iter()
        .filter(|panel| panel["type"] == "row")
        .map(|panel| panel["title"].as_str().unwrap())
        .collect();
    let named = ["Traffic", "Errors", "Latency", "Cache", "Storage", "Queries", "Handles", "Workers"];
    assert_eq!(rows, [&named[..], &["Queries over several workers"]].concat());
    let titles: Vec<String> = queries().into_iter().map(|(title, _)| title).collect();
    for promised in ["Requests/sec", "P95 Latency"] {
        assert!(titles.iter().any(|title| title == promised), "{promised}");
    }
}

#[test]
#[ignore = "needs Prometheus: cargo xtask test --containers"]
fn prometheus_scrapes_a_worker_and_answers_every_query_of_the_dashboard() {
    let folder = TempDir::new().unwrap();
    let [port, metrics, prometheus] = [(); 3].map(|()| free_port().unwrap());
    let arguments =
        format!("server --bind 127.0.0.1:{port} --data-dir data --metrics --metrics-port {metrics}");
    let arguments = arguments + " --handle-store external";
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let _worker = Background::start(env!("CARGO_BIN_EXE_polarway"), &words(&arguments), folder.path());

    // The worker is there under two names and not under the third, and scraped each second: rates need two scrapes.
    let mut configuration = file("prometheus/prometheus.yml");
    for (from, to) in [
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("evaluation_interval: 15s", "evaluation_interval: 1s"),
        ("worker-1:9090", &format!("127.0.0.1:{metrics}")),
        ("worker-2:9090", &format!("127.0.0.2:{metrics}")),
        ("worker-3:9090", &format!("localhost:{metrics}")),
    ] {
        assert!(configuration.contains(from), "{from}");
        configuration = configuration.replace(from, to);
    }
    fs::write(folder.path().join("prometheus.yml"), configuration).unwrap();
    fs::copy(deploy().join("prometheus/alerts.yml"), folder.path().join("alerts.yml")).unwrap();
    let arguments = format!(
        "--config.file=prometheus.yml --storage.tsdb.path=series --web.listen-address=127.0.0.1:{prometheus}"
    );
    let _prometheus = Background::start("prometheus", &words(&arguments), folder.path());

    let client = |arguments: &[&str]| client(&format!("http://127.0.0.1:{port}"), folder.path(), arguments);
    wait_until(|| succeeds(&client(&["health"])));
    run(&mut client(&["store", "airlines", &example("airlines.parquet")]));
    run(&mut client(&["load", "airlines", "-o", "loaded.parquet"]));
    run(&mut client(&["query", "--keep", "FROM airlines"]));
    run(&mut client(&["query", "FROM airlines"]));
    assert!(!succeeds(&client(&["load", "nowhere"])));

    let url = format!("http://127.0.0.1:{prometheus}");
    let ask = |expression: &str| {
        let mut command = Command::new("promtool");
        command.args(["query", "instant", &url, expression]);
        command
    };
    wait_until(|| succeeds(&ask("vector(1)")));
    wait_until(|| run(&mut ask("up == 1")).contains("job=\"polarway\""));
    for (title, expression) in queries() {
        let mut answer = String::new();
        wait_until(|| {
            answer = run(&mut ask(&expression));
            !answer.trim().is_empty()
        });
        println!("{title}: {} series", answer.lines().count());
    }
    // What was done is what is shown.
    let made = run(&mut ask("sum (polarway_handles_made_total) / count (up == 1)"));
    assert!(made.contains("=> 1 @"), "{made}");
    // The rules are evaluated: the one that is not there will raise an alert.
    wait_until(|| run(&mut ask("ALERTS{alertname=\"PolarwayWorkerDown\"}")).contains("pending"));
}
