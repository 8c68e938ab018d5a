//! Loads tables. A stream that breaks continues at the next row of the version that it was reading.

use std::any::Any;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use futures::Stream;
use polarway_model::{At, LoadOptions, Selection};
use polarway_proto::v1::{LoadHeader, LoadRequest, LoadResponse};
use polarway_proto::{Reason, rpc};
use polarway_table::Table;

use crate::call::{Attempt, Call, Kind, Operation};
use crate::client::DistributedClient;
use crate::error::{Error, ErrorKind, Result};
use crate::receive::{Arrived, Receiver};
use crate::stream::{BatchStream, Batches};

impl DistributedClient {
    /// Loads a dataset's newest version, or a handle by its id.
    ///
    /// # Errors
    /// A dataset that does not exist; the message has similar names.
    pub async fn load(&self, name: &str) -> Result<Table> {
        self.load_at(name, At::Newest).await
    }

    /// Loads a version of a dataset.
    ///
    /// # Errors
    /// A dataset or a version that does not exist, or whose data retention has removed.
    pub async fn load_at(&self, name: &str, at: At) -> Result<Table> {
        self.load_with(name, at).await
    }

    /// Loads a version of a dataset, or some of its columns and rows: the others are not sent.
    ///
    /// ```no_run
    /// # use polarway_client::{DistributedClient, Result, Selection};
    /// # async fn load(client: DistributedClient) -> Result<()> {
    /// let some = Selection::default().with_columns(["carrier", "dep_delay"]).with_rows(100..200);
    /// let delays = client.load_with("flights", some).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at); besides, a column that is not there, with those near it; a column that is named twice, or
    /// a list of none; rows that end before they begin, or begin behind the table's end. An end behind that is the end.
    pub async fn load_with(&self, name: &str, options: impl Into<LoadOptions>) -> Result<Table> {
        let mut loading = self.begin_loading(name, options.into()).await?;
        let mut batches = Vec::new();
        while let Some(batch) = loading.next().await? {
            batches.push(batch);
        }
        Ok(Table::new(loading.load.schema, batches))
    }

    /// Loads a dataset's newest version as a stream, in row order. Batches that the user has dropped take no memory.
    ///
    /// # Errors
    /// As [`load`](Self::load). The stream carries errors that come later, and ends with them.
    pub async fn load_stream(&self, name: &str) -> Result<TableStream> {
        self.load_stream_at(name, At::Newest).await
    }

    /// Loads a version of a dataset as a stream.
    ///
    /// # Errors
    /// As [`load_at`](Self::load_at). The stream carries errors that come later, and ends with them.
    pub async fn load_stream_at(&self, name: &str, at: At) -> Result<TableStream> {
        self.load_stream_with(name, at).await
    }

    /// Loads some columns and rows of a version in pieces.
    ///
    /// # Errors
    /// As [`load_with`](Self::load_with). The stream carries errors that come later, and ends with them.
    pub async fn load_stream_with(&self, name: &str, options: impl Into<LoadOptions>) -> Result<TableStream> {
        Ok(self.begin_loading(name, options.into()).await?.into_stream())
    }

    /// Opens the stream and waits for its first chunk.
    pub(crate) async fn begin_loading(&self, name: &str, options: LoadOptions) -> Result<Loading> {
        let LoadOptions { at, selection } = options;
        if selection.columns.as_ref().is_some_and(Vec::is_empty) {
            // On the wire no columns are all.
            let message = "a load needs one column at least: name some, or leave the list out for all";
            return Err(Error::new(ErrorKind::Refused(Reason::InvalidInput), message));
        }
        let mut call = self.call(Kind::Idempotent);
        let load = call.run(&mut Begin { name, at, selection: &selection }).await?;
        Ok(Loading { call, load, _held: None })
    }
}

/// The beginning of a load. It fixes the version that is loaded.
struct Begin<'a> {
    name: &'a str,
    at: At,
    selection: &'a Selection,
}

impl Operation for Begin<'_> {
    type Output = Load;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<Load> {
        let first_row = self.selection.first_row;
        let mut receiver = open(attempt, self.name, self.at, self.selection, first_row).await?;
        loop {
            match receiver.next(attempt).await? {
                Arrived::Heartbeat => attempt.going(),
                Arrived::Note(header, batches) => {
                    let schema = receiver.schema().cloned();
                    let schema = schema.ok_or_else(|| Error::protocol("a load began without a schema"))?;
                    check_columns(self.selection, &schema)?;
                    attempt.progress();
                    return Ok(Load {
                        name: self.name.to_owned(),
                        selection: self.selection.clone(),
                        schema,
                        header,
                        next_row: first_row,
                        end_row: self.selection.end_row.map_or(header.rows, |row| row.min(header.rows)),
                        ready: batches.into(),
                        receiver: Some(receiver),
                    });
                }
                Arrived::Rows(_) | Arrived::End => {
                    return Err(Error::protocol("a load began without its header"));
                }
            }
        }
    }
}

async fn open(
    attempt: &Attempt<'_>,
    name: &str,
    at: At,
    selection: &Selection,
    first_row: u64,
) -> Result<Receiver<LoadResponse>> {
    let selection = Selection { first_row, ..selection.clone() };
    let request = LoadRequest::new(name, LoadOptions { at, selection });
    Receiver::open::<rpc::Load>(attempt, request, first_row, None).await
}

/// A server that does not know of columns sends all.
fn check_columns(selection: &Selection, schema: &Schema) -> Result<()> {
    let Some(columns) = &selection.columns else { return Ok(()) };
    let sent = schema.fields().iter().map(|field| field.name());
    if columns.iter().eq(sent) { Ok(()) } else { Err(ignored("columns")) }
}

fn ignored(what: &str) -> Error {
    let message =
        format!("the server sent other {what} than were asked for: it is older than this client; upgrade it");
    Error::protocol(message)
}

/// A load that has begun, and its progress.
struct Load {
    name: String,
    selection: Selection,
    schema: SchemaRef,
    header: LoadHeader,
    /// The first row that the user does not have yet. `ready` begins with it.
    next_row: u64,
    /// The row behind the last.
    end_row: u64,
    ready: VecDeque<RecordBatch>,
    /// Until the stream has broken or ended.
    receiver: Option<Receiver<LoadResponse>>,
}

/// Takes one message, and returns whether there may be more. It is called when no batch is ready, so a stream that broke
/// continues at the next row.
impl Operation for Load {
    type Output = bool;

    async fn attempt(&mut self, attempt: &mut Attempt<'_>) -> Result<bool> {
        let (receiver, arrived) = match self.receiver.take() {
            Some(mut receiver) => {
                let arrived = receiver.next(attempt).await?;
                (receiver, arrived)
            }
            None => {
                let at = At::Version(self.header.version);
                let resumed = async {
                    let mut receiver = open(attempt, &self.name, at, &self.selection, self.next_row).await?;
                    let arrived = receiver.next(attempt).await?;
                    Ok((receiver, arrived))
                };
                resumed.await.map_err(|error| of_resumed(&self.name, self.header, error))?
            }
        };
        match arrived {
            Arrived::Heartbeat => attempt.going(),
            Arrived::Rows(batches) => {
                self.ready.extend(batches);
                attempt.progress();
            }
            Arrived::Note(header, batches) => {
                check_same(&self.name, self.header, header)?;
                self.ready.extend(batches);
                attempt.progress();
            }
            Arrived::End if receiver.next_row() == self.end_row => return Ok(false),
            Arrived::End => {
                return Err(Error::protocol(format!(
                    "the load ended after {} of {} rows",
                    receiver.next_row(),
                    self.end_row
                )));
            }
        }
        if receiver.next_row() > self.end_row {
            return Err(ignored("rows"));
        }
        self.receiver = Some(receiver);
        Ok(true)
    }
}

/// Why a load does not go on. Rows and columns that were there when it began are missing only if the files have changed, and
/// those of a version don't change.
fn of_resumed(name: &str, header: LoadHeader, error: Error) -> Error {
    match error.reason() {
        Some(Reason::InvalidInput | Reason::UnknownColumn) if header.version == 0 => changed(name),
        _ => error,
    }
}

/// A load that is running.
pub(crate) struct Loading {
    call: Call,
    load: Load,
    /// Something that must not be dropped before all rows have arrived.
    _held: Option<Box<dyn Any + Send>>,
}

impl Batches for Loading {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Self { call, load, .. } = self;
        loop {
            if let Some(batch) = load.ready.pop_front() {
                load.next_row += batch.num_rows() as u64;
                return Ok(Some(batch));
            }
            if !call.run(load).await? {
                return Ok(None);
            }
        }
    }
}

impl Loading {
    /// The same load, which also holds what keeps its rows on the server.
    pub(crate) fn holding(self, held: impl Any + Send) -> Self {
        Self { _held: Some(Box::new(held)), ..self }
    }

    /// The table's columns.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.load.schema
    }

    /// The rest of the table as a stream.
    pub(crate) fn into_stream(self) -> TableStream {
        TableStream {
            schema: SchemaRef::clone(&self.load.schema),
            header: self.load.header,
            selected_rows: self.load.end_row - self.load.selection.first_row,
            batches: BatchStream::new(self),
        }
    }
}

/// Files that Polarway did not write may change between two tries, without a new version.
fn check_same(name: &str, first: LoadHeader, now: LoadHeader) -> Result<()> {
    if first == now { Ok(()) } else { Err(changed(name)) }
}

fn changed(name: &str) -> Error {
    let message = format!("the files of {name:?} changed while they were read: load it again");
    Error::new(ErrorKind::Refused(Reason::Changed), message).for_good()
}

/// The rows of a dataset, as they arrive over the network.
pub struct TableStream {
    schema: SchemaRef,
    header: LoadHeader,
    selected_rows: u64,
    batches: BatchStream,
}

impl TableStream {
    /// The table's columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The number of rows of the whole version.
    pub fn rows(&self) -> u64 {
        self.header.rows
    }

    /// The number of rows that were asked for, all of which come.
    pub fn selected_rows(&self) -> u64 {
        self.selected_rows
    }

    /// The version that is read. It does not change while the stream is read.
    pub fn version(&self) -> u64 {
        self.header.version
    }

    /// When that version was made: microseconds since 1970-01-01 UTC.
    pub fn time_us(&self) -> i64 {
        self.header.time_us
    }
}

impl Stream for TableStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.batches).poll_next(context)
    }
}
