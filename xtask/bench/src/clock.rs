//! Taking time, once or often.

use std::time::Instant;

use anyhow::{Error, Result};
use rustix::time::{ClockId, clock_gettime};

/// Awaits `work` and says how many seconds it took. What it made is given back, so that freeing it is not among them.
pub(crate) async fn timed<T, E: Into<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<(f64, T)> {
    let started = Instant::now();
    let made = work.await;
    let seconds = started.elapsed().as_secs_f64();
    Ok((seconds, made.map_err(Into::into)?))
}

/// Awaits `work` and says how many seconds of CPU time this process spent meanwhile, all its threads together.
pub(crate) async fn timed_on_cpu<T, E: Into<Error>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<(f64, T)> {
    let before = cpu_seconds();
    let made = work.await;
    let seconds = cpu_seconds() - before;
    Ok((seconds, made.map_err(Into::into)?))
}

fn cpu_seconds() -> f64 {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// The middle one of some measurements, for what is too short to be measured once.
pub(crate) fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, -1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
    }
}
