//! What befalls the workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::report::Report;
use crate::support::OwnFleet;

/// A thread that kills and stops workers, one at a time.
pub(super) struct Trouble {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<OwnFleet>,
}

impl Trouble {
    pub(super) fn begin(mut own: OwnFleet, mut noise: fastrand::Rng, report: Arc<Report>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            loop {
                pause(&over, noise.u64(2_000..4_000));
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let index = noise.usize(..own.fleet.worker_count());
                let begin = Instant::now();
                if noise.bool() {
                    own.fleet.kill(index).unwrap();
                    pause(&over, noise.u64(0..1_500));
                    own.fleet.restart(index).unwrap();
                    report.done("trouble: killed", begin.elapsed());
                } else {
                    own.fleet.stop(index).unwrap();
                    pause(&over, noise.u64(1_000..14_000));
                    own.fleet.go_on(index).unwrap();
                    report.done("trouble: stopped", begin.elapsed());
                }
            }
            for index in 0..own.fleet.worker_count() {
                own.fleet.wait_for(index).unwrap();
            }
            own
        });
        Self { is_over, thread }
    }

    /// Ends it; all workers are up then.
    pub(super) fn end(self) -> OwnFleet {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the trouble itself got into trouble")
    }
}

/// Waits for so many milliseconds, or until it is over.
fn pause(is_over: &AtomicBool, millis: u64) {
    let end = Instant::now() + Duration::from_millis(millis);
    while Instant::now() < end && !is_over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
}
