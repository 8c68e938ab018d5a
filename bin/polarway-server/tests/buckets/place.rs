//! Places in buckets, each behind a network that a test makes fail.

use std::sync::{Arc, Mutex};

use polarway_cloud::{Action, Answer, Given, Proxy, Request};
use polarway_testing::not_run;
use uuid::Uuid;

use crate::observed::Observed;

/// Says what happens to a request.
type Decide = Arc<dyn Fn(&Request) -> Action + Send + Sync>;

/// A place in a bucket that nobody else uses, and the network before it.
pub(crate) struct Place {
    given: Given,
    name: String,
    proxy: Proxy,
    decide: Arc<Mutex<Decide>>,
}

impl Place {
    /// One in each bucket that has a server of the tests' own: requests to others are signed for their addresses.
    pub(crate) fn all() -> Vec<Self> {
        let places: Vec<Self> = Given::all().into_iter().filter_map(Self::in_bucket).collect();
        if places.is_empty() {
            not_run("there are no servers of buckets: `cargo xtask test` starts them");
        }
        places
    }

    fn in_bucket(given: Given) -> Option<Self> {
        let decide: Arc<Mutex<Decide>> = Arc::new(Mutex::new(Arc::new(|_: &Request| Action::Pass)));
        let decided = Arc::clone(&decide);
        let proxy = Proxy::start(given.server?, move |request| {
            let decide = Arc::clone(&decided.lock().unwrap());
            decide(request)
        });
        let name = format!("server-{}", Uuid::now_v7());
        Some(Self { given, name, proxy: proxy.unwrap(), decide })
    }

    /// What happens to requests from here on.
    pub(crate) fn now(&self, decide: impl Fn(&Request) -> Action + Send + Sync + 'static) {
        *self.decide.lock().unwrap() = Arc::new(decide);
    }

    /// From here on, all requests pass.
    pub(crate) fn heal(&self) {
        self.now(|_| Action::Pass);
    }

    /// How many requests wait for an answer that stalls.
    pub(crate) fn stalled(&self) -> usize {
        self.proxy.stalled()
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.given.scheme()
    }

    /// A worker whose tables and handles are here.
    pub(crate) async fn worker(&self, flags: &[&str]) -> Observed {
        self.worker_with_variables(&[], flags).await
    }

    /// The same with more variables, or none of the bucket's own where there are some.
    pub(crate) async fn worker_with_variables(&self, variables: &[(&str, &str)], flags: &[&str]) -> Observed {
        let at = |part: &str| format!("{}/{}/{part}", self.given.url, self.name);
        let (cold, state) = (at("cold"), at("state"));
        let endpoint = self.given.endpoint_at(self.proxy.address());
        let own = ["--parquet-path", &cold, "--handle-store", "external", "--state-dir", &state];
        let reached = ["--bucket-endpoint", &endpoint, "--bucket-plain-http"];
        let flags: Vec<&str> = own.iter().chain(&reached).chain(flags).copied().collect();
        let given: Vec<(&str, &str)> =
            self.given.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let variables = if variables.is_empty() { &given } else { variables };
        Observed::start_with_variables(variables, &flags).await
    }
}

/// An answer that refuses a request with this code, as services write it.
pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    Answer::new(status, format!("<Error><Code>{code}</Code><Message>No.</Message></Error>"))
        .with_header("content-type", "application/xml")
}
