//! `cargo xtask codegen`: the Rust of `polarway-proto` and the messages of the Python client, out of `proto/`.
//!
//! What is generated is committed, so that nobody needs the generator to build the rest.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use lexopt::Arg::Long;

use crate::folders::{ScratchFolder, workspace_root};
use crate::typescript_client::TypescriptClient;
use crate::{Subcommand, cargo};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "codegen",
    summary: "generate the protocol's Rust, Python and TypeScript from proto/",
    usage: "
Usage: cargo xtask codegen [--check]

Writes crates/polarway-proto/src/generated, clients/python/src/polarway/_generated,
clients/python/tests/generated and, with Node.js, clients/typescript/src/generated. No protoc is needed.

  --check  write nothing, and fail if anything would change
",
    run,
};

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut only_check = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("check") => only_check = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let generated = generate()?;
    let differences = differences(&committed()?, &generated);
    if only_check {
        return match stale_findings(&differences) {
            Some(findings) => bail!(findings),
            None => Ok(()),
        };
    }
    for (name, difference) in differences {
        let path = workspace_root().join(&name);
        match difference {
            Difference::Missing | Difference::Changed => write(&path, &generated[&name])?,
            Difference::Abandoned => {
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        eprintln!("codegen: {name}: {}", difference.remedy());
    }
    match TypescriptClient::prepare() {
        Ok(client) => cargo::run(&mut client.script("generate")),
        Err(error) => {
            eprintln!("codegen: clients/typescript was NOT generated: {error:#}");
            Ok(())
        }
    }
}

/// What is wrong with the generated code that is committed; `None` if it is what would be generated now.
///
/// # Errors
/// When the protocol's definition is wrong; the message has what the generator printed.
pub(crate) fn check() -> Result<Option<String>> {
    Ok(stale_findings(&differences(&committed()?, &generate()?)))
}

/// The folders that hold nothing but generated files, in the order in which the generator takes them.
const FOLDERS: [&str; 3] = [
    "crates/polarway-proto/src/generated",
    "clients/python/src/polarway/_generated",
    "clients/python/tests/generated",
];

/// Files by their paths from the root.
type Files = BTreeMap<String, Vec<u8>>;

/// What is committed.
fn committed() -> Result<Files> {
    let mut files = Files::new();
    for folder in FOLDERS {
        files.extend(read_files(&workspace_root().join(folder), folder)?);
    }
    Ok(files)
}

/// What would be committed now.
fn generate() -> Result<Files> {
    let scratch = ScratchFolder::create_in(&cargo::target_folder()?, "codegen")?;
    let mut generator = cargo::command("run");
    generator.args(["--quiet", "--package", "polarway-codegen", "--"]);
    let sources = ["proto", "xtask/codegen/grpc", "crates/polarway-proto/src/lib.rs"];
    generator.args(sources.map(|source| workspace_root().join(source)));
    for folder in FOLDERS {
        let made = scratch.path().join(folder);
        fs::create_dir_all(&made).with_context(|| format!("making {}", made.display()))?;
        generator.arg(made);
    }
    let output = generator.output().context("starting cargo")?;
    if !output.status.success() {
        bail!("the generator failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    let mut files = Files::new();
    for folder in FOLDERS {
        files.extend(read_files(&scratch.path().join(folder), folder)?);
    }
    Ok(files)
}

/// The files in a folder, by their paths when the folder is called `name`.
fn read_files(folder: &Path, name: &str) -> Result<Files> {
    let mut files = Files::new();
    if !folder.exists() {
        return Ok(files);
    }
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        // Python leaves a folder of compiled modules beside them.
        if entry.file_type().with_context(reading)?.is_dir() {
            continue;
        }
        let bytes = fs::read(entry.path()).with_context(|| format!("reading {}", entry.path().display()))?;
        files.insert(format!("{name}/{}", entry.file_name().display()), bytes);
    }
    Ok(files)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// How a committed file differs from a generated one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Difference {
    /// It was never committed.
    Missing,
    Changed,
    /// It is not generated any more.
    Abandoned,
}

impl Difference {
    fn remedy(self) -> &'static str {
        match self {
            Self::Missing => "added",
            Self::Changed => "changed",
            Self::Abandoned => "removed",
        }
    }

    fn complaint(self) -> &'static str {
        match self {
            Self::Missing => "is missing",
            Self::Changed => "is not what is generated",
            Self::Abandoned => "is not generated any more",
        }
    }
}

fn differences(committed: &Files, generated: &Files) -> BTreeMap<String, Difference> {
    let mut differences = BTreeMap::new();
    for (name, bytes) in generated {
        match committed.get(name) {
            None => differences.insert(name.clone(), Difference::Missing),
            Some(committed) if committed != bytes => differences.insert(name.clone(), Difference::Changed),
            Some(_) => None,
        };
    }
    for name in committed.keys().filter(|name| !generated.contains_key(*name)) {
        differences.insert(name.clone(), Difference::Abandoned);
    }
    differences
}

fn stale_findings(differences: &BTreeMap<String, Difference>) -> Option<String> {
    let mut lines: Vec<String> =
        differences.iter().map(|(name, difference)| format!("{name} {}", difference.complaint())).collect();
    if lines.is_empty() {
        return None;
    }
    lines.push("`cargo xtask codegen` sets it right".to_owned());
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn equal_files_are_no_finding() {
        let same = files(&[("a.rs", "1"), ("b.bin", "2")]);
        assert_eq!(stale_findings(&differences(&same, &same)), None);
    }

    #[test]
    fn files_that_are_missing_changed_or_left_over_are_found() {
        let committed = files(&[("changed.rs", "1"), ("left.rs", "2"), ("same.rs", "3")]);
        let generated = files(&[("changed.rs", "one"), ("new.rs", "4"), ("same.rs", "3")]);
        let expect = "changed.rs is not what is generated\nleft.rs is not generated any more\n\
                      new.rs is missing\n`cargo xtask codegen` sets it right";
        assert_eq!(stale_findings(&differences(&committed, &generated)).unwrap(), expect);
    }

    #[test]
    fn a_folder_that_was_never_made_is_empty() {
        assert!(read_files(Path::new("/nowhere/at/all"), "all").unwrap().is_empty());
    }

    #[test]
    fn options_that_do_not_exist_are_refused() {
        assert!(run(lexopt::Parser::from_args(["--chekc"])).is_err());
    }
}
