//! Workers behind a load balancer, on one machine: for `cargo xtask fleet` and for tests.
//!
//! It owns how a fleet is laid out in a folder, how its processes are started, hurt and ended, and how the files of `deploy/`
//! become those of a fleet here: only addresses, folders and the way of spreading calls are put in, so that what operators get
//! is what is tested. It knows nothing of what workers do, and none of the crates.
//!
//! ```no_run
//! use polarway_fleet::{Balancer, Fleet, FleetConfig, Spread};
//!
//! # fn main() -> anyhow::Result<()> {
//! let mut config = FleetConfig::new("target/debug/polarway-server", "/tmp/fleet", "deploy");
//! config.balancer = Some((Balancer::Nginx, Spread::RoundRobin));
//! let mut fleet = Fleet::start(config)?;
//! println!("a client connects to {}", fleet.url());
//! fleet.kill(0)?;
//! fleet.restart(0)?;
//! # Ok(())
//! # }
//! ```

mod balancer;
mod cpu_share;
mod deploy;
mod fleet;
mod health;
mod ports;
mod process;

pub use balancer::{Balancer, Spread};
pub use cpu_share::can_hold_workers;
pub use fleet::{Buckets, Fleet, FleetConfig};
pub use ports::free_port;
pub use process::ProcessId;
