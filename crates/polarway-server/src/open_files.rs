//! How many files and connections this process may have open.

/// Most systems start a process with few, and let it ask for as many as they allow.
#[cfg(unix)]
const ENOUGH: u64 = 1 << 20;

/// Asks the system for as many open files as it allows, and gives how many there may be; `None` where it does not tell.
#[cfg(unix)]
pub(crate) fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let before = limit.current?;
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    if wanted > before && setrlimit(Resource::Nofile, raised).is_ok() { Some(wanted) } else { Some(before) }
}

/// The limit is none of the process's to change.
#[cfg(not(unix))]
pub(crate) fn raise_limit() -> Option<u64> {
    None
}
