//! What tests of buckets need beside real servers.
//!
//! [`Servers`] starts versitygw (S3), Azurite (Azure) and a front (Google), which `cargo xtask test` gives to the tests. A
//! [`Proxy`] between a client and a server delays, fails and cuts requests as a test wants it. A [`Line`] has the delay and the rate
//! of a network, for measurements.

mod digest;
mod front;
mod given;
mod line;
mod message;
mod proxy;
mod servers;
mod sign;

pub use given::Given;
pub use line::Line;
pub use message::{Answer, Request};
pub use proxy::{Action, Proxy};
pub use servers::{ACCESS_KEY, AZURE_ACCOUNT, AZURE_KEY, BUCKET, Programs, SECRET_KEY, Server, Servers};
