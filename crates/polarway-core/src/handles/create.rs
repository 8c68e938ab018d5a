//! Makes handles.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures::StreamExt as _;
use polarway_handles::{Handle, HandleId, HandleStore as _, MemoryHandles, fresh_id};
use polarway_model::{HandleOptions, QueryOptions, QuerySummary};
use polarway_storage::Error as StorageError;
use polarway_table::distinct_names;
use tokio::runtime::Handle as Runtime;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};
use crate::handles::store::{External, Place};
use crate::polarway::Polarway;
use crate::query::QueryStream;

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
        let HandleOptions { parameters, time, ttl, request } = options.into();
        let query = QueryOptions { parameters, time, ..QueryOptions::default() };
        let id = match request {
            Some(bits) => HandleId::from_bits(bits),
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
        let (place, usual_ttl) = self.access().place_to_keep()?;
        let ttl = ttl.unwrap_or(usual_ttl);
        match place {
            Place::Memory(memory) => {
                let memory = Arc::clone(memory);
                self.keep_in_memory(sql, id, ttl, query, memory).await
            }
            Place::External(external) => {
                let external = Arc::clone(external);
                self.keep_outside(sql, id, ttl, query, external).await
            }
        }
    }

    async fn made_before(&self, id: HandleId) -> Result<Option<KeptResult>> {
        self.blocking_briefly(move |access| match access.handle(id) {
            Ok(handle) => Ok(Some(KeptResult { handle, summary: None })),
            Err(error) if error.kind() == ErrorKind::UnknownHandle => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn keep_in_memory(
        &self,
        sql: &str,
        id: HandleId,
        ttl: Duration,
        options: QueryOptions,
        memory: Arc<MemoryHandles>,
    ) -> Result<KeptResult> {
        memory.check_room()?;
        // The id alone is not enough: the table of an earlier try may still be there.
        let table = format!("{id}.{}", self.engine().environment.ids.fresh().simple());
        let mut made = self.start_keeping(sql, options, table.clone())?;
        // From here on, when the query has succeeded, this function must remove the table.
        let guard = UnlessKept { polarway: self, table: Some(table.clone()) };
        let (schema, summary) = made.finish().await?;
        let handle = self
            .blocking_briefly(move |access| {
                let bytes = access.kept_bytes(&table)?;
                let owner = Some(access.caller().shared_name());
                let handle =
                    Handle { id, schema, rows: summary.rows, bytes, lease: memory.lease(ttl), owner };
                Ok(memory.add(handle, table)?)
            })
            .await?;
        guard.keep();
        Ok(KeptResult { handle, summary: Some(summary) })
    }

    async fn keep_outside(
        &self,
        sql: &str,
        id: HandleId,
        ttl: Duration,
        options: QueryOptions,
        external: Arc<External>,
    ) -> Result<KeptResult> {
        let stream = self.stream_to_keep(sql, options).await?;
        // It is dropped with this future when nobody waits for the handle.
        let (_wanted, unwanted) = oneshot::channel();
        let written = {
            let callers = &self.engine().threads.callers;
            self.blocking_as(callers, move |access| {
                let owner = access.caller().shared_name();
                write(stream, unwanted, Wanted { id, ttl, owner }, &external)
            })
            .await
        };
        match written {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Another engine has carried out the same call in the meantime.
                self.made_before(id).await?.ok_or(error)
            }
            other => other,
        }
    }
}

/// Removes the table of a handle that was not made, whatever the reason.
struct UnlessKept<'a> {
    polarway: &'a Polarway,
    table: Option<String>,
}

impl UnlessKept<'_> {
    fn keep(mut self) {
        self.table = None;
    }
}

impl Drop for UnlessKept<'_> {
    fn drop(&mut self) {
        if let Some(table) = self.table.take() {
            self.polarway.engine().remove_unkept(&table);
        }
    }
}

/// A handle that is to be made.
struct Wanted {
    id: HandleId,
    ttl: Duration,
    owner: Arc<str>,
}

/// Writes a query's rows as a handle, on a thread that may block.
fn write(
    mut rows: QueryStream,
    mut unwanted: oneshot::Receiver<()>,
    wanted: Wanted,
    external: &External,
) -> Result<KeptResult> {
    let Wanted { id, ttl, owner } = wanted;
    let runtime = Runtime::current();
    let schema = with_distinct_names(rows.schema());
    let mut writer = external.books.writer(id, Arc::clone(&schema), ttl, owner)?;
    let mut next = || {
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = &mut unwanted => Some(Err(Error::new(ErrorKind::Cancelled, "nobody wants the handle any more"))),
                batch = rows.next() => batch,
            }
        })
    };
    while let Some(batch) = next() {
        let batch = batch?;
        let named = RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            batch.columns().to_vec(),
            &arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows())),
        )?;
        writer.write(&named)?;
    }
    match writer.publish() {
        // The handle may be there: a retry of the call finds it.
        Err(StorageError::AlreadyExists { .. }) => {
            Err(Error::new(ErrorKind::AlreadyExists, "the handle was made by another call"))
        }
        published => {
            published?;
            let handle = external.books.get(id)?;
            Ok(KeptResult { handle, summary: rows.summary() })
        }
    }
}

/// Gives columns distinct names: if names differ only in case, the later ones get a number.
fn with_distinct_names(schema: &SchemaRef) -> SchemaRef {
    let names = distinct_names(schema.fields().iter().map(|field| field.name().as_str()), str::to_lowercase);
    let fields = schema.fields().iter().zip(names);
    let fields: Vec<Field> = fields.map(|(field, name)| field.as_ref().clone().with_name(name)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}
