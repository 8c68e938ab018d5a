//! The server: Polarway's engine on the network.
//!
//! This crate owns the methods of `polarway.v1.PolarwayService` (each unpacks its request, calls the engine and converts
//! the result), how connections are accepted and limited, health and reflection, startup and shutdown, and the
//! [`settings`]. It does not know how anything is stored, or what a query means: that is `polarway-core`.
//!
//! ```no_run
//! use polarway_server::{Server, ServerConfig};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = ServerConfig::new("./polarway-data");
//! config.bind = "127.0.0.1:0".parse()?;
//! let server = Server::start(config).await?;
//! println!("listening on {}", server.local_addr());
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or_default() }).await?;
//! # Ok(())
//! # }
//! ```

mod accept;
mod auth;
mod body;
mod call;
mod call_id;
mod config;
mod connection;
mod convert;
mod drain;
mod edge;
mod ending;
mod failure;
mod farewell;
mod foreign;
mod greeting;
mod http;
mod http2;
mod limits;
mod log_fields;
mod logging;
pub mod metrics;
mod open_files;
mod patience;
mod peers;
mod process;
mod readiness;
mod reasons;
mod reload;
mod seldom;
mod server;
mod service;
pub mod settings;
mod slow_queries;
mod tls;
mod traces;

pub use auth::{
    AuthConfig, AuthError, AuthFileError, JwtConfig, JwtError, KeySetError, KeySource, MadeToken, NewToken,
    NewTokenError, Reflection, Role, Secret,
};
pub use config::{HandleBuckets, ServerConfig};
pub use limits::Limits;
pub use logging::LogFormat;
pub use peers::{PeerTlsFiles, PeersConfig, PeersError};
pub use process::{command, run};
pub use reload::FileError;
pub use server::{Server, StartError};
pub use tls::{TlsError, TlsFiles};
