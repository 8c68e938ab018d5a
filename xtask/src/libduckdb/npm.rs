//! libduckdb out of the DuckDB project's own npm package, which holds the release build of the library.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::library_name;
use crate::folders::ScratchFolder;
use crate::program::output_of;

/// The packages' version: DuckDB's own, and which packaging of it.
const VERSION: &str = "1.5.6-r.1";

/// A package for one platform.
struct Package {
    os: &'static str,
    architecture: &'static str,
    name: &'static str,
    /// The hash of the archive, where a release of this version has been seen. npm compares the archive with what the
    /// registry says; this compares what the registry says with what we tested.
    integrity: Option<&'static str>,
}

const PACKAGES: [Package; 4] = [
    Package {
        os: "linux",
        architecture: "x86_64",
        name: "@duckdb/node-bindings-linux-x64",
        integrity: Some(
            "sha512-IXcrZJE6kEqM0Z4wwdVnGBHX/frOS33VPNAwDXQ/Q+Fs84b058Qe94chrCCIcNJlG8Y3UHIUU4eBeCQxW5mN1Q==",
        ),
    },
    Package {
        os: "linux",
        architecture: "aarch64",
        name: "@duckdb/node-bindings-linux-arm64",
        integrity: None,
    },
    Package {
        os: "macos",
        architecture: "aarch64",
        name: "@duckdb/node-bindings-darwin-arm64",
        integrity: None,
    },
    Package {
        os: "macos",
        architecture: "x86_64",
        name: "@duckdb/node-bindings-darwin-x64",
        integrity: None,
    },
];

/// Fetches this platform's package and puts its library, with the license, into `folder`.
///
/// # Errors
/// When there is no package for this platform, npm is missing or can't fetch it, or the archive isn't the expected one.
pub(super) fn fetch(folder: &Path) -> Result<()> {
    let package = package_for(OS, ARCH)?;
    let cache = folder.parent().context("the folder has no parent")?;
    let staging = ScratchFolder::create_in(cache, ".npm")?;
    let mut npm = Command::new("npm");
    npm.args(["pack", "--json", "--loglevel=error"]).arg(format!("{}@{VERSION}", package.name));
    let answer = output_of(npm.current_dir(staging.path()))?.stdout;
    let archive = archive_name(&answer, package)?;
    let mut tar = Command::new("tar");
    output_of(tar.args(["xzf", &archive, "--strip-components=1"]).current_dir(staging.path()))?;
    fs::create_dir_all(folder)?;
    // The library comes last: it being there says that the folder is complete.
    for file in ["LICENSE", &library_name()] {
        fs::rename(staging.path().join(file), folder.join(file))
            .with_context(|| format!("taking {file} out of {}", package.name))?;
    }
    Ok(())
}

fn package_for(os: &str, architecture: &str) -> Result<&'static Package> {
    PACKAGES
        .iter()
        .find(|package| package.os == os && package.architecture == architecture)
        .with_context(|| format!("there is none for {os} on {architecture}"))
}

/// The file name of the archive that `npm pack --json` reports, once its hash is the expected one.
fn archive_name(answer: &[u8], package: &Package) -> Result<String> {
    let answer: Value = serde_json::from_slice(answer).context("npm did not answer in JSON")?;
    let integrity = answer[0]["integrity"].as_str().context("npm names no integrity hash")?;
    if let Some(expected) = package.integrity {
        ensure!(integrity == expected, "{}@{VERSION} has the hash {integrity}, not {expected}", package.name);
    }
    let name = answer[0]["filename"].as_str().context("npm names no archive")?;
    ensure!(!name.contains('/'), "npm names an archive outside of its folder: {name}");
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PINNED: &Package = &PACKAGES[0];

    fn answer(integrity: &str, filename: &str) -> Vec<u8> {
        format!(r#"[{{"integrity": "{integrity}", "filename": "{filename}"}}]"#).into_bytes()
    }

    #[test]
    fn the_archive_with_the_expected_hash_is_taken() {
        let name = archive_name(&answer(PINNED.integrity.unwrap(), "a.tgz"), PINNED).unwrap();
        assert_eq!(name, "a.tgz");
    }

    #[test]
    fn an_archive_with_another_hash_is_refused() {
        let error = archive_name(&answer("sha512-AAAA", "a.tgz"), PINNED).unwrap_err().to_string();
        assert!(error.contains("has the hash sha512-AAAA"), "{error}");
    }

    #[test]
    fn an_answer_that_is_not_npms_is_refused() {
        for answer in [&b""[..], b"{}", b"[]", b"npm warn", br#"[{"filename": "a.tgz"}]"#] {
            assert!(archive_name(answer, PINNED).is_err());
        }
        assert!(archive_name(&answer(PINNED.integrity.unwrap(), "../a.tgz"), PINNED).is_err());
    }

    #[test]
    fn a_platform_without_a_package_is_named_in_the_error() {
        assert_eq!(package_for("linux", "aarch64").unwrap().name, "@duckdb/node-bindings-linux-arm64");
        let error = package_for("freebsd", "riscv64").err().unwrap().to_string();
        assert_eq!(error, "there is none for freebsd on riscv64");
    }
}
