//! How many files and connections this process may have open.

/// Most systems start a process with a low limit, and let it raise the limit up to a maximum.
#[cfg(unix)]
const ENOUGH: u64 = 1 << 20;

/// Raises the limit on open files to its maximum, and returns it; `None` if the system does not tell it.
#[cfg(unix)]
pub(crate) fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let before = limit.current?;
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
    if wanted > before && setrlimit(Resource::Nofile, raised).is_ok() { Some(wanted) } else { Some(before) }
}

/// The limit on open files.
#[cfg(unix)]
pub(crate) fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Here the process can't change the limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() -> Option<u64> {
    None
}

/// This system reports no limit.
#[cfg(not(unix))]
pub(crate) fn limit() -> Option<u64> {
    None
}
