//! What befalls the workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::report::Report;
use crate::support::OwnFleet;

/// What a worker suffers from, and until when.
#[derive(Clone, Copy)]
enum Ailment {
    Dead(Instant),
    Stopped(Instant),
}

/// A thread that kills, stops and restarts workers, of which one is always left, and has the balancer begin anew.
pub(super) struct Trouble {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<OwnFleet>,
}

impl Trouble {
    pub(super) fn begin(mut own: OwnFleet, mut noise: fastrand::Rng, report: Arc<Report>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut ailments = vec![None; own.fleet.worker_count()];
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                heal(&mut own, &mut ailments, Instant::now());
                if Instant::now() >= next {
                    afflict(&mut own, &mut ailments, &mut noise, &report);
                    next = Instant::now() + Duration::from_millis(noise.u64(2_000..4_000));
                }
                thread::sleep(Duration::from_millis(10));
            }
            heal(&mut own, &mut ailments, Instant::now() + Duration::from_secs(3600));
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

/// Lets something befall one that is well, if another one is.
fn afflict(own: &mut OwnFleet, ailments: &mut [Option<Ailment>], noise: &mut fastrand::Rng, report: &Report) {
    let well: Vec<usize> = (0..ailments.len()).filter(|index| ailments[*index].is_none()).collect();
    if well.len() < 2 {
        return;
    }
    let index = well[noise.usize(..well.len())];
    let after = |time: u64| Instant::now() + Duration::from_millis(time);
    match noise.u32(0..10) {
        0..4 => {
            let down = noise.u64(0..1_500);
            own.fleet.kill(index).unwrap();
            ailments[index] = Some(Ailment::Dead(after(down)));
            report.done("trouble: killed", Duration::from_millis(down));
        }
        4..8 => {
            let down = noise.u64(1_000..14_000);
            own.fleet.stop(index).unwrap();
            ailments[index] = Some(Ailment::Stopped(after(down)));
            report.done("trouble: stopped", Duration::from_millis(down));
        }
        // As in an update: it may finish what runs.
        8 => {
            let begin = Instant::now();
            own.fleet.restart(index).unwrap();
            report.done("trouble: restarted", begin.elapsed());
        }
        // Clients are told to make new connections.
        _ => {
            if own.fleet.reload_balancer().unwrap() {
                report.done("trouble: balancer reloaded", Duration::ZERO);
            }
        }
    }
}

/// Sets those going again whose time has come.
fn heal(own: &mut OwnFleet, ailments: &mut [Option<Ailment>], now: Instant) {
    for (index, ailment) in ailments.iter_mut().enumerate() {
        match *ailment {
            Some(Ailment::Dead(until)) if until <= now => own.fleet.restart(index).unwrap(),
            Some(Ailment::Stopped(until)) if until <= now => own.fleet.go_on(index).unwrap(),
            _ => continue,
        }
        *ailment = None;
    }
}
