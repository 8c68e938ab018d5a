//! Polarway for Rust programs: named, versioned tables on a server, and SQL over them.
//!
//! This crate owns the name that users write. It re-exports the client, and with the feature `embedded` the engine
//! itself, for programs that want no server; with the feature `polars`, tables come from and become `DataFrame`s.
//!
//! ```no_run
//! use polarway::DistributedClient;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), polarway::Error> {
//! let client = DistributedClient::connect("http://localhost:50052").await?;
//! println!("{}", client.query("SELECT 42 AS answer").await?);
//! # Ok(())
//! # }
//! ```

pub use polarway_client::*;

/// The engine inside the program, without a server: [`Polarway`](embedded::Polarway).
#[cfg(feature = "embedded")]
pub use polarway_core as embedded;
