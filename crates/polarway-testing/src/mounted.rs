//! Filesystems for tests that need one which is small or read-only.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::not_run::not_run;

/// A mounted filesystem, which is unmounted when this is dropped. To mount one takes root.
#[derive(Debug)]
pub struct Mounted(TempDir);

impl Mounted {
    /// An empty filesystem in memory with these options, such as `size=2m`. `None` where this user can't mount, which is then
    /// noted as the reason why the test is [not run](not_run).
    pub fn in_memory(options: &str) -> Option<Self> {
        Self::mount(&["-t", "tmpfs", "-o", options, "none"])
    }

    /// The files of a folder, which can't be changed here; `None` as with [`in_memory`](Self::in_memory).
    ///
    /// # Panics
    /// When the folder's name is not text.
    pub fn read_only(folder: &Path) -> Option<Self> {
        Self::mount(&["--bind", "-o", "ro", folder.to_str().unwrap()])
    }

    fn mount(arguments: &[&str]) -> Option<Self> {
        let point = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(arguments).arg(point.path()).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        if !is_mounted {
            not_run("this user can't mount, so there is no filesystem that is small or read-only");
        }
        is_mounted.then_some(Self(point))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Mounts it again with another option, such as `ro`.
    ///
    /// # Panics
    /// When that fails.
    pub fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        let done = Command::new("mount").args(["-o", &options]).arg(self.path()).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
