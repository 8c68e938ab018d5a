//! `cargo xtask test --fuzz`: what strangers may send, mutated without end.
//!
//! libFuzzer needs code that counts which of its branches ran. That is built apart from everything else, with the flags that
//! `cargo fuzz` gives when no sanitizer is asked for; a stable compiler knows them. The targets' allocator has a limit: what asks
//! for more memory than anything needs ends the process, as it would end a server.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cargo;
use crate::folders::workspace_root;
use crate::libduckdb::Libduckdb;

/// How long each target runs unless told otherwise, in seconds.
pub(crate) const DEFAULT_SECONDS: u64 = 600;

/// A binary of the package `fuzz`, and the options that libFuzzer gets for it.
struct Target {
    name: &'static str,
    most_input_bytes: usize,
    /// A dictionary of words for mutations.
    dictionary: Option<&'static str>,
}

const TARGETS: [Target; 4] = [
    Target { name: "ipc", most_input_bytes: 65_536, dictionary: None },
    Target { name: "protobuf", most_input_bytes: 16_384, dictionary: None },
    Target { name: "parquet", most_input_bytes: 65_536, dictionary: None },
    Target { name: "sql", most_input_bytes: 4_000, dictionary: Some("sql.dict") },
];

const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Builds the targets and runs each for this long, one after the other, or only the one of this name. What they have found
/// useful is kept for the next time.
///
/// # Errors
/// A name that no target has; when they can't be built, or one finds an input for which something does not hold: libFuzzer
/// then says which, and keeps it. The others run nevertheless.
pub(crate) fn run(libduckdb: &Libduckdb, seconds: u64, only: Option<&str>) -> Result<()> {
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| only.is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        bail!("there is no such target: {}", TARGETS.map(|target| target.name).join(", "));
    }
    let package = workspace_root().join("xtask").join("fuzz");
    let folder = cargo::target_folder()?.join("fuzz");
    let host = host()?;
    let mut flags = COVERAGE_FLAGS.to_owned();
    if let Some(library) = libduckdb.folder() {
        flags += &format!(" -Clink-arg=-Wl,-rpath,{}", library.display());
    }
    eprintln!("fuzz: building the targets");
    // With a target named, build scripts and macros are built without the flags.
    let mut build = cargo::command("build");
    build.args(["--release", "--target", &host, "--manifest-path"]).arg(package.join("Cargo.toml"));
    build.args(chosen.iter().flat_map(|target| ["--bin", target.name]));
    cargo::run(build.arg("--target-dir").arg(&folder).env("RUSTFLAGS", flags))?;

    let programs = folder.join(&host).join("release");
    let mut failures = Vec::new();
    for target in chosen {
        if let Err(error) = target.run(&programs.join(target.name), &package, &folder, seconds) {
            failures.push(format!("{}: {error:#}", target.name));
        }
    }
    if !failures.is_empty() {
        bail!("fuzz: {}", failures.join("; "));
    }
    eprintln!("fuzz: clean");
    Ok(())
}

impl Target {
    fn run(&self, program: &Path, package: &Path, folder: &Path, seconds: u64) -> Result<()> {
        let corpus = folder.join("corpus").join(self.name);
        let findings = folder.join("findings").join(self.name);
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        eprintln!("fuzz: {} for {seconds} s", self.name);
        let mut fuzzer = Command::new(program);
        fuzzer.arg(&corpus).arg(format!("-max_total_time={seconds}"));
        fuzzer.args(["-timeout=30", "-rss_limit_mb=6000", "-print_final_stats=1"]);
        fuzzer.arg(format!("-max_len={}", self.most_input_bytes));
        if let Some(dictionary) = self.dictionary {
            fuzzer.arg(format!("-dict={}", package.join(dictionary).display()));
        }
        fuzzer.arg(format!("-artifact_prefix={}/", as_text(&findings)?));
        cargo::run(&mut fuzzer).with_context(|| format!("what was found lies in {}", findings.display()))
    }
}

/// The triple of this machine, as the compiler calls it.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("asking rustc for its host")?;
    let said = String::from_utf8(output.stdout).context("reading what rustc says")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not name its host")
}

fn as_text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}
