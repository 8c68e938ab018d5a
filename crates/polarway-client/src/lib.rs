//! The Rust client: a connection to one Polarway server, or to several that serve the same tables.
//!
//! This crate owns [`DistributedClient`]: it connects, retries calls, resumes streams that broke, and makes [`Table`]s of
//! what arrives. Its other types are those of `polarway-model`, which the engine has as well; `polarway-proto` turns them into
//! messages. It knows nothing about the inside of a server.
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
//! The client's timeout is the deadline of each call. Until then, the client repeats a call after a transient error, at
//! another worker if there are several: after connections that broke or fell silent, and after failures whose [`Reason`]
//! allows a retry. Waits grow from 50 ms to 2 s and are random, so that many clients don't return at the same time. A write
//! has an id: if its answer was lost, the retry is answered and nothing is written twice. A load continues at the next row of
//! the version that it was reading. A query is run again if the user has nothing of its result yet; a
//! [resumable](QueryOptions::resumable) one is not run again. A handle is made once, even if the call is repeated.
//!
//! For a stream, the timeout bounds how long it may deliver nothing new, not how long it lasts.

/// The page on SQL, whose Rust is held to compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sql.md")]
mod sql_page {}

/// The page on TLS, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/tls.md")]
mod tls_page {}

/// The page on this client, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/client.md")]
mod client_page {}

mod builder;
mod call;
mod call_id;
mod channel;
mod client;
mod connection;
mod datasets;
mod error;
mod handle;
mod load;
mod query;
mod receive;
mod retry;
mod revision;
mod secure;
mod stream;
mod tls;
mod trace_context;
mod upload;

pub use arrow_array as array;
pub use arrow_schema as schema;
pub use builder::Builder;
pub use client::DistributedClient;
pub use error::{Error, ErrorKind, Result};
pub use handle::{GroupBy, Handle, JoinHow, JoinSource, LazyGroupBy, LazyQuery};
pub use load::TableStream;
// Their own pages are in their crates, where it is also said how they travel.
#[doc(no_inline)]
pub use polarway_model::{
    At, CacheStats, Dataset, DatasetName, DatasetVersion, DeleteOptions, Description, EngineChoice,
    EngineUsed, HandleId, HandleInfo, HandleOptions, InvalidEngine, InvalidHandleId, InvalidName,
    InvalidRequestId, LoadOptions, Peer, PeerState, Published, QueryOptions, QueryPhase, QuerySummary,
    QueryTimes, RequestId, RunningQuery, Selection, ServerInfo, Version, VersionKind, WriteMode,
    WriteOptions,
};
#[doc(no_inline)]
pub use polarway_proto::Reason;
pub use polarway_table::{DUCKDB_TYPE_KEY, Parameter, Parameters, Table, duckdb_type, params};
pub use query::QueryStream;
pub use upload::TableSource;
