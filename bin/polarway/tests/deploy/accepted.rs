//! The programs that the files are for accept them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use polarway_testing::not_run;
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::support::{deploy, file, program, run};

/// A file of `deploy`, with workers that are found on any machine, in a folder of its own.
fn put(folder: &Path, name: &str, replaced: &[(&str, &str)]) -> String {
    let mut text = file(name);
    for worker in ["worker-1:", "worker-2:", "worker-3:"] {
        assert!(text.contains(worker), "{name} has no {worker}");
        text = text.replace(worker, "127.0.0.1:");
    }
    for (from, to) in replaced {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    let path = folder.join("configuration");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn check_nginx(name: &str, replaced: impl FnOnce(&Path) -> Vec<(&'static str, String)>) {
    let Some(nginx) = program("nginx") else {
        return not_run("there is no nginx; on Debian: apt-get install nginx-light");
    };
    let folder = TempDir::new().unwrap();
    let replaced = replaced(folder.path());
    let replaced: Vec<(&str, &str)> = replaced.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let path = put(folder.path(), name, &replaced);
    let pid = format!("pid {};", folder.path().join("pid").display());
    run(Command::new(nginx).args(["-t", "-e", "stderr", "-g", &pid, "-c", &path]));
}

#[test]
fn nginx_accepts_its_file() {
    check_nginx("nginx/nginx.conf", |_| Vec::new());
}

#[test]
fn nginx_accepts_its_file_with_tls() {
    check_nginx("nginx/nginx-tls.conf", |folder| {
        let certificates = folder.join("certs");
        Certificates::make().write(&certificates);
        vec![("/certs/", format!("{}/", certificates.display()))]
    });
}

#[test]
fn haproxy_accepts_its_file() {
    let Some(haproxy) = program("haproxy") else {
        return not_run("there is no HAProxy; on Debian: apt-get install haproxy");
    };
    let folder = TempDir::new().unwrap();
    let path = put(folder.path(), "haproxy/haproxy.cfg", &[]);
    run(Command::new(haproxy).args(["-c", "-f", &path]));
}

#[test]
fn systemd_accepts_its_unit() {
    let Some(systemd) = program("systemd-analyze") else {
        return not_run("there is no systemd-analyze; on Debian: apt-get install systemd");
    };
    let folder = TempDir::new().unwrap();
    let unit = file("systemd/polarway.service");
    // It is an error when the program is not there.
    let installed = "/opt/polarway/polarway";
    assert!(unit.contains(installed));
    let path = folder.path().join("polarway.service");
    fs::write(&path, unit.replace(installed, env!("CARGO_BIN_EXE_polarway"))).unwrap();
    run(Command::new(systemd).arg("verify").arg(path));
}

#[test]
#[ignore = "needs Prometheus: cargo xtask test --containers"]
fn prometheus_accepts_its_configuration_and_rules() {
    run(Command::new("promtool")
        .args(["check", "config", "prometheus.yml"])
        .current_dir(deploy().join("prometheus")));
    run(Command::new("promtool")
        .args(["check", "rules", "alerts.yml"])
        .current_dir(deploy().join("prometheus")));
}

/// Holds manifests against the schemas of Kubernetes, and gives the kinds of their objects.
fn kinds(manifests: &[PathBuf]) -> Option<String> {
    let Some(python) = env::var_os("POLARWAY_KUBERNETES_SCHEMAS") else {
        not_run("`cargo xtask test --containers` provides the schemas");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/schemas.py");
    Some(run(Command::new(python).arg(script).args(manifests)).trim().to_owned())
}

#[test]
#[ignore = "needs the schemas of Kubernetes: cargo xtask test --containers"]
fn the_manifests_fit_the_schemas_of_kubernetes() {
    let base = ["deployment", "disruption", "service", "storage"].map(|name| format!("base/{name}.yaml"));
    let more = ["alerts", "autoscaling", "monitoring"].map(|name| format!("production/{name}.yaml"));
    let all: Vec<PathBuf> =
        base.iter().chain(&more).map(|name| deploy().join("kubernetes").join(name)).collect();
    let Some(kinds) = kinds(&all) else { return };
    let expect = "Deployment HorizontalPodAutoscaler PersistentVolumeClaim PodDisruptionBudget PrometheusRule Service Service \
                  ServiceMonitor";
    assert_eq!(kinds, expect);
}

#[test]
#[ignore = "needs the schemas of Kubernetes: cargo xtask test --containers"]
fn the_overlay_as_a_whole_fits_the_schemas_of_kubernetes() {
    let Some(kustomize) = program("kustomize") else {
        return not_run("there is no kustomize, which puts the overlay together");
    };
    let folder = TempDir::new().unwrap();
    for (overlay, objects) in [("base", 5), ("distributed", 5), ("production", 9)] {
        let made = run(Command::new(&kustomize).arg("build").arg(deploy().join("kubernetes").join(overlay)));
        let path = folder.path().join(overlay);
        fs::write(&path, made).unwrap();
        let Some(kinds) = kinds(&[path]) else { return };
        assert_eq!(kinds.split(' ').count(), objects, "{kinds}");
    }
}
