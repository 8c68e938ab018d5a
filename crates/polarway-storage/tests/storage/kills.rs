//! A process that is killed at any system call loses nothing that it acknowledged, and leaves
//! nothing half done.
//!
//! The child is this test program, run again under strace, which kills it at the chosen call.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use polarway_storage::{DiskBackend, Environment, Error, Settings, Tables};
use tempfile::TempDir;

use crate::support::timed::TimedBackend;
use crate::support::{append, clock_ahead_by, name, newest, open, store};

/// Tells the child where to work; without it, the child's test does nothing.
const FOLDER_VARIABLE: &str = "POLARWAY_TEST_KILL_FOLDER";

/// The calls that touch files: those at which a kill can make a difference.
const FILE_CALLS: &str = "openat,write,pwrite64,fsync,fdatasync,link,linkat,unlink,unlinkat,mkdir,mkdirat,rename,renameat,renameat2,close,ioctl";

/// What each of the child's steps leaves; `None` is a dataset that is not there.
fn states() -> [Option<Vec<i64>>; 10] {
    [
        None,
        Some(vec![1, 2]),
        Some(vec![1, 2, 3]),
        Some(vec![9]),
        None,
        Some(vec![5]),
        Some(vec![5, 6]),
        Some(vec![5, 6, 7]),
        Some(vec![4]),
        Some(vec![4, 8]),
    ]
}

/// What the child does: each step is acknowledged on its standard output when it returned.
#[test]
#[ignore = "the tests below start it"]
fn child_that_writes() {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    let tables = Tables::new(std::sync::Arc::new(DiskBackend::open(folder).unwrap()), Settings::default());
    let trades = name("trades");
    let steps: [&dyn Fn(); 9] = [
        &|| drop(store(&tables, &trades, [1, 2]).unwrap()),
        &|| drop(append(&tables, &trades, [3]).unwrap()),
        &|| drop(store(&tables, &trades, [9]).unwrap()),
        &|| drop(tables.delete(&trades, None, None).unwrap()),
        &|| drop(store(&tables, &trades, [5]).unwrap()),
        &|| drop(append(&tables, &trades, [6]).unwrap()),
        &|| drop(append(&tables, &trades, [7]).unwrap()),
        &|| drop(store(&tables, &trades, [4]).unwrap()),
        &|| drop(append(&tables, &trades, [8]).unwrap()),
    ];
    for (number, step) in (1..).zip(steps) {
        step();
        acknowledge(number);
    }
}

/// Writes past the test harness, which would keep the line for later.
fn acknowledge(step: usize) {
    std::fs::write("/dev/stdout", format!("acknowledged {step}\n")).unwrap();
}

fn child(strace: &[&str], folder: &TempDir) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-o"])
        .args(strace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child_that_writes", "--ignored", "--nocapture"])
        .env(FOLDER_VARIABLE, folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        polarway_testing::not_run("strace is not installed");
    }
    found
}

/// A place in the child's run: the `nth` time that one thread makes this call.
#[derive(Clone, Debug)]
struct KillPoint {
    call: String,
    nth: usize,
}

/// All places at which the child touches a file: strace counts each call by itself in each thread.
fn kill_points() -> Vec<KillPoint> {
    let folder = tempfile::tempdir().unwrap();
    let log = trace(&folder, &[]);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in log.lines() {
        let mut words = line.split([' ', '(']).filter(|word| !word.is_empty());
        if let (Some(thread), Some(call)) = (words.next(), words.next())
            && FILE_CALLS.split(',').any(|file_call| file_call == call)
        {
            *counts.entry((call, thread)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    for ((call, _), count) in counts {
        let there = most.entry(call).or_default();
        *there = count.max(*there);
    }
    let points = |(call, most): (&str, usize)| {
        let call = call.to_owned();
        (1..=most).map(move |nth| KillPoint { call: call.clone(), nth })
    };
    most.into_iter().flat_map(points).collect()
}

/// Runs the child to its end and returns its file calls.
fn trace(folder: &TempDir, options: &[&str]) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let what = format!("trace={FILE_CALLS}");
    let arguments = [&[log.path().to_str().unwrap(), "-e", &what], options].concat();
    let output = child(&arguments, folder).output().unwrap();
    assert!(output.status.success());
    std::fs::read_to_string(log.path()).unwrap()
}

/// Runs the child and kills it there. Returns how many steps it acknowledged.
fn run_and_kill(folder: &TempDir, at: &KillPoint) -> usize {
    let inject = format!("inject={}:signal=KILL:when={}", at.call, at.nth);
    let output = child(&["/dev/null", "-e", &inject], folder).output().unwrap();
    String::from_utf8_lossy(&output.stdout).matches("acknowledged ").count()
}

fn check_after_kill(folder: &TempDir, acknowledged: usize, at: &KillPoint) {
    let tables = open(folder);
    let trades = name("trades");
    let now = match newest(&tables, &trades) {
        Ok(rows) => Some(rows),
        Err(Error::UnknownDataset { .. }) => None,
        Err(error) => panic!("killed at {at:?}: {error}"),
    };
    let states = states();
    // The step after the last acknowledged one may have taken place; then it did so whole.
    let possible = &states[acknowledged..states.len().min(acknowledged + 2)];
    assert!(possible.contains(&now), "killed at {at:?}, {acknowledged} acknowledged: {now:?}");

    let versions = tables.versions(&trades).map(|versions| versions.len()).unwrap_or_default();
    assert!(
        (acknowledged..=acknowledged + 1).contains(&versions),
        "{versions} versions, {acknowledged} acknowledged"
    );
    assert_eq!(store(&tables, &trades, [7]).unwrap().version, versions as u64 + 1);
    assert_eq!(newest(&tables, &trades).unwrap(), [7]);
    clean_up(folder);
    assert_eq!(newest(&tables, &trades).unwrap(), [7]);
}

/// Once nothing is kept for slow writers, a vacuum leaves the newest version's file and no other.
fn clean_up(folder: &TempDir) {
    let nothing_kept = Settings {
        kept_versions: 1,
        grace: Duration::ZERO,
        orphan_grace: Duration::ZERO,
        ..Settings::default()
    };
    let clock = clock_ahead_by(1); // so the storage's clock has passed the files' times
    let disk = TimedBackend::new(Arc::new(DiskBackend::open(folder.path()).unwrap()), clock.clone());
    let tables = Tables::with_environment(disk, nothing_kept, Environment::with_clock(clock));
    tables.vacuum(&name("trades")).unwrap();
    let count = |part: &str| {
        let folder = folder.path().join("trades/_polarway").join(part);
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    };
    assert_eq!((count("data"), count("staging")), (1, 0), "leftovers of the killed writer");
}

#[test]
fn a_kill_at_any_system_call_leaves_the_old_version_or_the_new_one_whole() {
    if !has_strace() {
        return;
    }
    let points = kill_points();
    println!("{} places to kill at", points.len());
    assert!(points.len() >= 200, "the kills reach into the commits: {points:?}");
    let step = if polarway_testing::is_long() { 1 } else { points.len() / 20 };
    for at in points.iter().step_by(step) {
        let folder = tempfile::tempdir().unwrap();
        let acknowledged = run_and_kill(&folder, at);
        check_after_kill(&folder, acknowledged, at);
    }
}

#[test]
fn a_commit_waits_for_the_disk_in_the_right_order() {
    if !has_strace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = trace(&folder, &["-y", "-s", "64"]);
    let lines: Vec<&str> = log.lines().collect();
    let root = folder.path().canonicalize().unwrap();
    let path = |part: &str| root.join(part).display().to_string();

    let mut from = 0;
    for (step, has_data) in [(1, true), (2, true), (3, true), (4, false), (5, true), (6, true)] {
        let end = position(&lines, from, &["write(", &format!("acknowledged {step}")]);
        let step_lines = &lines[from..end];
        let commit = path(&format!("trades/_polarway/commits/{step:010}.json"));
        let link = position(step_lines, 0, &["link", &commit]);
        let before = &step_lines[..link];
        position(before, 0, &["sync(", &path("trades/_polarway/staging/")]);
        if has_data {
            let data = position(before, 0, &["sync(", &path("trades/_polarway/data/")]);
            position(before, data, &["sync(", &format!("<{}>", path("trades/_polarway/data"))]);
        }
        if step == 1 {
            // The folders are new: each one's name must be on disk too.
            for parent in ["", "trades", "trades/_polarway"] {
                let parent = path(parent);
                position(before, 0, &["sync(", &format!("<{}>", parent.trim_end_matches('/'))]);
            }
        }
        position(step_lines, link, &["sync(", &format!("<{}>", path("trades/_polarway/commits"))]);
        from = end + 1;
    }
}

/// The place of the first line from `from` on that holds all the parts.
fn position(lines: &[&str], from: usize, parts: &[&str]) -> usize {
    let found = lines[from..].iter().position(|line| parts.iter().all(|part| line.contains(part)));
    match found {
        Some(place) => from + place,
        None => panic!("no call like {parts:?} among:\n{}", lines[from..].join("\n")),
    }
}

#[test]
fn the_childs_files_are_where_the_tests_look_for_them() {
    let folder = tempfile::tempdir().unwrap();
    store(&open(&folder), &name("trades"), [1]).unwrap();
    for part in ["commits/0000000001.json", "data", "staging"] {
        assert!(Path::new(&folder.path().join("trades/_polarway").join(part)).exists(), "{part}");
    }
}
