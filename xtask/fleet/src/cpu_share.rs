//! A share of a core for one process, by the kernel's control groups.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::process::ProcessId;

/// How long a process that has used up its share waits for the next one, at most. The kernel's own period is ten times as long:
/// workers that wait for each other would mostly wait for the end of a period.
const PERIOD_US: u32 = 10_000;

/// A group whose only process is held to a share. The group is removed when this is dropped, if its process has ended.
#[derive(Debug)]
pub(crate) struct CpuShare {
    group: PathBuf,
}

impl CpuShare {
    /// Holds a process, with all its threads, to a part of a core.
    pub(crate) fn hold(process: ProcessId, cores: f64) -> Result<Self> {
        let share = Self::make(process.number, cores)?;
        share.set("cgroup.procs", &process.number.to_string())?;
        Ok(share)
    }

    /// A group that has no process yet.
    fn make(number: u32, cores: f64) -> Result<Self> {
        let mounts =
            fs::read_to_string("/proc/self/mountinfo").context("reading where control groups are")?;
        let Some(control) = Control::among(&mounts) else {
            bail!("this system has no control groups that limit CPU time");
        };
        control.prepare()?;
        let group = control.folder().join(format!("polarway-{number}"));
        fs::create_dir(&group).with_context(|| format!("making the control group {}", group.display()))?;
        let share = Self { group };
        let quota = format!("{:.0}", cores * f64::from(PERIOD_US));
        match control {
            Control::First(_) => {
                share.set("cpu.cfs_period_us", &PERIOD_US.to_string())?;
                share.set("cpu.cfs_quota_us", &quota)?;
            }
            Control::Second(_) => share.set("cpu.max", &format!("{quota} {PERIOD_US}"))?,
        }
        Ok(share)
    }

    fn set(&self, name: &str, value: &str) -> Result<()> {
        write(&self.group.join(name), value)
    }
}

/// Whether workers can be held to a share of a core here.
///
/// # Errors
/// Why not: there are no control groups, or they can't be changed.
pub fn can_hold_workers() -> Result<()> {
    CpuShare::make(std::process::id(), 1.0).map(drop)
}

impl Drop for CpuShare {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.group);
    }
}

/// Where control groups limit CPU time, and in which of the two forms.
#[derive(Debug, PartialEq)]
enum Control {
    /// The first form: a tree of groups for CPU time alone.
    First(PathBuf),
    /// The second form: one tree for everything.
    Second(PathBuf),
}

impl Control {
    /// The one among the mounts of `/proc/self/mountinfo`. A system may have both, and then the first form is the one with the CPU.
    fn among(mounts: &str) -> Option<Self> {
        let mut second = None;
        for line in mounts.lines() {
            // The place is the fifth field. After " - " are the type, the source and the options.
            let Some((mount, system)) = line.split_once(" - ") else { continue };
            let Some(place) = mount.split(' ').nth(4).map(PathBuf::from) else { continue };
            let mut system = system.split(' ');
            match (system.next(), system.nth(1)) {
                (Some("cgroup"), Some(options)) if options.split(',').any(|option| option == "cpu") => {
                    return Some(Self::First(place));
                }
                (Some("cgroup2"), _) => second = Some(Self::Second(place)),
                _ => {}
            }
        }
        second
    }

    fn folder(&self) -> &Path {
        match self {
            Self::First(folder) | Self::Second(folder) => folder,
        }
    }

    /// In the second form, groups can limit only what the group above them gives them.
    fn prepare(&self) -> Result<()> {
        match self {
            Self::First(_) => Ok(()),
            Self::Second(folder) => write(&folder.join("cgroup.subtree_control"), "+cpu"),
        }
    }
}

fn write(file: &Path, value: &str) -> Result<()> {
    fs::write(file, value).with_context(|| format!("writing {value:?} to {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: &str = "24 1 0:22 / /proc rw - proc proc rw\n\
                          33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
                          36 31 0:33 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n";
    const FIRST: &str =
        "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
    const SECOND: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn the_groups_that_limit_cpu_time_are_found_in_both_forms() {
        let first = Some(Control::First("/sys/fs/cgroup/cpu,cpuacct".into()));
        assert_eq!(Control::among(&format!("{OTHERS}{FIRST}")), first);
        let second = Some(Control::Second("/sys/fs/cgroup/unified".into()));
        assert_eq!(Control::among(&format!("{OTHERS}{SECOND}")), second);
        // With both, the second form has no CPU time to give.
        for both in [format!("{FIRST}{SECOND}"), format!("{SECOND}{FIRST}")] {
            assert_eq!(Control::among(&both), first);
        }
    }

    #[test]
    fn a_system_without_them_has_none() {
        for mounts in ["", OTHERS, "cgroup2", "1 2 - cgroup2"] {
            assert_eq!(Control::among(mounts), None, "{mounts}");
        }
    }
}
