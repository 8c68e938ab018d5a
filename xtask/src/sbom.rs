//! `cargo xtask sbom`: what the programs are made of, as a bill of materials.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use lexopt::Arg::{Long, Short};
use serde_json::{Value, json};

use crate::folders::workspace_root;
use crate::graph::{Graph, PackageId, name};
use crate::{Subcommand, cargo, libduckdb};

pub(crate) const SUBCOMMAND: Subcommand = Subcommand {
    name: "sbom",
    summary: "write what the programs are made of as a bill of materials (CycloneDX)",
    usage: "
Usage: cargo xtask sbom [--output FILE]

Lists every crate that `polarway` and `polarway-server` are built from, with its version, licence, source and checksum, and
DuckDB's library, as JSON in the form of CycloneDX 1.5. What is only used to build them has the scope \"excluded\". The same
Cargo.lock gives the same file.

  -o, --output FILE  where to write it [default: dist/polarway.cdx.json]
",
    run,
};

/// The packages that have the programs.
const PROGRAMS: [&str; 4] = ["--package", "polarway-cli", "--package", "polarway-server-bin"];

/// How the source of a crate of the registry begins, in `cargo metadata`. There is one registry: `deny.toml` allows no other.
const REGISTRY: &str = "registry+";

fn run(mut arguments: lexopt::Parser) -> Result<()> {
    let mut output = workspace_root().join("dist").join("polarway.cdx.json");
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('o') | Long("output") => output = PathBuf::from(arguments.value()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let library = libduckdb::ensure()?;
    let lock = fs::read_to_string(workspace_root().join("Cargo.lock")).context("reading Cargo.lock")?;
    let parts = Parts {
        all: Graph::ask(&[&PROGRAMS[..], &["--edges=normal,build"]].concat())?,
        delivered: Graph::ask(&[&PROGRAMS[..], &["--edges=normal,no-proc-macro"]].concat())?,
        descriptions: descriptions(&cargo::metadata(&["--locked"])?)?,
        checksums: checksums(&lock),
        duckdb: json!({
            "type": "library",
            "bom-ref": DUCKDB,
            "scope": "required",
            "name": "duckdb",
            "version": libduckdb::VERSION,
            "purl": DUCKDB_PURL.to_owned() + libduckdb::VERSION,
            "licenses": [{ "license": { "id": "MIT" } }],
            "hashes": library.file().map(|file| sha256(&file)).transpose()?.into_iter().collect::<Vec<_>>(),
        }),
    };
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(&parts.bill()?)? + "\n";
    fs::write(&output, text).with_context(|| format!("writing {}", output.display()))?;
    eprintln!("sbom: {}", output.display());
    Ok(())
}

/// DuckDB's library in the bill.
const DUCKDB: &str = "duckdb";
const DUCKDB_PURL: &str = "pkg:github/duckdb/duckdb@v";

/// The crate that binds DuckDB's library.
const DUCKDB_USER: &str = "libduckdb-sys";

/// What a bill is made of.
struct Parts {
    /// Everything that is needed to build the programs.
    all: Graph,
    /// What of it is in them.
    delivered: Graph,
    /// What `cargo metadata` says of each package.
    descriptions: BTreeMap<PackageId, Value>,
    /// The SHA-256 of each package's archive.
    checksums: BTreeMap<PackageId, String>,
    /// DuckDB's library as a component.
    duckdb: Value,
}

impl Parts {
    fn bill(&self) -> Result<Value> {
        let in_programs = &self.delivered.dependencies;
        let components = self.all.dependencies.keys().map(|id| {
            let scope = if in_programs.contains_key(id) { "required" } else { "excluded" };
            self.component(id, scope)
        });
        let mut components = components.collect::<Result<Vec<Value>>>()?;
        components.push(self.duckdb.clone());
        let root = self.all.roots.first().context("cargo tree names no program")?;
        let (_, version) = split(root);
        let product = format!("polarway@{version}");
        let programs: Vec<String> = self.all.roots.iter().map(reference).collect();
        let mut dependencies = vec![json!({ "ref": product, "dependsOn": programs })];
        for (id, on) in &self.all.dependencies {
            let mut on: BTreeSet<String> = on.iter().map(reference).collect();
            if name(id) == DUCKDB_USER {
                on.insert(DUCKDB.to_owned());
            }
            dependencies.push(json!({ "ref": reference(id), "dependsOn": on }));
        }
        Ok(json!({
            "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "component": {
                "type": "application",
                "bom-ref": product,
                "name": "polarway",
                "version": version,
                "licenses": [{ "expression": "Apache-2.0" }],
            }},
            "components": components,
            "dependencies": dependencies,
        }))
    }

    fn component(&self, id: &PackageId, scope: &str) -> Result<Value> {
        let description = self.descriptions.get(id);
        let description = description.with_context(|| format!("cargo metadata has no {id}"))?;
        let (name, version) = split(id);
        let mut component = json!({
            "type": "library",
            "bom-ref": reference(id),
            "scope": scope,
            "name": name,
            "version": version,
        });
        // Ours come from no registry.
        if description["source"].as_str().is_some_and(|source| source.starts_with(REGISTRY)) {
            component["purl"] = reference(id).into();
            let checksum = self.checksums.get(id).with_context(|| format!("Cargo.lock has no {id}"))?;
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        } else if let Some(source) = description["source"].as_str() {
            bail!("{id} comes from {source}, which has no package URL here");
        }
        if let Some(text) = description["description"].as_str() {
            component["description"] = text.split_whitespace().collect::<Vec<_>>().join(" ").into();
        }
        if let Some(licence) = description["license"].as_str() {
            // Older manifests write a choice with a slash.
            let expression = licence.replace(" / ", " OR ").replace('/', " OR ");
            component["licenses"] = json!([{ "expression": expression }]);
        }
        if let Some(url) = description["repository"].as_str() {
            component["externalReferences"] = json!([{ "type": "vcs", "url": url }]);
        }
        Ok(component)
    }
}

/// What `cargo metadata` says of each package, by its name and version.
fn descriptions(metadata: &Value) -> Result<BTreeMap<PackageId, Value>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let packages = packages.iter().map(|package| {
        let name = package["name"].as_str().context("a package has no name")?;
        let version = package["version"].as_str().context("a package has no version")?;
        Ok((format!("{name} v{version}"), package.clone()))
    });
    packages.collect()
}

/// The checksums of Cargo.lock, which writes each package as lines of `key = "value"`.
fn checksums(lock: &str) -> BTreeMap<PackageId, String> {
    let packages = lock.split("[[package]]").skip(1).filter_map(|package| {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
            line?.strip_suffix('"')
        };
        Some((format!("{} v{}", value("name")?, value("version")?), value("checksum")?.to_owned()))
    });
    packages.collect()
}

fn split(id: &PackageId) -> (&str, &str) {
    let (name, version) = id.split_once(' ').unwrap_or((id, ""));
    (name, version.trim_start_matches('v'))
}

/// A package's URL, by which it is named in the bill.
fn reference(id: &PackageId) -> String {
    let (name, version) = split(id);
    // A `+` stands for a space in URLs.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// A file's checksum, by the program that every Linux and macOS has.
fn sha256(file: &Path) -> Result<Value> {
    let (program, arguments): (_, &[&str]) =
        if cfg!(target_os = "macos") { ("shasum", &["-a", "256"]) } else { ("sha256sum", &[]) };
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.with_context(|| format!("starting {program}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let content = text.split_whitespace().next().filter(|word| word.len() == 64);
    let content = content.with_context(|| format!("{program} gave no checksum of {}", file.display()))?;
    Ok(json!({ "alg": "SHA-256", "content": content }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        let metadata = json!({ "packages": [
            { "name": "polarway-cli", "version": "0.1.0", "license": "Apache-2.0", "source": null },
            { "name": "zstd-sys", "version": "2.1.3+zstd.1", "license": "MIT/Apache-2.0", "source": REGISTRY,
              "description": "Bindings\n of zstd", "repository": "https://example.org/zstd" },
            { "name": "cc", "version": "1.2.0", "license": "MIT", "source": REGISTRY },
        ]});
        let lock = "version = 4\n\n[[package]]\nname = \"zstd-sys\"\nversion = \"2.1.3+zstd.1\"\nchecksum = \"12\"\n\n\
                    [[package]]\nname = \"cc\"\nversion = \"1.2.0\"\nchecksum = \"34\"\ndependencies = [\n]\n";
        Parts {
            all: Graph::from_tree("0polarway-cli v0.1.0 (/source)\n1zstd-sys v2.1.3+zstd.1\n2cc v1.2.0\n")
                .unwrap(),
            delivered: Graph::from_tree("0polarway-cli v0.1.0\n1zstd-sys v2.1.3+zstd.1\n").unwrap(),
            descriptions: descriptions(&metadata).unwrap(),
            checksums: checksums(lock),
            duckdb: json!({ "bom-ref": DUCKDB }),
        }
    }

    #[test]
    fn a_crate_has_its_licence_source_and_checksum() {
        let bill = parts().bill().unwrap();
        let component = bill["components"].as_array().unwrap().iter().find(|one| one["name"] == "zstd-sys");
        let expect = json!({
            "type": "library",
            "bom-ref": "pkg:cargo/zstd-sys@2.1.3%2Bzstd.1",
            "scope": "required",
            "name": "zstd-sys",
            "version": "2.1.3+zstd.1",
            "purl": "pkg:cargo/zstd-sys@2.1.3%2Bzstd.1",
            "hashes": [{ "alg": "SHA-256", "content": "12" }],
            "description": "Bindings of zstd",
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            "externalReferences": [{ "type": "vcs", "url": "https://example.org/zstd" }],
        });
        assert_eq!(component, Some(&expect));
    }

    #[test]
    fn what_only_builds_the_programs_is_told_apart_from_what_is_in_them() {
        let bill = parts().bill().unwrap();
        let scopes: Vec<(&str, &str)> = bill["components"].as_array().unwrap()[..3]
            .iter()
            .map(|one| (one["name"].as_str().unwrap(), one["scope"].as_str().unwrap()))
            .collect();
        assert_eq!(scopes, [("cc", "excluded"), ("polarway-cli", "required"), ("zstd-sys", "required")]);
        assert_eq!(
            bill["dependencies"][0],
            json!({ "ref": "polarway@0.1.0", "dependsOn": ["pkg:cargo/polarway-cli@0.1.0"] })
        );
    }

    #[test]
    fn a_crate_that_cargo_does_not_describe_or_that_is_from_elsewhere_is_an_error() {
        let mut unknown = parts();
        unknown.descriptions.remove("cc v1.2.0");
        assert_eq!(unknown.bill().unwrap_err().to_string(), "cargo metadata has no cc v1.2.0");
        let mut foreign = parts();
        foreign.descriptions.get_mut("cc v1.2.0").unwrap()["source"] = "git+https://example.org/cc".into();
        assert!(foreign.bill().unwrap_err().to_string().contains("git+https://example.org/cc"));
    }
}
