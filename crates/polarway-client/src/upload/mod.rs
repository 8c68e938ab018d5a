//! Stores tables. An upload that breaks is repeated with the same ids, so that nothing is written twice.

mod encode;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{RecordBatchIterator, RecordBatchReader};
use arrow_schema::ArrowError;
use futures::StreamExt as _;
use polarway_model::{Published, RequestId, WriteMode, WriteOptions};
use polarway_proto::v1::{StoreHeader, StoreRequest, StoreResponse, StoreResult, store_result};
use polarway_proto::{WithHeartbeats, rpc};
use polarway_table::Table;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use self::encode::{Encoding, encode};
use crate::call::{Attempt, Kind, Operation};
use crate::call_id::CallId;
use crate::client::DistributedClient;
use crate::error::{Error, Result};

/// Rows that can be read from the start several times: an upload that broke is sent again.
pub trait TableSource: Send + Sync {
    /// Begins to read at the first row. It is called on a thread that may block, and again for each retry.
    ///
    /// # Errors
    /// The rows can't be read, or not a second time.
    fn open(&self) -> Result<Box<dyn RecordBatchReader + Send>, ArrowError>;
}

impl TableSource for Table {
    fn open(&self) -> Result<Box<dyn RecordBatchReader + Send>, ArrowError> {
        let batches = self.batches().to_vec().into_iter().map(Ok);
        Ok(Box::new(RecordBatchIterator::new(batches, Arc::clone(self.schema()))))
    }
}

impl DistributedClient {
    /// Stores a table under a name and replaces the dataset's rows. It is on the server's stable storage when this returns; the
    /// replaced rows stay readable as an older version.
    ///
    /// # Errors
    /// A name that is not allowed, a column that can't be stored, and errors of the storage. The dataset is unchanged then.
    pub async fn store<T>(&self, name: &str, table: T) -> Result<Published>
    where
        T: TryInto<Table>,
        Error: From<T::Error>,
    {
        self.store_with(name, table, WriteOptions::default()).await
    }

    /// Appends a table's rows to a dataset that exists. Columns are matched by name; narrower types are widened if no value can
    /// change.
    ///
    /// # Errors
    /// As [`store`](Self::store); besides, a dataset that does not exist, and rows that don't fit its schema.
    pub async fn append<T>(&self, name: &str, table: T) -> Result<Published>
    where
        T: TryInto<Table>,
        Error: From<T::Error>,
    {
        self.store_with(name, table, WriteOptions::new(WriteMode::Append)).await
    }

    /// Stores a table with conditions.
    ///
    /// # Errors
    /// As [`store`](Self::store) and [`append`](Self::append); besides, a condition that is not met.
    pub async fn store_with<T>(&self, name: &str, table: T, options: WriteOptions) -> Result<Published>
    where
        T: TryInto<Table>,
        Error: From<T::Error>,
    {
        self.store_from(name, Arc::new(table.try_into()?), options).await
    }

    /// Stores rows as they are read, in bounded memory.
    ///
    /// # Errors
    /// As [`store_with`](Self::store_with), and errors of the source. The dataset is unchanged then.
    pub async fn store_from(
        &self,
        name: &str,
        source: Arc<dyn TableSource>,
        options: WriteOptions,
    ) -> Result<Published> {
        let request = options.request.unwrap_or_else(RequestId::fresh);
        let header = StoreHeader::new(name, options.with_request(request));
        let mut results = self.upload(vec![(header, source)]).await;
        results.pop().unwrap_or_else(|| Err(Error::protocol("the server gave no result for the table")))
    }

    /// Stores several tables in one call. Each is published separately and has its own result, in the order of the arguments. A
    /// table that fails does not undo another one.
    ///
    /// # Errors
    /// A value that can't be converted into a table; then nothing is sent.
    pub async fn store_batch<N, T>(
        &self,
        tables: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Vec<Result<Published>>>
    where
        N: Into<String>,
        T: TryInto<Table>,
        Error: From<T::Error>,
    {
        let mut sources: Vec<(StoreHeader, Arc<dyn TableSource>)> = Vec::new();
        for ((name, table), request) in tables.into_iter().zip(RequestId::fresh_of_call()) {
            let header = StoreHeader::new(name, WriteOptions::default().with_request(request));
            sources.push((header, Arc::new(table.try_into()?)));
        }
        Ok(self.upload(sources).await)
    }

    /// Uploads tables until each has a result.
    async fn upload(&self, sources: Vec<(StoreHeader, Arc<dyn TableSource>)>) -> Vec<Result<Published>> {
        let mut upload = Upload { results: sources.iter().map(|_| None).collect(), waiting: Vec::new() };
        for (ordinal, (header, source)) in sources.into_iter().enumerate() {
            upload.waiting.push(Encoding { ordinal, header, source });
        }
        if let Err(error) = self.call(Kind::Idempotent).run(&mut upload).await {
            upload.settle(&error);
        }
        let missing = || Err(Error::protocol("the server gave no result for a table"));
        upload.results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
    }
}

/// Tables that are being sent, and the results of those that have arrived.
struct Upload {
    waiting: Vec<Encoding>,
    results: Vec<Option<Result<Published>>>,
}

impl Operation for Upload {
    type Output = ();

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let outcomes = upload_once(attempt, &self.waiting).await?;
        self.sort_out(outcomes, attempt.id())
    }
}

impl Upload {
    /// Takes the server's result of each table. Tables with a transient error are sent again, and one of these errors is
    /// returned.
    fn sort_out(&mut self, outcomes: Vec<StoreResult>, id: CallId) -> Result<()> {
        if outcomes.len() != self.waiting.len() {
            return Err(Error::protocol(format!(
                "the server gave {} results for {} tables",
                outcomes.len(),
                self.waiting.len()
            )));
        }
        let mut transient = None;
        for (table, outcome) in std::mem::take(&mut self.waiting).into_iter().zip(outcomes) {
            let result = match outcome.outcome {
                Some(store_result::Outcome::Published(published)) => {
                    published.try_into().map_err(Error::from)
                }
                Some(store_result::Outcome::Failure(failure)) => {
                    Err(Error::from_failure(failure).of_call(id))
                }
                None => {
                    let name = &table.header.name;
                    Err(Error::protocol(format!("the server gave no result for {name:?}")))
                }
            };
            match result {
                Err(error) if error.is_transient() => {
                    transient = Some(error);
                    self.waiting.push(table);
                }
                result => self.results[table.ordinal] = Some(result),
            }
        }
        transient.map_or(Ok(()), Err)
    }

    /// Gives the same error to all tables that have no result.
    fn settle(&mut self, error: &Error) {
        for table in self.waiting.drain(..) {
            self.results[table.ordinal] = Some(Err(error.again()));
        }
    }
}

/// Sends all tables once.
async fn upload_once(attempt: &mut Attempt<'_>, tables: &[Encoding]) -> Result<Vec<StoreResult>> {
    let (parts, encoder) = encode(tables);
    let (moved, mut movement) = watch::channel(());
    let parts = WithHeartbeats::new(parts, StoreRequest::default);
    let parts = parts.map(move |part| {
        let _ = moved.send(());
        Ok(part)
    });
    let (worker, headers) = (attempt.worker().clone(), attempt.headers(None));
    let call = async {
        let mut responses = worker.bulk::<rpc::Store>(headers, parts).await?;
        let missing = || Status::unavailable("the server did not say what it stored");
        responses.next().await.unwrap_or_else(|| Err(missing()))
    };
    let mut call = std::pin::pin!(call);
    let began = Instant::now();
    let mut bound = attempt.timeout();
    let mut deadline = began + bound;
    let mut all_sent = false;
    let answer = loop {
        tokio::select! {
            answer = &mut call => break answer.map_err(|status| worker.failure(status)),
            () = sleep_until(deadline) => break Err(stuck(all_sent, bound)),
            // The sender is dropped when all parts are sent.
            change = movement.changed(), if !all_sent => {
                if change.is_err() {
                    all_sent = true;
                    // To write may take as long as to send.
                    bound = bound.min(attempt.patience().max(began.elapsed()));
                }
                deadline = Instant::now() + bound;
                attempt.going();
            }
        }
    };
    match answer {
        Ok(StoreResponse { results }) => Ok(results),
        // The server only saw that the upload ended; the source knows why.
        Err(error) => Err(encoder.failure().unwrap_or(error)),
    }
}

fn stuck(all_sent: bool, bound: Duration) -> Error {
    Error::unreachable(if all_sent {
        format!("the server did not say for {bound:?} what became of the upload")
    } else {
        format!("the server took no more of the upload for {bound:?}")
    })
}
