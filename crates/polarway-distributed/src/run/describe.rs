//! How a query would be spread, for EXPLAIN.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion_distributed::{DistributedExec, display_plan_ascii};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

use super::attempt::TakingPart;
use super::failure::Failure;
use super::{Query, address};
use crate::channels::QueryChannels;
use crate::error::Error;
use crate::service::Worker;
use crate::session;

impl Worker {
    /// The stages of a query over these workers, and the tasks of each. No worker is asked.
    ///
    /// # Errors
    /// The query can't be planned.
    pub(crate) async fn describe(
        &self,
        query: &Query,
        workers: &[Url],
    ) -> std::result::Result<String, Error> {
        let planned = async {
            let shared = &self.0;
            let stopped = CancellationToken::new();
            let (runtime, _) = shared.runtime.of_query(query.files.all(), query.memory_bytes, stopped)?;
            let channels = QueryChannels {
                channels: Arc::clone(&shared.channels),
                query: Uuid::now_v7(),
                own: None,
                reports: None,
            };
            let workers = TakingPart(workers.to_vec());
            let state =
                session::coordinator(shared.spread, &shared.functions, runtime, workers, channels, None)?;
            session::in_stages(&state, &query.plan, shared.spread).await
        };
        let planned: Result<_> = planned.await;
        let plan = planned.map_err(|error| Failure::of(error).into_error())?;
        let shape = display_plan_ascii(&*plan, false);
        let shape = shape.trim_end();
        Ok(match plan.is::<DistributedExec>() {
            true => {
                let named: Vec<String> = workers.iter().map(address).collect();
                format!("workers: {}\n{shape}\n", named.join(", "))
            }
            false => format!("too small for several tasks: this worker would run it alone\n{shape}\n"),
        })
    }
}
