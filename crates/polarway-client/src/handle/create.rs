//! Making a handle. A try whose answer is lost is made again under the same id, and finds what it made before.

use std::time::Duration;

use bytes::Bytes;
use polarway_proto::SILENCE;
use polarway_proto::v1::{CreateHandleRequest, CreateHandleResponse, QuerySummary};
use polarway_table::Parameters;
use tonic::Streaming;

use super::{Handle, HandleInfo};
use crate::client::DistributedClient;
use crate::connection::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::query::{MOST_RUNS_AGAIN, encode_parameters};
use crate::retry::Tries;

/// How a query runs whose result is kept, where it matters.
#[derive(Clone, Debug, Default)]
pub struct HandleOptions {
    /// The values of the text's parameters.
    pub parameters: Parameters,
    /// How long the query may take on the server, waiting included; `None` is as long as the server lets it.
    pub time: Option<Duration>,
    /// For how long the result lives unused; `None` is as long as the server is set to.
    pub ttl: Option<Duration>,
}

impl From<Parameters> for HandleOptions {
    fn from(parameters: Parameters) -> Self {
        Self { parameters, ..Self::default() }
    }
}

impl DistributedClient {
    /// Runs a SELECT and keeps its result on the server.
    ///
    /// # Errors
    /// As [`query`](Self::query); besides, a result for which the server has no room. EXPLAIN and the like can't be kept.
    pub async fn query_handle(&self, sql: &str) -> Result<Handle> {
        self.query_handle_with(sql, HandleOptions::default()).await
    }

    /// The same with values for parameters, or with other options.
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
    /// server does not take.
    pub async fn query_handle_with(&self, sql: &str, options: impl Into<HandleOptions>) -> Result<Handle> {
        Ok(self.create_handle(sql, options.into()).await?.0)
    }

    /// A new handle, and what its query did unless an earlier try had made it.
    pub(super) async fn create_handle(
        &self,
        sql: &str,
        options: HandleOptions,
    ) -> Result<(Handle, Option<QuerySummary>)> {
        let call = Call {
            request: CreateHandleRequest {
                sql: sql.to_owned(),
                parameters: encode_parameters(&options.parameters)?,
                ttl_us: options.ttl.map(micros),
                request_id: random_bytes()?,
            },
            time: options.time,
        };
        let mut tries = Tries::new(self.timeout()).with_most_breaks(MOST_RUNS_AGAIN);
        loop {
            let worker = self.workers().pick();
            match self.try_to_create(&worker, &call, &mut tries).await {
                Ok((info, summary)) => return Ok((Handle::new(self, info, true), summary)),
                Err(error) => {
                    // Handles may be with the worker that refused, so it is left only where another may do better.
                    if error.is_transient() {
                        self.workers().pass_over(&worker);
                    }
                    tries.after(error).await?;
                }
            }
        }
    }

    async fn try_to_create(
        &self,
        worker: &Worker,
        call: &Call,
        tries: &mut Tries,
    ) -> Result<(HandleInfo, Option<QuerySummary>)> {
        let mut request = self.workers().request(call.request.clone());
        if let Some(time) = call.time {
            request.set_timeout(time);
        }
        let mut steps = worker.service().create_handle(request).await?.into_inner();
        let mut made = None;
        // The stream is read to its end: to leave it before would look like giving up.
        while let Some(step) = next_step(&mut steps).await? {
            match step {
                CreateHandleResponse { handle: Some(handle), summary } => made = Some((handle, summary)),
                CreateHandleResponse { handle: None, .. } => tries.going(),
            }
        }
        // A proxy may end a stream that the server did not.
        let (handle, summary) =
            made.ok_or_else(|| Error::unreachable("the stream ended before the handle was made"))?;
        Ok((HandleInfo::from_message(Some(handle))?, summary))
    }
}

async fn next_step(steps: &mut Streaming<CreateHandleResponse>) -> Result<Option<CreateHandleResponse>> {
    match tokio::time::timeout(SILENCE, steps.message()).await {
        Ok(step) => Ok(step?),
        Err(_) => Err(Error::unreachable(format!("the server has been silent for {SILENCE:?}"))),
    }
}

/// What is asked, as often as need be.
struct Call {
    request: CreateHandleRequest,
    time: Option<Duration>,
}

/// What nobody can guess: the id of the handle is made of them.
fn random_bytes() -> Result<Bytes> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::new(
            ErrorKind::Unreachable,
            format!("this machine gives no random bits for a handle's id: {error}"),
        )
    })?;
    Ok(Bytes::copy_from_slice(&bytes))
}

/// A time as the protocol has it; one beyond its range is for ever all the same.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
