//! How much of the machine's memory this process uses, and how much it may use.

use sysinfo::{MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System};

/// Reads this process's resident memory.
pub(crate) struct ProcessMemory {
    system: System,
    process: Option<Pid>,
}

impl ProcessMemory {
    pub(crate) fn new() -> Self {
        Self { system: System::new(), process: sysinfo::get_current_pid().ok() }
    }

    /// The bytes that the process has in memory; 0 if the system does not report it.
    pub(crate) fn resident_bytes(&mut self) -> u64 {
        let Some(process) = self.process else { return 0 };
        let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, what);
        self.system.process(process).map_or(0, sysinfo::Process::memory)
    }
}

/// How much the process may use: the limit of its container, otherwise the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The bytes.
    pub bytes: u64,
    /// Whether this is a container's limit, so that a process that exceeds it does not affect the whole machine.
    pub is_of_container: bool,
}

/// Asks the system how much memory this process may use.
#[must_use]
pub fn memory_limit() -> MemoryLimit {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what);
    let machine = system.total_memory();
    match system.cgroup_limits().map(|limits| limits.total_memory).filter(|limit| *limit < machine) {
        Some(bytes) => MemoryLimit { bytes, is_of_container: true },
        None => MemoryLimit { bytes: machine, is_of_container: false },
    }
}
