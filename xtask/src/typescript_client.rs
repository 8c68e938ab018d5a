//! The TypeScript client, `clients/typescript`: Node.js, the packages that it needs, its checks and its tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::cargo;
use crate::folders::workspace_root;

/// The oldest Node.js that the client is for.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// The variable by which the tests know the server's program.
const SERVER_VARIABLE: &str = "POLARWAY_TEST_SERVER";

/// The client with its packages installed.
pub(crate) struct TypescriptClient;

impl TypescriptClient {
    /// Installs the packages that the lock file pins, if they aren't there.
    ///
    /// # Errors
    /// When Node.js is missing or too old, or a package can't be installed.
    pub(crate) fn prepare() -> Result<Self> {
        check_node()?;
        let lock_file = folder().join("package-lock.json");
        let wanted = fs::read(&lock_file).with_context(|| format!("reading {}", lock_file.display()))?;
        // Written last: a folder without it, or with another one, isn't the one that is wanted.
        let installed = folder().join("node_modules").join(".installed");
        if !fs::read(&installed).is_ok_and(|present| present == wanted) {
            eprintln!("npm: installing the packages of clients/typescript");
            let mut install = command("npm");
            // Packages run nothing while they are installed.
            install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
            cargo::run(&mut install).context("installing the packages of clients/typescript")?;
            fs::write(&installed, &wanted).with_context(|| format!("writing {}", installed.display()))?;
        }
        Ok(Self)
    }

    /// A call of a script that `package.json` names.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut script = command("npm");
        script.args(["run", "--silent", name]);
        script
    }

    /// A call of all tests, against the server that `cargo test` has built for Rust's.
    ///
    /// # Errors
    /// When cargo does not say where it builds.
    pub(crate) fn tests(&self) -> Result<Command> {
        let server = cargo::target_folder()?.join("debug").join("polarway-server");
        let mut tests = self.script("test");
        tests.env(SERVER_VARIABLE, server);
        Ok(tests)
    }

    /// A call of the program that measures the client and its peer, without its arguments.
    ///
    /// # Errors
    /// When the client can't be built, or the peer can't be installed into `cache`.
    pub(crate) fn bench(&self, cache: &Path) -> Result<Command> {
        cargo::run(&mut self.script("build")).context("building clients/typescript")?;
        let scripts = workspace_root().join("xtask").join("bench").join("typescript");
        let folder = cache.join("bench-typescript");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        for name in ["package.json", "client.mjs"] {
            let copying = || format!("copying {name} into {}", folder.display());
            fs::copy(scripts.join(name), folder.join(name)).with_context(copying)?;
        }
        let mut install = Command::new("npm");
        install.current_dir(&folder).stdin(Stdio::null());
        install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        cargo::run(&mut install).context("installing the peer of the TypeScript client")?;
        let mut bench = Command::new("node");
        bench.args(["--expose-gc", "--max-old-space-size=8192"]).arg(folder.join("client.mjs"));
        bench.env("POLARWAY_BENCH_CLIENT", self::folder());
        Ok(bench)
    }
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder()).stdin(Stdio::null());
    command
}

fn folder() -> PathBuf {
    workspace_root().join("clients").join("typescript")
}

fn check_node() -> Result<()> {
    let output = Command::new("node").arg("--version").output().context("starting node")?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let (major, minor) = OLDEST_NODE;
    let is_new_enough = parsed(&version).is_some_and(|found| found >= OLDEST_NODE);
    ensure!(is_new_enough, "Node.js {major}.{minor} or newer is needed, and not {version}");
    Ok(())
}

/// The first two numbers of a version such as `v20.19.1`.
fn parsed(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parsed("v20.19.0") >= Some(OLDEST_NODE) && parsed("v22.3.0") >= Some(OLDEST_NODE));
        assert!(parsed("v20.9.0") < Some(OLDEST_NODE) && parsed("v18.20.1") < Some(OLDEST_NODE));
        assert_eq!(parsed("20"), None);
    }
}
