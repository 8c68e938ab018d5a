//! `cargo xtask libduckdb`: finds the DuckDB library that everything links, and tells cargo where it is.
//!
//! Every subcommand that builds calls [`ensure`] first. It writes `.cargo/libduckdb.toml`, which `.cargo/config.toml`
//! includes; from then on a plain `cargo build` links the library, and what it builds finds it without `LD_LIBRARY_PATH`.

mod download;
mod headers;
mod npm;
mod settings;

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, path};

use anyhow::{Context as _, Result, bail};
use lexopt::Arg::Long;

use crate::folders::{cache_folder, workspace_root};
use crate::{Subcommand, cargo};

/// The DuckDB release that the `duckdb` crate of this workspace was written for.
pub(crate) const VERSION: &str = "1.5.6";

/// The variable that names the library's folder to `libduckdb-sys`.
pub(crate) const FOLDER_VARIABLE: &str = "DUCKDB_LIB_DIR";

/// The variable that names the folder of its C++ headers to `polarway-duckdb-files`.
pub(crate) const HEADERS_VARIABLE: &str = "DUCKDB_HEADERS";

/// The feature that compiles DuckDB from source.
const BUNDLED_FEATURE: &str = "polarway-core/bundled";

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "libduckdb",
    summary: "find the DuckDB library and tell cargo where it is (the others do this by themselves)",
    usage: "
Usage: cargo xtask libduckdb [--print-config]

Takes the first of: the folder that DUCKDB_LIB_DIR names; the npm package of the DuckDB project; the release archive that
libduckdb-sys downloads; DuckDB compiled from source (feature `bundled`, tens of minutes). A folder named by DUCKDB_LIB_DIR
is remembered; removing .cargo/libduckdb.toml forgets it. The C++ headers of the same release come from libduckdb-sys's source.

  --print-config  print the lines that a crate outside of this checkout puts into its own .cargo/config.toml
",
    run,
};

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut print_config = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("print-config") => print_config = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let libduckdb = ensure()?;
    if print_config {
        print!("{}", settings::render(libduckdb.linked.as_ref()));
    }
    Ok(())
}

/// The DuckDB library of this machine.
pub(crate) struct Libduckdb {
    source: Source,
    /// None when cargo compiles it.
    linked: Option<Linked>,
}

/// A library that is there.
struct Linked {
    /// Where it is.
    folder: PathBuf,
    /// The C++ headers of the same release.
    headers: PathBuf,
}

/// Where the library came from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Variable,
    Npm,
    Download,
    Bundled,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Variable => FOLDER_VARIABLE,
            Self::Npm => "the npm package",
            Self::Download => "the release archive",
            Self::Bundled => {
                "source, compiled by cargo in tens of minutes with --features polarway-core/bundled"
            }
        })
    }
}

impl Libduckdb {
    /// The library itself; none when cargo compiles it into the programs.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.folder().map(|folder| folder.join(library_name()))
    }

    /// Where the library is; none when cargo compiles it.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.linked.as_ref().map(|linked| linked.folder.as_path())
    }

    /// A call of `cargo <subcommand>` whose programs link this library and find it when they run.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = cargo::command(subcommand);
        if self.source == Source::Bundled {
            command.args(["--features", BUNDLED_FEATURE]);
        }
        // A set RUSTFLAGS hides the flags of the settings file.
        if let Some(folder) = self.folder() {
            for variable in ["RUSTFLAGS", "RUSTDOCFLAGS"] {
                if let Ok(flags) = env::var(variable) {
                    command.env(variable, format!("{flags} {}", settings::link_flags(folder).join(" ")));
                }
            }
        }
        command
    }
}

/// Finds the library, says in one line on stderr which it took, and writes it into cargo's settings.
///
/// # Errors
/// When `DUCKDB_LIB_DIR` names a folder without the library, or when the settings can't be written.
pub(crate) fn ensure() -> Result<Libduckdb> {
    let mut passed_over = Vec::new();
    let (source, folder) = find(&mut passed_over)?;
    let linked = match folder {
        Some(folder) => {
            let headers = headers::ensure(&cache_folder()?).context("taking DuckDB's C++ headers")?;
            Some(Linked { folder, headers })
        }
        None => None,
    };
    let libduckdb = Libduckdb { source, linked };
    let mut line = format!("libduckdb {VERSION}: from {}", libduckdb.source);
    if let Some(folder) = libduckdb.folder() {
        line += &format!(", in {}", folder.display());
    }
    for (source, error) in passed_over {
        line += &format!("; not from {source}: {error:#}");
    }
    eprintln!("{}", line.replace('\n', " "));
    settings::write(&workspace_root(), libduckdb.linked.as_ref())?;
    Ok(libduckdb)
}

/// Where the library comes from, and its folder if it is there.
fn find(passed_over: &mut Vec<(Source, anyhow::Error)>) -> Result<(Source, Option<PathBuf>)> {
    if let Some(folder) = chosen_folder(env::var_os(FOLDER_VARIABLE).map(PathBuf::from)) {
        if !holds_library(&folder) {
            let (name, folder) = (library_name(), folder.display());
            bail!(
                "{FOLDER_VARIABLE} is {folder}, but there is no {name} in it (if it is not set in your shell: \
                   it was once, and removing .cargo/libduckdb.toml forgets it)"
            );
        }
        let folder = path::absolute(&folder).with_context(|| format!("looking at {}", folder.display()))?;
        return Ok((Source::Variable, Some(folder)));
    }
    let cache = cache_folder()?;
    let fetchers: [(Source, PathBuf, Fetcher); 2] = [
        (Source::Npm, cache.join(format!("libduckdb-{VERSION}")), npm::fetch),
        (Source::Download, cache.join(format!("libduckdb-{VERSION}-release")), download::fetch),
    ];
    for (source, folder, fetch) in fetchers {
        let found = if holds_library(&folder) { Ok(()) } else { fetch(&folder) };
        match found {
            Ok(()) => return Ok((source, Some(folder))),
            Err(error) => passed_over.push((source, error)),
        }
    }
    Ok((Source::Bundled, None))
}

/// Puts the library into a folder of the cache; it appears there whole or not at all.
type Fetcher = fn(&Path) -> Result<()>;

/// The folder that a person chose by `DUCKDB_LIB_DIR`.
///
/// `cargo run` sets that variable to what our own settings file says. A folder of the cache is therefore no choice: taking
/// it for one would pin the DuckDB release of last year.
fn chosen_folder(variable: Option<PathBuf>) -> Option<PathBuf> {
    let folder = variable.filter(|folder| !folder.as_os_str().is_empty())?;
    let is_of_the_cache = folder.parent().is_some_and(|parent| parent.ends_with("polarway"))
        && folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libduckdb-"));
    (!is_of_the_cache).then_some(folder)
}

fn library_name() -> String {
    format!("{DLL_PREFIX}duckdb{DLL_SUFFIX}")
}

fn holds_library(folder: &Path) -> bool {
    folder.join(library_name()).is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_one_that_the_duckdb_crate_was_written_for() {
        let lock = std::fs::read_to_string(workspace_root().join("Cargo.lock")).unwrap();
        let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"duckdb\"\n")).unwrap();
        // The crate's 1.10506.1 stands for DuckDB 1.5.6.
        let crate_version = entry.split("version = \"").nth(1).unwrap();
        let encoded: u32 = crate_version.split('.').nth(1).unwrap().parse().unwrap();
        assert_eq!(VERSION, format!("{}.{}.{}", encoded / 10_000, encoded / 100 % 100, encoded % 100));
    }

    #[test]
    fn a_folder_in_the_shell_is_a_choice() {
        check_choice(Some("/opt/duckdb"), Some("/opt/duckdb"));
        check_choice(Some("/opt/libduckdb-1.4.0"), Some("/opt/libduckdb-1.4.0"));
    }

    #[test]
    fn what_our_own_settings_put_into_the_environment_is_no_choice() {
        check_choice(Some("/home/u/.cache/polarway/libduckdb-1.5.6"), None);
        check_choice(Some("/home/u/.cache/polarway/libduckdb-1.4.0-release"), None);
        check_choice(Some(""), None);
        check_choice(None, None);
    }

    #[track_caller]
    fn check_choice(variable: Option<&str>, expect: Option<&str>) {
        assert_eq!(chosen_folder(variable.map(PathBuf::from)), expect.map(PathBuf::from));
    }
}
