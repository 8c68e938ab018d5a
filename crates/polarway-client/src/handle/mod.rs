//! Results that stay on the server, and what is asked of them next.
//!
//! [`create`] makes one, [`calls`] are about those that there are; [`lazy`] writes the SQL of follow-ups from
//! [expressions](expression) and [joins](join), which [`follow`] runs at once; [`resume`] reads a query by way of one.

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

/// A query's result that stays on the server: it can be loaded, asked further, and named in SQL by its id. It never
/// changes.
///
/// The server keeps it until it was not used for as long as its [time to live](Self::ttl). One that
/// [`query_handle`](DistributedClient::query_handle) or a follow-up has made is dropped there, in the background, when
/// the last clone of it is dropped here; [`keep`](Self::keep) lets it live on. One from
/// [`handle`](DistributedClient::handle) is somebody else's, and stays.
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

/// What the clones of a handle share.
struct Shared {
    client: DistributedClient,
    /// As it was made; what changes stands below.
    info: HandleInfo,
    expires_us: AtomicI64,
    ttl_us: AtomicU64,
    /// Whether the server's goes when this goes.
    is_ours: AtomicBool,
    /// Where the call that drops the server's is made: a drop can't wait for it.
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

    /// Its id, by which SQL and [`load`](DistributedClient::load) name it. Whoever knows it may use the handle.
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

    /// About what its rows take in Arrow's form, in bytes.
    pub fn bytes(&self) -> u64 {
        self.shared.info.bytes
    }

    /// When it was made: microseconds since 1970-01-01 UTC.
    pub fn created_us(&self) -> i64 {
        self.shared.info.created_us
    }

    /// When it expires unless it is used before, as the server said last: microseconds since 1970-01-01 UTC. Uses since
    /// then have put it off.
    pub fn expires_us(&self) -> i64 {
        self.shared.expires_us.load(Ordering::Relaxed)
    }

    /// For how long it lives unused.
    pub fn ttl(&self) -> Duration {
        Duration::from_micros(self.shared.ttl_us.load(Ordering::Relaxed))
    }

    /// All of that.
    pub fn info(&self) -> HandleInfo {
        HandleInfo { expires_us: self.expires_us(), ttl: self.ttl(), ..self.shared.info.clone() }
    }

    /// Loads its rows. A connection that breaks costs nothing that has arrived.
    ///
    /// # Errors
    /// A handle that has expired or was dropped, and what the server says.
    pub async fn load(&self) -> Result<Table> {
        self.shared.client.load(self.id()).await
    }

    /// Loads its rows in pieces, in order. The stream holds the handle as a clone does.
    ///
    /// # Errors
    /// As [`load`](Self::load). The stream carries errors that come later, and ends with them.
    pub async fn load_stream(&self) -> Result<TableStream> {
        let loading = self.shared.client.begin_loading(self.id(), At::Newest).await?;
        Ok(loading.holding(self.clone()).into_stream())
    }

    /// Puts its expiry off: it lives unused for this long from now on, or for as long as before.
    ///
    /// # Errors
    /// A handle that has expired or was dropped, and a time that the server does not take.
    pub async fn extend(&self, ttl: Option<Duration>) -> Result<()> {
        let info = self.shared.client.extend_handle(self.id(), ttl).await?;
        self.shared.expires_us.store(info.expires_us, Ordering::Relaxed);
        self.shared.ttl_us.store(create::micros(info.ttl), Ordering::Relaxed);
        Ok(())
    }

    /// Drops it on the server, and says whether that went well. Clones of it have nothing behind them then.
    ///
    /// # Errors
    /// A server that does not answer. One that was dropped before is no error.
    pub async fn discard(self) -> Result<()> {
        self.shared.client.drop_handle(self.id()).await?;
        self.keep();
        Ok(())
    }

    /// Lets the server's handle live on when this and its clones are dropped, until it expires.
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
        // A runtime that has ended takes no task; the handle expires then.
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
