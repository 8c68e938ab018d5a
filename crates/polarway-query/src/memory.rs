//! What this process takes of the machine's memory, and what it may take.

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

    /// The bytes that the process has in memory; 0 where the system does not tell.
    pub(crate) fn resident_bytes(&mut self) -> u64 {
        let Some(process) = self.process else { return 0 };
        let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::Some(&[process]), false, what);
        self.system.process(process).map_or(0, sysinfo::Process::memory)
    }
}

/// What the process may take in bytes: the limit of its container, else the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The bytes.
    pub bytes: u64,
    /// Whether it is the limit of a container, so that a process that takes more does not take the machine down with it.
    pub is_of_container: bool,
}

/// Asks the system what this process may take.
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
