//! What the operating system reports about this process, under the names that all exporters for Prometheus use.

use std::fmt::Write as _;

use polarway_core::metrics::Metric;

use super::list;
use crate::open_files;

/// The unit of times in `/proc`: a hundredth of a second on all machines that Linux and Rust run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Writes the process's metrics. They are not recorded, because counters of a recorder are whole numbers, and these have parts of
/// seconds. A metric that the operating system does not provide is left out.
pub(super) fn write(text: &mut String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = |name| field(&status, name).map(|kilobytes| kilobytes * 1024.0);
    let ticks = ticks();
    let values = [
        (list::START_TIME, ticks.and_then(|ticks| Some(boot_time()? + ticks.start / TICKS_PER_SECOND))),
        (list::CPU, ticks.map(|ticks| ticks.processors / TICKS_PER_SECOND)),
        (list::RESIDENT_BYTES, kilobytes("VmRSS:")),
        (list::VIRTUAL_BYTES, kilobytes("VmSize:")),
        (list::OPEN_FILES, std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64)),
        (list::MOST_OPEN_FILES, open_files::limit().map(|limit| limit as f64)),
        (list::THREADS, field(&status, "Threads:")),
    ];
    for (Metric { name, kind, about, .. }, value) in values {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
    }
}

/// Times of this process in ticks.
#[derive(Clone, Copy)]
struct Ticks {
    /// The processor time of the process.
    processors: f64,
    /// From the start of the machine to the start of the process.
    start: f64,
}

fn ticks() -> Option<Ticks> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name in parentheses, which may have spaces and parentheses; the rest begins with the third.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some(Ticks { processors: field(14)? + field(15)?, start: field(22)? })
}

/// When the machine was started, in seconds since 1970.
fn boot_time() -> Option<f64> {
    field(&std::fs::read_to_string("/proc/stat").ok()?, "btime")
}

/// The number after a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
