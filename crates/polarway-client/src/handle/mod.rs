//! Results that are kept on the server, and further queries on them.
//!
//! [`create`] makes handles, [`calls`] has the calls on existing ones; [`lazy`] writes the SQL of further queries from
//! [expressions](expression) and [joins](join), [`follow`] runs them at once; [`resume`] reads a query's result through a handle.

mod calls;
mod create;
mod expression;
mod follow;
mod join;
mod lazy;
mod resume;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arrow_schema::SchemaRef;
use polarway_model::{At, HandleInfo};
use polarway_table::Table;
use tokio::runtime;

use crate::client::DistributedClient;
use crate::error::Result;
use crate::load::TableStream;

pub use follow::GroupBy;
pub use join::{JoinHow, JoinSource};
pub use lazy::{LazyGroupBy, LazyQuery};

/// A query's result that is kept on the server. It can be loaded, queried, and named in SQL by its id. It never changes.
///
/// The server keeps it until it was not used for its [time to live](Self::ttl). If
/// [`query_handle`](DistributedClient::query_handle) or a method of another handle has made it, it is dropped on the server, in
/// the background, when the last clone of this value is dropped; [`keep`](Self::keep) prevents that. A handle from
/// [`handle`](DistributedClient::handle) belongs to somebody else, and is kept.
///
/// ```no_run
/// # use polarway_client::{DistributedClient, Result};
/// # async fn late(client: DistributedClient) -> Result<()> {
/// let late = client.query_handle("SELECT * FROM flights WHERE dep_delay > 60").await?;
/// let by_carrier = late.group_by(["carrier"]).agg(["count(*) AS n"]).await?;
/// println!("{}", by_carrier.sort(["n DESC"]).await?.load().await?);
/// println!("{}", client.query(&format!("SELECT max(dep_delay) FROM {}", late.id())).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// The state that the clones of a handle share.
struct Shared {
    client: DistributedClient,
    /// The handle as it was made. What changes is in the other fields.
    info: HandleInfo,
    expires_us: AtomicI64,
    ttl_us: AtomicU64,
    /// Whether the server's handle is dropped with this value.
    is_ours: AtomicBool,
    /// Runs the call that drops the server's handle, because `drop` can't wait for it.
    runtime: Option<runtime::Handle>,
}

impl Handle {
    fn new(client: &DistributedClient, info: HandleInfo, is_ours: bool) -> Self {
        let shared = Shared {
            client: client.clone(),
            expires_us: AtomicI64::new(info.expires_us),
            ttl_us: AtomicU64::new(create::micros(info.ttl)),
            info,
            is_ours: AtomicBool::new(is_ours),
            runtime: runtime::Handle::try_current().ok(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Its id, which is its name in SQL and for [`load`](DistributedClient::load). Whoever knows it may use the handle.
    pub fn id(&self) -> &str {
        &self.shared.info.id
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.shared.info.schema
    }

    /// Its rows.
    pub fn rows(&self) -> u64 {
        self.shared.info.rows
    }

    /// About the size of its rows in memory as Arrow, in bytes.
    pub fn bytes(&self) -> u64 {
        self.shared.info.bytes
    }

    /// When it was made: microseconds since 1970-01-01 UTC.
    pub fn created_us(&self) -> i64 {
        self.shared.info.created_us
    }

    /// When it expires unless it is used before, as the server last said: microseconds since 1970-01-01 UTC. Each use after
    /// that has extended it.
    pub fn expires_us(&self) -> i64 {
        self.shared.expires_us.load(Ordering::Relaxed)
    }

    /// How long it is kept without being used.
    pub fn ttl(&self) -> Duration {
        Duration::from_micros(self.shared.ttl_us.load(Ordering::Relaxed))
    }

    /// Its description.
    pub fn info(&self) -> HandleInfo {
        HandleInfo { expires_us: self.expires_us(), ttl: self.ttl(), ..self.shared.info.clone() }
    }

    /// Loads its rows. If the connection breaks, the load continues at the next row.
    ///
    /// # Errors
    /// A handle that has expired or was dropped, and errors of the server.
    pub async fn load(&self) -> Result<Table> {
        self.shared.client.load(self.id()).await
    }

    /// Loads its rows as a stream, in order. The stream holds the handle like a clone.
    ///
    /// # Errors
    /// As [`load`](Self::load). The stream carries errors that come later, and ends with them.
    pub async fn load_stream(&self) -> Result<TableStream> {
        let loading = self.shared.client.begin_loading(self.id(), At::Newest.into()).await?;
        Ok(loading.holding(self.clone()).into_stream())
    }

    /// Extends it: from now on it is kept for this long without being used, or for as long as before.
    ///
    /// # Errors
    /// A handle that has expired or was dropped, and a time that the server refuses.
    pub async fn extend(&self, ttl: Option<Duration>) -> Result<()> {
        let info = self.shared.client.extend_handle(self.id(), ttl).await?;
        self.shared.expires_us.store(info.expires_us, Ordering::Relaxed);
        self.shared.ttl_us.store(create::micros(info.ttl), Ordering::Relaxed);
        Ok(())
    }

    /// Drops it on the server, and waits for that. Its clones can't be used after that.
    ///
    /// # Errors
    /// A server that does not answer. A handle that was dropped before is no error.
    pub async fn discard(self) -> Result<()> {
        self.shared.client.drop_handle(self.id()).await?;
        self.keep();
        Ok(())
    }

    /// Keeps the server's handle until it expires, also when this value and its clones are dropped.
    ///
    /// ```no_run
    /// # use polarway_client::{DistributedClient, Result};
    /// # async fn make(client: DistributedClient) -> Result<String> {
    /// let handle = client.query_handle("SELECT 42 AS answer").await?;
    /// handle.keep();
    /// Ok(handle.id().to_owned()) // for another program
    /// # }
    /// ```
    pub fn keep(&self) {
        self.shared.is_ours.store(false, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take().filter(|_| *self.is_ours.get_mut()) else { return };
        let (client, id) = (self.client.clone(), self.info.id);
        // A runtime that has ended runs no task; the handle expires later.
        runtime.spawn(async move {
            if let Err(error) = client.drop_handle(&id).await {
                tracing::debug!(%error, "a handle was not dropped, and stays until it expires");
            }
        });
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("id", &self.id()).field("rows", &self.rows()).finish_non_exhaustive()
    }
}
