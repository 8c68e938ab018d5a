//! What the tests of containers need: programs, and images, which are made of Debian's packages since no registry of images may be
//! within reach.
//!
//! Podman gets a folder of its own in the cache: what a person has in containers, images and volumes is neither seen nor
//! touched.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::provide::provide_program;
use crate::cargo::run;
use crate::folders::{cache_folder, made_once};
use crate::python::Python;

/// The variable by which tests know that containers can be run, and what with.
const VARIABLE: &str = "POLARWAY_CONTAINERS";

/// The variable by which tests know a Python that has the schemas of Kubernetes.
const SCHEMAS_VARIABLE: &str = "POLARWAY_KUBERNETES_SCHEMAS";

/// Each program, the Debian package that has it, and arguments with which it does nothing.
const PROGRAMS: [(&str, &str, &[&str]); 9] = [
    ("podman", "podman", &["--version"]),
    ("buildah", "buildah", &["--version"]),
    ("runc", "runc", &["--version"]),
    ("/usr/lib/podman/netavark", "netavark", &["--version"]),
    ("/usr/lib/podman/aardvark-dns", "aardvark-dns", &["--version"]),
    ("iptables", "iptables", &["--version"]),
    ("podman-compose", "podman-compose", &["--version"]),
    ("mmdebstrap", "mmdebstrap", &["--version"]),
    ("prometheus", "prometheus", &["--version"]),
];

/// An image of somebody else's, made here.
struct Base {
    image: &'static str,
    /// The package that it is for, beside those that every Debian has.
    package: Option<&'static str>,
    /// What a container of it runs, as lines of a Dockerfile.
    runs: &'static [&'static str],
}

/// As the files of `deploy/` name them. The programs are Debian's, whatever the tags say.
const BASES: [Base; 3] = [
    Base { image: "docker.io/library/debian:bookworm-slim", package: None, runs: &[r#"CMD ["bash"]"#] },
    Base {
        image: "docker.io/library/nginx:alpine",
        package: Some("nginx-light"),
        runs: &[r#"CMD ["nginx", "-g", "daemon off;"]"#],
    },
    Base {
        image: "docker.io/prom/prometheus:latest",
        package: Some("prometheus"),
        runs: &[
            r#"ENTRYPOINT ["/usr/bin/prometheus"]"#,
            r#"CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]"#,
        ],
    },
];

/// Provides all of it, and says by which variables tests find it.
///
/// # Errors
/// When something can't be had here.
pub(super) fn provide() -> Result<Vec<(&'static str, OsString)>> {
    for (program, package, arguments) in PROGRAMS {
        provide_program(program, package, arguments).with_context(|| format!("providing {program}"))?;
    }
    let cache = cache_folder()?;
    let schemas = Python::prepare(&cache, "kubernetes-venv", "src/test/kubernetes-requirements.txt")?;
    let podman = Podman::prepare(&cache.join("containers"))?;
    for base in &BASES {
        podman.provide(&cache, base)?;
    }
    let mut variables = podman.variables();
    variables.push((VARIABLE, "1".into()));
    variables.push((SCHEMAS_VARIABLE, schemas.interpreter.into()));
    Ok(variables)
}

/// Podman with images, containers, volumes and networks of its own.
struct Podman {
    configuration: PathBuf,
    storage: PathBuf,
}

impl Podman {
    fn prepare(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let place = folder.to_str().context("the cache folder's name is not UTF-8")?;
        let podman =
            Self { configuration: folder.join("containers.conf"), storage: folder.join("storage.conf") };
        // Who may not raise limits can't start a container with podman's own.
        let configuration = format!(
            "[containers]\ndefault_ulimits = [\"nofile=16384:16384\", \"nproc=16384:16384\"]\n\
             [engine]\nruntime = \"runc\"\nvolume_path = \"{place}/volumes\"\n\
             [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{place}/networks\"\n"
        );
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"{place}/storage\"\nrunroot = \"{place}/run\"\n"
        );
        for (file, text) in [(&podman.configuration, configuration), (&podman.storage, storage)] {
            fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(podman)
    }

    fn variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("CONTAINERS_CONF", self.configuration.clone().into()),
            ("CONTAINERS_STORAGE_CONF", self.storage.clone().into()),
        ]
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.args(arguments).envs(self.variables()).stdin(Stdio::null());
        command
    }

    /// Makes an image unless it is there.
    fn provide(&self, cache: &Path, base: &Base) -> Result<()> {
        let exists = self.command(&["image", "exists", base.image]).stderr(Stdio::null()).status();
        if exists.context("starting podman")?.success() {
            return Ok(());
        }
        let name = base.package.unwrap_or("base");
        let folder = made_once(cache, &Path::new("containers").join(format!("debian-{name}")), |folder| {
            eprintln!("test: making {} of Debian's packages", base.image);
            let mut make = Command::new("mmdebstrap");
            make.args(["--quiet", "--variant=minbase"]).stdin(Stdio::null());
            make.args(base.package.map(|package| format!("--include={package}")));
            run(make.arg("bookworm").arg(folder.join("root.tar")))
        })?;
        let Some(archive) = folder.join("root.tar").to_str().map(str::to_owned) else {
            bail!("the cache folder's name is not UTF-8");
        };
        let changes = base.runs.iter().flat_map(|line| ["--change", *line]);
        run(self.command(&["import", "--quiet"]).args(changes).args([&archive, base.image]))
    }
}
