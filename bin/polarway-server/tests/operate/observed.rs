//! A server with its HTTP port, and the answers of that port.

use std::collections::BTreeMap;

use crate::support::{PATIENCE, Server, until};

/// A server that measures itself.
pub(crate) struct Observed {
    pub(crate) server: Server,
    address: String,
}

impl Observed {
    /// A server with its own empty folder.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_with_variables(&[], flags).await
    }

    /// The same with more variables in its environment.
    pub(crate) async fn start_with_variables(variables: &[(&str, &str)], flags: &[&str]) -> Self {
        let flags: Vec<&str> = ["--metrics", "--metrics-port", "0"].iter().chain(flags).copied().collect();
        let server = Server::start_with_variables(variables, &flags);
        let address = until("the HTTP port in the log", async || {
            let log = server.log();
            let address = log.lines().find_map(|line| line.split_once("metrics and probes on http://"))?.1;
            Some(address.trim().to_owned())
        })
        .await;
        Self { server, address }
    }

    /// The address of the HTTP port.
    pub(crate) fn http_address(&self) -> &str {
        &self.address
    }

    /// The status and the text of a page.
    pub(crate) async fn page(&self, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
        let response = client.get(format!("http://{}{path}", self.address)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// The metrics as they are now.
    pub(crate) async fn metrics(&self) -> Samples {
        let (status, text) = self.page("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Samples::parse(&text)
    }

    /// Waits until the metrics are as expected: a call is counted after its answer was sent, so its caller may have the answer a
    /// moment earlier.
    pub(crate) async fn metrics_when(&self, what: &str, wanted: impl Fn(&Samples) -> bool) -> Samples {
        until(what, async || Some(self.metrics().await).filter(&wanted)).await
    }

    /// Waits until a page has this status, and gives its text.
    pub(crate) async fn page_when(&self, path: &str, status: u16) -> String {
        until(&format!("status {status} of {path}"), async || {
            let (found, text) = self.page(path).await;
            (found == status).then_some(text)
        })
        .await
    }
}

/// Metrics by their names with labels.
#[derive(Debug)]
pub(crate) struct Samples {
    values: BTreeMap<String, f64>,
    /// The types of the metrics by their names.
    pub(crate) types: BTreeMap<String, String>,
}

impl Samples {
    fn parse(text: &str) -> Self {
        let (mut values, mut types) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, kind) = declared.split_once(' ').unwrap();
                assert_eq!(types.insert(name.to_owned(), kind.to_owned()), None, "{name} is there twice");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
                let value = value.parse().unwrap_or_else(|_| panic!("{line:?}"));
                assert_eq!(values.insert(series.to_owned(), value), None, "{series} is there twice");
            }
        }
        Self { values, types }
    }

    /// The value of a series, such as `polarway_rows_moved_total{call="Load"}`.
    #[track_caller]
    pub(crate) fn value(&self, series: &str) -> f64 {
        let found = self.values.get(series);
        *found.unwrap_or_else(|| panic!("{series} is not among {:#?}", self.values.keys()))
    }

    /// The sum of all series of a metric.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|(_, value)| value).sum()
    }

    /// The series of a metric.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        let series = self.values.iter().filter(move |(series, _)| series.split('{').next() == Some(name));
        series.map(|(series, value)| (series.as_str(), *value))
    }
}
