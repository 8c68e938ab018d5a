//! The Rust client: a connection to one Polarway server, or to several that serve the same tables.
//!
//! This crate owns [`DistributedClient`]: connecting, retrying what may be retried, going on with a stream where it
//! broke, and turning what arrives into [`Table`]s. It knows nothing of the server's insides.
//!
//! ```no_run
//! use polarway_client::DistributedClient;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), polarway_client::Error> {
//! let client = DistributedClient::connect("http://localhost:50052").await?;
//! let mean = client.query("SELECT symbol, avg(price) AS mean FROM trades GROUP BY symbol").await?;
//! client.store("means", &mean).await?;
//! println!("{}", client.load("means").await?);
//! # Ok(())
//! # }
//! ```
//!
//! # What is retried
//!
//! Each call has the client's timeout for its deadline. Inside it, what may pass by itself is tried again, at another
//! worker if there are several: connections that broke or fell silent, and failures whose
//! [`Reason`] says so. Waits grow from 50 ms to 2 s and are drawn at random, so that many clients don't come back
//! together. A write carries an id, so that one whose answer was lost is answered and not written twice. A load goes on
//! at the next row of the version it was reading. A query is run again if nothing of its result was handed out, or not at all
//! if it is [resumable](QueryOptions::resumable). A handle is made once, however often that is asked.
//!
//! For a stream the timeout bounds how long it may bring nothing new, not how long it lasts.

/// The page on SQL, whose Rust is held to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sql.md")]
mod sql_page {}

/// The page on this client, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/client.md")]
mod client_page {}

mod builder;
mod call;
mod client;
mod connection;
mod datasets;
mod error;
mod handle;
mod load;
mod query;
mod receive;
mod retry;
mod stream;
mod upload;

pub use arrow_array as array;
pub use arrow_schema as schema;
pub use builder::Builder;
pub use client::DistributedClient;
pub use error::{Error, ErrorKind, Result};
pub use handle::{GroupBy, Handle, JoinHow, JoinSource, LazyGroupBy, LazyQuery};
pub use load::TableStream;
pub use polarway_model::{
    At, CacheStats, Dataset, DatasetName, DatasetVersion, DeleteOptions, Description, HandleId, HandleInfo,
    HandleOptions, InvalidHandleId, InvalidName, InvalidRequestId, Published, QueryOptions, QueryPhase,
    QuerySummary, QueryTimes, RequestId, RunningQuery, ServerInfo, Version, VersionKind, WriteMode,
    WriteOptions,
};
pub use polarway_proto::Reason;
pub use polarway_table::{DUCKDB_TYPE_KEY, Parameter, Parameters, Table, duckdb_type, params};
pub use query::QueryStream;
pub use upload::TableSource;
