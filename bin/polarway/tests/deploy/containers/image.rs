//! The image that the containers run.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::project::podman;
use crate::support::{deploy, run};

const TAG: &str = "docker.io/polarway/polarway:latest";

/// What the builder's stage of the Dockerfile leaves behind.
const BUILT: &str = "source/dist";
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// Builds the image by the Dockerfile, with the programs of this test in the place of the stage that compiles them: that takes the
/// better part of an hour on a small machine.
pub(crate) fn build() {
    let stage = TempDir::new().unwrap();
    let built = stage.path().join(BUILT);
    fs::create_dir_all(&built).unwrap();
    let library = PathBuf::from(env::var_os("DUCKDB_LIB_DIR").expect("cargo sets it")).join("libduckdb.so");
    for file in [Path::new(env!("CARGO_BIN_EXE_polarway")), &library] {
        fs::copy(file, built.join(file.file_name().unwrap())).unwrap();
    }
    let authorities = stage.path().join(AUTHORITIES);
    fs::create_dir_all(authorities.parent().unwrap()).unwrap();
    fs::write(&authorities, fs::read(Path::new("/").join(AUTHORITIES)).unwrap_or_default()).unwrap();

    let checkout = deploy().join("..");
    let context = format!("build={}", stage.path().display());
    let mut command = podman(&["build", "--quiet", "--format", "docker", "--isolation", "chroot"]);
    command.args(["--build-context", &context, "--tag", TAG, "--file"]);
    run(command.arg(deploy().join("Dockerfile")).arg(checkout));
}

/// What the image says of itself, by a path into its configuration.
pub(crate) fn says(path: &str) -> String {
    let format = format!("{{{{{path}}}}}");
    run(&mut podman(&["image", "inspect", "--format", &format, TAG])).trim().to_owned()
}

/// Runs a program in a container of the image that is removed again.
pub(crate) fn runs(options: &[&str], program: &[&str]) -> String {
    let mut command = podman(&["run", "--rm"]);
    command.args(options).args(["--entrypoint", program[0], TAG]).args(&program[1..]);
    run(&mut command)
}
