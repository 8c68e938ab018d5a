//! Containers that come up with a Compose file, and go with the test.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use polarway_fleet::free_port;
use polarway_testing::wait_until;
use tempfile::TempDir;

use super::image;
use crate::support::{client, deploy, run, succeeds};

/// The user of the image.
const USER: u32 = 10001;

/// The containers of one Compose project, in a folder with copies of the files. They are ended, and their volumes removed, when
/// this is dropped.
pub(crate) struct Project {
    name: String,
    pub(crate) folder: TempDir,
    files: Vec<&'static str>,
    port: u16,
}

impl Project {
    /// The files of a folder of `deploy`, with the image built. Another port is put into the first Compose file, since 50052 may be
    /// somebody's, and nothing else.
    pub(crate) fn new(source: &str, files: &[&'static str]) -> Self {
        image::build();
        let folder = TempDir::new().unwrap();
        for entry in fs::read_dir(deploy().join(source)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let port = free_port().unwrap();
        let first = folder.path().join(files[0]);
        let text = fs::read_to_string(&first).unwrap();
        assert_eq!(text.matches("\"50052:50052\"").count(), 1);
        fs::write(&first, text.replace("\"50052:50052\"", &format!("\"127.0.0.1:{port}:50052\""))).unwrap();
        let name = format!("polarway-test-{}", std::process::id());
        Self { name, folder, files: files.to_vec(), port }
    }

    /// A folder beside the Compose files that belongs to the image's user.
    pub(crate) fn own_folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        chown(&folder, Some(USER), Some(USER)).unwrap();
        folder
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("podman-compose");
        command.current_dir(&self.folder).args(["--project-name", &self.name]);
        for file in &self.files {
            command.args(["--file", file]);
        }
        command.args(arguments);
        command
    }

    /// Starts all containers and waits until each worker says that it is healthy.
    pub(crate) fn up(&self, workers: &[String]) {
        run(&mut self.compose(&["up", "--detach"]));
        for worker in workers {
            self.wait_until_healthy(worker);
        }
    }

    /// Ends and removes all containers, and leaves the volumes.
    pub(crate) fn down(&self) {
        run(&mut self.compose(&["down"]));
    }

    /// The container of a service that the file gives no name.
    pub(crate) fn container(&self, service: &str) -> String {
        format!("{}_{service}_1", self.name)
    }

    /// What podman runs by itself where systemd is.
    pub(crate) fn wait_until_healthy(&self, container: &str) {
        wait_until(|| succeeds(&podman(&["healthcheck", "run", container])));
        let state = run(&mut podman(&["inspect", "--format", "{{.State.Healthcheck.Status}}", container]));
        assert_eq!(state.trim(), "healthy");
    }

    /// The command as a client outside of all containers.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        client(&format!("http://127.0.0.1:{}", self.port), self.folder.path(), arguments)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        succeeds(&self.compose(&["down", "--volumes"]));
    }
}

/// A call of podman.
pub(crate) fn podman(arguments: &[&str]) -> Command {
    let mut command = Command::new("podman");
    command.args(arguments);
    command
}
