//! `cargo xtask lint`: everything that must be true of the source text before anyone runs it.

mod client_api;
mod deny;
mod door;
mod executor;
mod files;
mod go;
mod layers;
mod pages;
mod protocol;
mod python;
mod types;
mod typescript;

use std::io::{IsTerminal as _, Write as _};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use lexopt::Arg::Value;
use lexopt::ValueExt as _;

use crate::libduckdb::{self, Libduckdb};
use crate::{Subcommand, cargo};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "lint",
    summary: "check formatting, clippy, documentation, layers, files and generated code",
    usage: "
Usage: cargo xtask lint [STEP...]

Runs the named steps, or all of them:

  fmt      rustfmt has nothing to change
  clippy   no warning in any target
  doc      rustdoc has no warning: no broken link, and no generated type in the client's API
  layers   who depends on whom
  deny     licences and sources of what comes from others, and one version of what must be there once
  executor DuckDB is named by its executor alone
  files    no file too large for a clone to carry, no static state in a library
  pages    the paths that README, CONTRIBUTING, ARCHITECTURE and docs/ name are there
  door     no way to data beside the check of what a caller may
  go       the Go client: gofmt has nothing to change, vet and staticcheck find nothing
  python   the Python client: ruff finds nothing and has nothing to change, mypy finds every type right
  typescript  the TypeScript client: biome, tsc, and its generated code; where Node.js is missing it says so
  types    the page of types has what the clients' tests found
  codegen  generated code is current, and buf, where installed, finds nothing in proto/

The first step that fails shows what it found.
",
    run,
};

/// A check of the sources.
struct Step {
    name: &'static str,
    check: fn(&Libduckdb) -> Result<Verdict>,
}

/// What a check found.
struct Verdict {
    passed: bool,
    /// What to show when it failed.
    findings: String,
    /// What to show in any case.
    warnings: Vec<String>,
}

const STEPS: [Step; 14] = [
    Step { name: "fmt", check: |_| fmt() },
    Step { name: "clippy", check: clippy },
    Step { name: "doc", check: doc },
    Step { name: "layers", check: |_| layers::check() },
    Step { name: "deny", check: |_| deny::check() },
    Step { name: "executor", check: |_| executor::check() },
    Step { name: "files", check: |_| files::check() },
    Step { name: "pages", check: |_| pages::check() },
    Step { name: "door", check: |_| door::check() },
    Step { name: "go", check: |_| go::check() },
    Step { name: "python", check: |_| python::check() },
    Step { name: "typescript", check: |_| typescript::check() },
    Step { name: "types", check: |_| types::check() },
    Step { name: "codegen", check: |_| protocol::check() },
];

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut names = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(name) => names.push(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    for name in &names {
        ensure!(STEPS.iter().any(|step| step.name == name), "there is no step {name}");
    }
    let libduckdb = libduckdb::ensure()?;
    let mut stdout = std::io::stdout();
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name)) {
        write!(stdout, "lint: {:9}", step.name)?;
        stdout.flush()?;
        let start = Instant::now();
        let verdict = (step.check)(&libduckdb).unwrap_or_else(|error| Verdict {
            passed: false,
            findings: format!("{error:#}"),
            warnings: Vec::new(),
        });
        let word = if verdict.passed { "ok" } else { "FAILED" };
        writeln!(stdout, "{word:8}{:5.1} s", start.elapsed().as_secs_f64())?;
        for warning in verdict.warnings {
            writeln!(stdout, "lint: warning: {warning}")?;
        }
        if !verdict.passed {
            // What breaks one step often breaks the ones behind it: the first is the one to read.
            if failed.is_empty() {
                writeln!(stdout, "{}", verdict.findings.trim_end())?;
            }
            failed.push(step.name);
        }
    }
    if !failed.is_empty() {
        bail!("lint failed: {} (`cargo xtask lint STEP` runs one by itself)", failed.join(", "));
    }
    Ok(())
}

fn fmt() -> Result<Verdict> {
    // rustfmt colours its differences for a pipe, too.
    let color = if std::io::stdout().is_terminal() { "always" } else { "never" };
    from_output(cargo::command("fmt").args(["--all", "--check", "--", "--color", color]))
}

fn clippy(libduckdb: &Libduckdb) -> Result<Verdict> {
    let mut command = libduckdb.cargo("clippy");
    from_output(command.args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

fn doc(libduckdb: &Libduckdb) -> Result<Verdict> {
    let write_pages = || {
        let mut command = libduckdb.cargo("doc");
        from_output(command.args(["--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
    };
    let docs = cargo::target_folder()?.join("doc");
    let verdict = write_pages()?;
    if !verdict.passed {
        return Ok(verdict);
    }
    // rustdoc links to crates whose pages are there, and cargo writes the pages of several crates at a time: those of the
    // client are written last.
    client_api::remove_pages(&docs)?;
    write_pages()?;
    let leaks = client_api::leaking_pages(&docs)?;
    Ok(Verdict { passed: leaks.is_empty(), findings: leaks.join("\n"), warnings: verdict.warnings })
}

/// What a command that checks found: its status tells whether it passed.
fn from_output(command: &mut Command) -> Result<Verdict> {
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    let findings = [output.stdout, output.stderr].concat();
    Ok(Verdict {
        passed: output.status.success(),
        findings: String::from_utf8_lossy(&findings).into_owned(),
        warnings: Vec::new(),
    })
}
