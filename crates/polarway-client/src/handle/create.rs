//! Makes handles. If an answer is lost, the call is repeated with the same id, and finds the handle that it made before.

use std::time::Duration;

use polarway_model::{HandleInfo, HandleOptions, QuerySummary};
use polarway_proto::v1::{self, CreateHandleRequest, CreateHandleResponse};

use super::Handle;
use crate::call::{Attempt, Kind, Operation};
use crate::client::DistributedClient;
use crate::error::{Error, ErrorKind, Result};
use crate::query::encode_parameters;

impl DistributedClient {
    /// Runs a SELECT and keeps its result on the server.
    ///
    /// # Errors
    /// As [`query`](Self::query); besides, a result for which the server has no room. EXPLAIN and the like can't be kept.
    pub async fn query_handle(&self, sql: &str) -> Result<Handle> {
        self.query_handle_with(sql, HandleOptions::default()).await
    }

    /// As [`query_handle`](Self::query_handle), with values for parameters or with other options.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use polarway_client::{DistributedClient, HandleOptions, Result, params};
    /// # async fn make(client: DistributedClient) -> Result<()> {
    /// let sql = "FROM flights WHERE carrier = $carrier";
    /// let united = client.query_handle_with(sql, params![carrier = "UA"]).await?;
    /// let options = HandleOptions { ttl: Some(Duration::from_secs(60)), ..HandleOptions::default() };
    /// let short_lived = client.query_handle_with("FROM flights LIMIT 10", options).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`query_handle`](Self::query_handle); besides, values that don't fit the parameters, and a time to live that the
    /// server refuses.
    pub async fn query_handle_with(&self, sql: &str, options: impl Into<HandleOptions>) -> Result<Handle> {
        Ok(self.create_handle(sql, options.into()).await?.0)
    }

    /// A new handle, and what its query did, unless an earlier try made it.
    pub(super) async fn create_handle(
        &self,
        sql: &str,
        options: HandleOptions,
    ) -> Result<(Handle, Option<QuerySummary>)> {
        let request = CreateHandleRequest {
            sql: sql.to_owned(),
            parameters: encode_parameters(&options.parameters)?,
            ttl_us: options.ttl.map(micros),
            request_id: CreateHandleRequest::request_id_of(match options.request {
                Some(bits) => bits,
                None => random_bits()?,
            }),
            engine: v1::Engine::from(options.engine).into(),
        };
        let mut create = Create { request, time: options.time };
        let (info, summary) = self.call(Kind::Query).run(&mut create).await?;
        Ok((Handle::new(self, info, true), summary))
    }
}

/// The request, which may be repeated.
struct Create {
    request: CreateHandleRequest,
    time: Option<Duration>,
}

impl Operation for Create {
    type Output = (HandleInfo, Option<QuerySummary>);

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<Self::Output> {
        let request = attempt.request(self.request.clone(), self.time);
        let mut service = attempt.worker().service();
        let mut steps = attempt.open(service.create_handle(request)).await?.into_inner();
        let mut made = None;
        // The stream is read to its end: the server would take an earlier end for a cancelled call.
        while let Some(step) = attempt.next(steps.message()).await? {
            match step {
                CreateHandleResponse { handle: Some(handle), summary } => made = Some((handle, summary)),
                CreateHandleResponse { handle: None, .. } => attempt.going(),
            }
        }
        // A proxy may end a stream before the server does.
        let (handle, summary) =
            made.ok_or_else(|| Error::unreachable("the stream ended before the handle was made"))?;
        let summary = summary.map(QuerySummary::try_from).transpose()?;
        Ok((handle.try_into()?, summary))
    }
}

/// Random bits for the id of a handle, which nobody must be able to guess.
fn random_bits() -> Result<[u8; 16]> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| {
        Error::new(
            ErrorKind::Unreachable,
            format!("this machine gives no random bits for a handle's id: {error}"),
        )
    })?;
    Ok(bits)
}

/// A time as the protocol has it; a longer one is sent as the longest.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
