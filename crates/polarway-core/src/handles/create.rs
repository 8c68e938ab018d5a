//! Makes handles.

use polarway_handles::{Handle, HandleId, fresh_id};
use polarway_model::{HandleOptions, QueryOptions, QuerySummary};
use uuid::Uuid;

use super::results::Wanted;
use crate::error::{ErrorKind, Result};
use crate::polarway::Polarway;

/// A kept result.
#[derive(Clone, Debug)]
pub struct KeptResult {
    /// Its handle.
    pub handle: Handle,
    /// What the query did; `None` if an earlier call made the handle.
    pub summary: Option<QuerySummary>,
}

impl Polarway {
    /// Runs a SELECT and keeps its result under a handle. The handle's id is the name of a table in SQL and in
    /// [`load`](Self::load). It is kept until nobody has used it for its time to live.
    ///
    /// ```no_run
    /// # async fn busiest(polarway: polarway_core::Polarway) -> polarway_core::Result<()> {
    /// let kept = polarway.query_handle("SELECT carrier, count(*) AS flights FROM flights GROUP BY carrier").await?;
    /// let id = kept.handle.id;
    /// let busiest = polarway.query(&format!("FROM {id} ORDER BY flights DESC LIMIT 3")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query`](Self::query); besides, no room for it, EXPLAIN, and a column that can't be kept.
    pub async fn query_handle(&self, sql: &str) -> Result<KeptResult> {
        self.query_handle_with(sql, HandleOptions::default()).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`query_handle`](Self::query_handle); a request whose handle has expired or was dropped since.
    pub async fn query_handle_with(
        &self,
        sql: &str,
        options: impl Into<HandleOptions>,
    ) -> Result<KeptResult> {
        let HandleOptions { parameters, time, ttl, request, engine } = options.into();
        let query = QueryOptions { parameters, time, engine, ..QueryOptions::default() };
        let id = match request {
            Some(bits) => self.id_of_request(bits),
            None => {
                let random = &*self.engine().random;
                fresh_id(random).map_err(polarway_handles::Error::Random)?
            }
        };
        if request.is_some()
            && let Some(before) = self.made_before(id).await?
        {
            return Ok(before);
        }
        let (results, usual_ttl) = self.access().results_to_keep()?;
        let owner = self.caller().shared_name();
        let quota = self.access().handle_quota()?;
        if let Some(quota) = quota.clone() {
            self.blocking_briefly(move |_| quota.left()).await?;
        }
        let wanted = Wanted { id, ttl: ttl.unwrap_or(usual_ttl), owner, query, quota };
        let kept = match results.keep(self, sql, wanted).await {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Another engine has carried out the same call in the meantime.
                self.made_before(id).await?.ok_or(error)
            }
            kept => kept,
        }?;
        if let Some(metrics) = &self.engine().metrics
            && kept.summary.is_some()
        {
            metrics.handles_made.increment(1);
        }
        Ok(kept)
    }

    /// The id of the handle that a request of the caller makes. The caller is part of it: an id that another caller's handle has
    /// can't be asked for.
    fn id_of_request(&self, request: [u8; 16]) -> HandleId {
        let name = self.caller().name().as_bytes();
        HandleId::from_bits(*Uuid::new_v5(&Uuid::from_bytes(request), name).as_bytes())
    }

    async fn made_before(&self, id: HandleId) -> Result<Option<KeptResult>> {
        self.blocking_briefly(move |access| match access.handle(id) {
            Ok(handle) => Ok(Some(KeptResult { handle, summary: None })),
            Err(error) if error.kind() == ErrorKind::UnknownHandle => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }
}
