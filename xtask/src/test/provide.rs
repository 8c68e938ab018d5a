//! What tests need on the machine: it is installed or generated where that can be done.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use polarway_cloud::Servers;
use polarway_fleet::Balancer;

use super::cloud;
use crate::folders::cache_folder;
use crate::go_client::Go;
use crate::python::Python;
use crate::tpc::{Suite, TPCDS, TPCH};
use crate::typescript_client::TypescriptClient;
use crate::{peers, python_client};

/// The smallest scale at which each query of TPC-H has something to answer.
const TPCH_SCALE: f64 = 0.1;

/// A scale at which three in four queries of TPC-DS have something to answer, in seconds.
const TPCDS_SCALE: f64 = 0.01;

/// The variable by which tests know which balancers are there: their names, with commas between.
const BALANCERS_VARIABLE: &str = "POLARWAY_BALANCERS";

/// What tests were given.
pub(super) struct Provided {
    /// The variables by which they know what is there.
    pub(super) variables: Vec<(&'static str, OsString)>,
    /// What could not be had, each with the reason. The tests that need it say themselves that they were not run.
    pub(super) missing: Vec<String>,
}

/// Provides the programs and tables that tests need, or only the balancers.
pub(super) fn provide(only_balancers: bool) -> Provided {
    let mut provided = Provided { variables: Vec::new(), missing: Vec::new() };
    if !only_balancers {
        let strace = provide_program("strace", "strace", &["-V"]);
        provided.note("strace", strace);
        let browser = provide_program("chromium", "chromium", &["--version"]);
        provided.note("chromium", browser);
        provided.tables("TPC-H", &TPCH, TPCH_SCALE);
        provided.tables("TPC-DS", &TPCDS, TPCDS_SCALE);
        let peers = cache_folder().and_then(|cache| peers::provide(&cache));
        let what = "pyarrow, polars and DuckDB, for which Python 3.11 with venv and a network are needed";
        let peers = provided.note(what, peers);
        provided.variables.extend(peers.map(|interpreter| (peers::VARIABLE, interpreter.into())));
    }
    let mut balancers = Vec::new();
    for balancer in Balancer::ALL {
        let there = match balancer.program() {
            Some(_) => Ok(()),
            None => provide_program(balancer.name(), balancer.package(), &["-v"]),
        };
        balancers.extend(provided.note(balancer.name(), there).map(|()| balancer.name()));
    }
    provided.variables.push((BALANCERS_VARIABLE, balancers.join(",").into()));
    provided
}

impl Provided {
    /// All that was wanted, which these variables tell.
    pub(super) fn whole(variables: Vec<(&'static str, OsString)>) -> Self {
        Self { variables, missing: Vec::new() }
    }

    /// An environment for the tests of the Python client.
    pub(super) fn python_client(&mut self) -> Option<Python> {
        let python = cache_folder().and_then(|cache| python_client::prepare(&cache));
        let what = "the tests of clients/python, for which Python 3.11 with venv and a network are needed";
        self.note(what, python)
    }

    /// The TypeScript client with what its tests need.
    pub(super) fn typescript_client(&mut self) -> Option<TypescriptClient> {
        let what = "the tests of clients/typescript, for which Node.js 20.19, npm and a network are needed";
        self.note(what, TypescriptClient::prepare())
    }

    /// Go, for the tests of its client.
    pub(super) fn go_client(&mut self) -> Option<Go> {
        self.note("the tests of clients/go", Go::find())
    }

    /// Servers of buckets, as long as the result is kept.
    pub(super) fn buckets(&mut self, folder: &Path) -> Option<Servers> {
        let what = "buckets of S3, Azure and Google, for which Go, Node.js, npm and a network are needed";
        self.note(what, cloud::start(folder))
    }

    /// The tables and queries of a suite.
    fn tables(&mut self, name: &str, suite: &Suite, scale: f64) {
        let tables = cache_folder().and_then(|cache| suite.provide(&cache, scale));
        let what = format!("the tables of {name}, for which Python with venv and a network are needed");
        let tables = self.note(&what, tables);
        self.variables.extend(tables.map(|folder| (suite.folder_variable, folder.into())));
    }

    fn note<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        outcome.map_err(|error| self.missing.push(format!("{what} ({error:#})"))).ok()
    }
}

/// Sees to it that a program is installed, which one sees by its running with these arguments.
///
/// # Errors
/// When it isn't and can't be. The tests that need it see that for themselves.
pub(super) fn provide_program(program: &str, package: &str, arguments: &[&str]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("there is none for this system");
    }
    if runs(program, arguments) {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() || !is_root() {
        bail!("it can't be installed without apt-get and root");
    }
    eprintln!("test: installing {package}");
    if !apt_get(&["update"]) || !install(package) {
        bail!("apt-get could not install it");
    }
    if !runs(program, arguments) {
        bail!("it was installed, but does not run");
    }
    Ok(())
}

/// Installs a package and starts no service of it: the tests have their own, and port 80 may be somebody's.
fn install(package: &str) -> bool {
    // Debian's way to say so is a program that is asked, and whose 101 means no. One that is there already says what it says.
    let policy = Path::new("/usr/sbin/policy-rc.d");
    let is_ours = !policy.exists() && fs::write(policy, "#!/bin/sh\nexit 101\n").is_ok();
    if is_ours {
        let _ = fs::set_permissions(policy, fs::Permissions::from_mode(0o755));
    }
    let installed = apt_get(&["install", "--yes", "--no-install-recommends", package]);
    if is_ours {
        let _ = fs::remove_file(policy);
    }
    installed
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_get(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
