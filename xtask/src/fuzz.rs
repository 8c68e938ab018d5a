//! `cargo xtask test --fuzz`: hostile SQL against the query engine, mutated without end.
//!
//! libFuzzer needs code that counts which of its branches ran. That is built apart from everything else, with the flags that
//! `cargo fuzz` gives when no sanitizer is asked for; a stable compiler knows them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cargo;
use crate::folders::workspace_root;
use crate::libduckdb::Libduckdb;

/// How long it runs unless told otherwise, in seconds.
pub(crate) const DEFAULT_SECONDS: u64 = 600;

const COVERAGE_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";

/// Builds the target and runs it for this long. What it has found useful is kept for the next time.
///
/// # Errors
/// When it can't be built, or finds a text for which something does not hold: libFuzzer then says which, and keeps it.
pub(crate) fn run(libduckdb: &Libduckdb, seconds: u64) -> Result<()> {
    let package = workspace_root().join("crates/polarway-query/fuzz");
    let folder = cargo::target_folder()?.join("fuzz");
    let host = host()?;
    let mut flags = COVERAGE_FLAGS.to_owned();
    if let Some(library) = libduckdb.folder() {
        flags += &format!(" -Clink-arg=-Wl,-rpath,{}", library.display());
    }
    eprintln!("fuzz: building the target");
    // With a target named, build scripts and macros are built without the flags.
    let mut build = cargo::command("build");
    build.args(["--release", "--target", &host, "--manifest-path"]).arg(package.join("Cargo.toml"));
    cargo::run(build.arg("--target-dir").arg(&folder).env("RUSTFLAGS", flags))?;

    let corpus = folder.join("corpus");
    let findings = folder.join("findings");
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    eprintln!("fuzz: running for {seconds} s");
    let mut fuzzer = Command::new(folder.join(&host).join("release").join("queries"));
    fuzzer.arg(&corpus).arg(format!("-max_total_time={seconds}")).args(["-timeout=30", "-rss_limit_mb=6000"]);
    fuzzer.arg(format!("-dict={}", package.join("queries.dict").display()));
    fuzzer
        .arg(format!("-artifact_prefix={}/", as_text(&findings)?))
        .args(["-max_len=4000", "-print_final_stats=1"]);
    cargo::run(&mut fuzzer).with_context(|| format!("what was found lies in {}", findings.display()))
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
