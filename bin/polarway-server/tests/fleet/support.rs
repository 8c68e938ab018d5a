//! What the tests share.

#[path = "../network/support/tables.rs"]
mod tables;

use std::path::{Path, PathBuf};
use std::time::Duration;

use polarway_client::{DistributedClient, Error, Reason};
use polarway_cloud::Given;
use polarway_fleet::{Balancer, Buckets, Fleet, FleetConfig, Spread, free_port};
use polarway_testing::not_run;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) use tables::{numbers, same, sum_of, wide};

/// Which balancers are there, by their names with commas between: `cargo xtask test` sees to them.
const BALANCERS: &str = "POLARWAY_BALANCERS";

/// Whether a balancer is to be tested with: where nobody says, whether it is installed. If not, that is noted as the reason why
/// the test is not run.
pub(crate) fn has(balancer: Balancer) -> bool {
    let is_there = match std::env::var(BALANCERS) {
        Ok(names) => names.split(',').any(|name| name == balancer.name()),
        Err(_) => balancer.program().is_some(),
    };
    if !is_there {
        not_run(&format!("there is no {balancer}; on Debian: apt-get install {}", balancer.package()));
    }
    is_there
}

/// A fleet whose folder goes with it.
pub(crate) struct OwnFleet {
    pub(crate) fleet: Fleet,
    _folder: TempDir,
}

impl OwnFleet {
    /// Three workers behind this balancer.
    pub(crate) fn behind(balancer: Balancer, spread: Spread) -> Self {
        Self::start(Some((balancer, spread)), &deploy_folder(), |_| {})
    }

    /// The same with tables and handles in a bucket, at a place that nobody else uses.
    pub(crate) fn over_bucket(balancer: Balancer, given: &Given) -> Self {
        let balancer = Some((balancer, Spread::RoundRobin));
        Self::start(balancer, &deploy_folder(), |config| over_bucket(config, given))
    }

    /// Three workers behind nginx, with a file in which something else stands than in ours.
    pub(crate) fn behind_nginx_with(from: &str, to: &str) -> Self {
        let file = std::fs::read_to_string(deploy_folder().join("nginx/nginx.conf")).unwrap();
        assert!(file.contains(from));
        let deploy = tempfile::tempdir().unwrap();
        std::fs::create_dir(deploy.path().join("nginx")).unwrap();
        std::fs::write(deploy.path().join("nginx/nginx.conf"), file.replace(from, to)).unwrap();
        Self::start(Some((Balancer::Nginx, Spread::RoundRobin)), deploy.path(), |_| {})
    }

    /// Three workers without one.
    pub(crate) fn of_workers() -> Self {
        Self::start(None, &deploy_folder(), |_| {})
    }

    /// Three workers without a balancer that run queries together.
    pub(crate) fn of_peers() -> Self {
        Self::of_peers_with(&[])
    }

    /// The same with more arguments for each worker.
    pub(crate) fn of_peers_with(arguments: &[&str]) -> Self {
        Self::of_peers_with_variables(arguments, &[])
    }

    /// The same with more variables in its environment.
    pub(crate) fn of_peers_with_variables(arguments: &[&str], variables: &[(&'static str, &str)]) -> Self {
        Self::start(None, &deploy_folder(), |config| {
            with_peers(config, arguments);
            let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
            config.server_variables.extend(variables);
        })
    }

    /// Three workers behind this balancer that run queries together, with more arguments for each.
    pub(crate) fn of_peers_behind(balancer: Balancer, arguments: &[&str]) -> Self {
        Self::start(Some((balancer, Spread::RoundRobin)), &deploy_folder(), |config| {
            with_peers(config, arguments);
        })
    }

    /// Three workers without a balancer that run queries together, with tables and handles in a bucket.
    pub(crate) fn of_peers_over_bucket(given: &Given) -> Self {
        Self::start(None, &deploy_folder(), |config| {
            with_peers(config, &[]);
            over_bucket(config, given);
        })
    }

    /// A worker that takes itself for one of another fleet's, with a token of its own.
    pub(crate) fn among(other: &Self, token: &str) -> Self {
        let theirs = &other.fleet.config().peers;
        Self::start(None, &deploy_folder(), |config| {
            config.workers = 1;
            let own = format!("127.0.0.1:{}", free_port().unwrap());
            let all: Vec<String> = theirs.iter().map(ToString::to_string).chain([own.clone()]).collect();
            let flags = ["--peer-bind", &own, "--peers", &all.join(",")];
            config.server_arguments.extend(flags.map(str::to_owned));
            config.server_variables.push(("POLARWAY_PEER_TOKEN", token.to_owned()));
        })
    }

    fn start(
        balancer: Option<(Balancer, Spread)>,
        deploy: &Path,
        change: impl FnOnce(&mut FleetConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = FleetConfig::new(env!("CARGO_BIN_EXE_polarway-server"), folder.path(), deploy);
        config.balancer = balancer;
        change(&mut config);
        Self { fleet: Fleet::start(config).unwrap(), _folder: folder }
    }

    /// A page of the HTTP port of a worker whose arguments have `--metrics`.
    pub(crate) async fn page(&self, worker: usize, path: &str) -> String {
        let log = self.fleet.worker_log(worker);
        // It was perhaps started more than once.
        let (_, after) = log.rsplit_once("metrics and probes on ").unwrap();
        let address = after.lines().next().unwrap();
        reqwest::get(format!("{address}{path}")).await.unwrap().text().await.unwrap()
    }

    /// A client of the whole fleet.
    pub(crate) async fn client(&self) -> DistributedClient {
        client_of(self.fleet.url()).await
    }

    /// A client of one worker.
    pub(crate) async fn client_of_worker(&self, index: usize) -> DistributedClient {
        client_of(self.fleet.worker_url(index)).await
    }
}

/// Workers run queries together.
fn with_peers(config: &mut FleetConfig, arguments: &[&str]) {
    *config = config.clone().with_peers().unwrap();
    config.server_arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    config.server_variables.push(("POLARWAY_PEER_TOKEN", "canary-token-of-peers".to_owned()));
}

/// Tables and handles are in a bucket, at a place that nobody else uses.
fn over_bucket(config: &mut FleetConfig, given: &Given) {
    let place = format!("{}/fleet-{}", given.url, Uuid::now_v7());
    config.buckets = Some(Buckets { cold: format!("{place}/cold"), state: format!("{place}/handles") });
    config.server_variables.extend(given.variables.iter().cloned());
    if let Some(endpoint) = given.endpoint() {
        let arguments = ["--bucket-plain-http", "--bucket-endpoint", &endpoint];
        config.server_arguments.extend(arguments.map(str::to_owned));
    }
}

fn deploy_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// How long a call may take on a machine that is busy with other things: less than the most patient balancer here waits.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn client_of(url: String) -> DistributedClient {
    DistributedClient::builder().url(url).timeout(PATIENCE).connect().await.unwrap()
}

/// Why a call was refused, which must have a reason.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>) -> Reason {
    let error = result.err().expect("it was accepted");
    error.reason().unwrap_or_else(|| panic!("it has no reason: {error:?}"))
}
