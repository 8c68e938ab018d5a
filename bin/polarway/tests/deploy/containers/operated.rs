//! The page for operators does what it says: its commands are run, one after the other.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use polarway_fleet::free_port;
use tempfile::TempDir;

use super::{image, turn};
use crate::support::{deploy, files_below, run, succeeds};

const PAGE: &str = include_str!("../../../../../docs/operate.md");

/// A client that asks in the background as long as a file is there.
const ASK: &str = "touch asking
while [ -e asking ]; do polarway query 'SELECT count(*) FROM flights' || echo 'a client noticed'; done & asks=$!
";
const ASKED: &str = "rm asking && wait $asks && echo 'asked until the end'\n";

/// The commands of the page, without the one that builds the image, and with a client that asks while workers restart.
fn commands() -> String {
    let (mut built, mut restarted) = (0, 0);
    let mut commands = String::new();
    for block in PAGE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let restarts = block.contains("docker-compose restart ");
        restarted += usize::from(restarts);
        commands += if restarts { ASK } else { "" };
        for line in block.split_inclusive('\n') {
            if line.starts_with("docker build ") {
                built += 1;
            } else {
                commands += line;
            }
        }
        commands += if restarts { ASKED } else { "" };
    }
    assert_eq!((built, restarted), (1, 1));
    commands
}

/// Puts text into a copy of a file in the place of other text, which stands there once.
fn put(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "{from} in {}", file.display());
    fs::write(file, text.replace(from, to)).unwrap();
}

/// A folder like a checkout, with programs by the names that the page uses. Its containers go with it.
struct Operator {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Operator {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["nginx", "prometheus"] {
            let copies = folder.path().join("deploy").join(name);
            fs::create_dir_all(&copies).unwrap();
            for file in files_below(&deploy().join(name)) {
                fs::copy(&file, copies.join(file.file_name().unwrap())).unwrap();
            }
        }
        let examples = deploy().join("../examples").canonicalize().unwrap();
        symlink(examples, folder.path().join("examples")).unwrap();
        let programs = folder.path().join("programs");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_polarway"), programs.join("polarway")).unwrap();
        for (name, program) in [("docker", "podman"), ("docker-compose", "podman-compose"), ("sudo", "env")] {
            let file = programs.join(name);
            fs::write(&file, format!("#!/bin/sh\nexec {program} \"$@\"\n")).unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let files = "docker-compose.yml:docker-compose.production.yml".to_owned();
        Self { folder, variables: vec![("PATH".to_owned(), path), ("COMPOSE_FILE".to_owned(), files)] }
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("POLARWAY_")) {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().cloned()).current_dir(&self.folder);
        command.args(["-e", "-u", "-o", "pipefail", "-c", script]);
        command
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        succeeds(&self.shell("cd deploy/nginx && docker-compose down --volumes"));
    }
}

#[test]
#[ignore = "needs containers: cargo xtask test --containers"]
fn the_page_for_operators_does_what_it_says() {
    let Some(_turn) = turn() else { return };
    image::build();
    let operator = Operator::new();
    // Other ports, since these may be somebody's.
    let [port, prometheus] = [(); 2].map(|()| free_port().unwrap());
    let nginx = operator.folder.path().join("deploy/nginx");
    put(&nginx.join("docker-compose.yml"), "\"50052:50052\"", &format!("\"127.0.0.1:{port}:50052\""));
    let published = format!("\"127.0.0.1:{prometheus}:9090\"");
    put(&nginx.join("docker-compose.production.yml"), "\"127.0.0.1:9090:9090\"", &published);
    let script = commands()
        .replace("https://localhost:50052", &format!("https://localhost:{port}"))
        .replace("http://localhost:9090", &format!("http://localhost:{prometheus}"));
    let said = run(&mut operator.shell(&script));

    for expected in ["336776", "\"status\":\"success\"", "asked until the end"] {
        assert!(said.contains(expected), "{expected:?} is missing in:\n{said}");
    }
    assert!(!said.contains("a client noticed"), "{said}");
    // What the reports tried to delete is listed at the end, after the token for them was refused.
    let last = said.rfind("flights").unwrap();
    assert!(said[last..].contains("336,776"), "{said}");
}
