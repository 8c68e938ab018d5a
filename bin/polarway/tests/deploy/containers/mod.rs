//! Real containers: the image is built, and both Compose files come up.

mod image;
mod operated;
mod project;

use std::env;
use std::sync::{Mutex, MutexGuard, PoisonError};

use polarway_testing::{not_run, wait_until};

use self::project::{Project, podman};
use crate::support::{example, run, succeeds};

/// The names of containers stand in the Compose files, so only one of these tests runs at a time.
static TURN: Mutex<()> = Mutex::new(());

/// The turn of a test, if containers can be run here.
fn turn() -> Option<MutexGuard<'static, ()>> {
    if env::var_os("POLARWAY_CONTAINERS").is_none() {
        not_run("`cargo xtask test --containers` provides what containers need");
        return None;
    }
    Some(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

const AIRLINES: &str = "SELECT count(*) FROM airlines";

impl Project {
    /// What a query with one value answers.
    #[track_caller]
    fn answer(&self, sql: &str) -> String {
        let csv = run(&mut self.client(&["query", "--format", "csv", sql]));
        csv.lines().nth(1).unwrap_or_else(|| panic!("{sql} answered {csv:?}")).to_owned()
    }
}

#[test]
#[ignore = "needs containers: cargo xtask test --containers"]
fn the_image_does_not_run_as_root_and_its_data_can_be_written() {
    let Some(_turn) = turn() else { return };
    image::build();
    assert_eq!(image::says(".Config.User"), "10001:10001");
    assert_eq!(image::says("json .Config.Entrypoint"), r#"["polarway"]"#);
    assert_eq!(
        image::says("json .Config.Healthcheck.Test"),
        r#"["CMD","polarway","health","--timeout","4s"]"#
    );
    let look = "id -u; test -w /data && test -w /state && ! test -w / && echo only these";
    let said = image::runs(&["--read-only", "--volume", "/data", "--volume", "/state"], &["sh", "-c", look]);
    assert_eq!(said, "10001\nonly these\n");
    let version = image::runs(&[], &["polarway", "--version"]);
    assert_eq!(version.trim(), concat!("polarway ", env!("CARGO_PKG_VERSION")));
}

#[test]
#[ignore = "needs containers: cargo xtask test --containers"]
fn one_worker_comes_up_turns_healthy_and_keeps_its_tables() {
    let Some(_turn) = turn() else { return };
    let project = Project::new("", &["docker-compose.yml"]);
    let data = project.own_folder("data");
    let worker = ["polarway-server".to_owned()];
    project.up(&worker);
    run(&mut project.client(&["store", "airlines", &example("airlines.parquet")]));
    assert_eq!(project.answer(AIRLINES), "16");
    assert!(data.join("cold/airlines").is_dir());

    project.down();
    assert!(!succeeds(&podman(&["container", "exists", "polarway-server"])));
    project.up(&worker);
    assert_eq!(project.answer(AIRLINES), "16");
}

#[test]
#[ignore = "needs containers: cargo xtask test --containers"]
fn three_workers_behind_nginx_lose_one_and_then_their_containers_and_keep_everything() {
    let Some(_turn) = turn() else { return };
    let project = Project::new("nginx", &["docker-compose.yml"]);
    let workers = [1, 2, 3].map(|number| project.container(&format!("worker-{number}")));
    project.up(&workers);
    run(&mut project.client(&["store", "airlines", &example("airlines.parquet")]));
    let handle = run(&mut project.client(&["query", "--keep", "FROM airlines WHERE carrier < 'C'"]));
    let handle = handle.trim();
    let look = || {
        // More calls than workers, which take turns: each answers for all.
        for _ in 0..4 {
            assert_eq!(project.answer(AIRLINES), "16");
            assert_eq!(project.answer(&format!("SELECT count(*) FROM {handle}")), "4");
        }
        run(&mut project.client(&["load", "airlines", "-o", "loaded.parquet"]));
    };
    look();

    // A worker dies in the middle of it all. Compose starts it again, or somebody does.
    run(&mut podman(&["kill", "--signal", "KILL", &workers[0]]));
    look();
    run(&mut podman(&["start", &workers[0]]));
    project.wait_until_healthy(&workers[0]);
    // It may have another address now, which nginx looks up when it reads its file. Names take a moment to be known.
    wait_until(|| succeeds(&podman(&["exec", "polarway-lb", "nginx", "-s", "reload"])));
    for other in &workers[1..] {
        run(&mut podman(&["kill", "--signal", "KILL", other]));
    }
    wait_until(|| succeeds(&project.client(&["health"])));
    assert_eq!(project.answer(AIRLINES), "16");

    // All containers go, the volumes stay.
    project.down();
    project.up(&workers);
    look();
}
