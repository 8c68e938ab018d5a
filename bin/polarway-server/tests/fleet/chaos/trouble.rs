//! Workers that are killed, stopped and restarted while clients use them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::report::Report;
use crate::support::OwnFleet;

/// Why a worker does not answer, and until when.
#[derive(Clone, Copy)]
enum Outage {
    Dead(Instant),
    Stopped(Instant),
}

/// A thread that kills, stops and restarts workers, and reloads the balancer. One worker always answers.
pub(super) struct Trouble {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<OwnFleet>,
}

impl Trouble {
    pub(super) fn begin(mut own: OwnFleet, mut noise: fastrand::Rng, report: Arc<Report>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let mut outages = vec![None; own.fleet.worker_count()];
            let mut next = Instant::now();
            while !over.load(Ordering::Relaxed) {
                bring_back(&mut own, &mut outages, Instant::now());
                if Instant::now() >= next {
                    take_one_down(&mut own, &mut outages, &mut noise, &report);
                    next = Instant::now() + Duration::from_millis(noise.u64(2_000..4_000));
                }
                thread::sleep(Duration::from_millis(10));
            }
            bring_back(&mut own, &mut outages, Instant::now() + Duration::from_secs(3600));
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
        self.thread.join().expect("the thread that takes workers down panicked")
    }
}

/// Takes down one of the workers that answer, if another one answers.
fn take_one_down(
    own: &mut OwnFleet,
    outages: &mut [Option<Outage>],
    noise: &mut fastrand::Rng,
    report: &Report,
) {
    let up: Vec<usize> = (0..outages.len()).filter(|index| outages[*index].is_none()).collect();
    if up.len() < 2 {
        return;
    }
    let index = up[noise.usize(..up.len())];
    let after = |time: u64| Instant::now() + Duration::from_millis(time);
    match noise.u32(0..10) {
        0..4 => {
            let down = noise.u64(0..1_500);
            own.fleet.kill(index).unwrap();
            outages[index] = Some(Outage::Dead(after(down)));
            report.done("trouble: killed", Duration::from_millis(down));
        }
        4..8 => {
            let down = noise.u64(1_000..14_000);
            own.fleet.stop(index).unwrap();
            outages[index] = Some(Outage::Stopped(after(down)));
            report.done("trouble: stopped", Duration::from_millis(down));
        }
        // As in an update: it may finish what runs.
        8 => {
            let begin = Instant::now();
            own.fleet.restart(index).unwrap();
            report.done("trouble: restarted", begin.elapsed());
        }
        // Clients have to make new connections.
        _ => {
            if own.fleet.reload_balancer().unwrap() {
                report.done("trouble: balancer reloaded", Duration::ZERO);
            }
        }
    }
}

/// Brings back the workers whose time has come.
fn bring_back(own: &mut OwnFleet, outages: &mut [Option<Outage>], now: Instant) {
    for (index, outage) in outages.iter_mut().enumerate() {
        match *outage {
            Some(Outage::Dead(until)) if until <= now => own.fleet.restart(index).unwrap(),
            Some(Outage::Stopped(until)) if until <= now => own.fleet.go_on(index).unwrap(),
            _ => continue,
        }
        *outage = None;
    }
}
