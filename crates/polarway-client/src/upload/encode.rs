//! Encodes tables as the parts of an upload, on a thread that may block.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::Stream;
use polarway_ipc::{Chunk, ChunkEncoder, EncodeOptions};
use polarway_proto::v1::store_request::Part;
use polarway_proto::v1::{self, StoreHeader, StoreRequest, StoreTrailer};
use tokio::sync::mpsc;

use super::TableSource;
use crate::error::{Error, ErrorKind, Result};

/// Parts that wait for the connection.
const WAITING_PARTS: usize = 2;

/// A table to send.
pub(super) struct Encoding {
    /// Its position in the user's call.
    pub(super) ordinal: usize,
    pub(super) header: StoreHeader,
    pub(super) source: Arc<dyn TableSource>,
}

/// The parts of some tables as a stream, and the encoder, which knows what failed.
pub(super) fn encode(tables: &[Encoding]) -> (Parts, Encoder) {
    let (sender, receiver) = mpsc::channel(WAITING_PARTS);
    let encoder = Encoder::default();
    let failure = Arc::clone(&encoder.failure);
    let count = tables.len();
    let tables: Vec<(StoreHeader, Arc<dyn TableSource>)> = tables
        .iter()
        .enumerate()
        .map(|(index, table)| {
            let header = StoreHeader { last: index + 1 == count, ..table.header.clone() };
            (header, Arc::clone(&table.source))
        })
        .collect();
    tokio::task::spawn_blocking(move || {
        for (header, source) in tables {
            match encode_table(header, &*source, &sender) {
                Ok(()) => {}
                Err(Stop::NobodyListens) => return,
                Err(Stop::Failed(error)) => {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    return;
                }
            }
        }
    });
    (Parts(receiver), encoder)
}

/// The state of the encoding.
#[derive(Default)]
pub(super) struct Encoder {
    failure: Arc<Mutex<Option<Error>>>,
}

impl Encoder {
    /// The error of a source, if that has ended the upload.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

pub(super) struct Parts(mpsc::Receiver<StoreRequest>);

impl Stream for Parts {
    type Item = StoreRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<StoreRequest>> {
        self.0.poll_recv(context)
    }
}

/// Why the encoding ended early.
enum Stop {
    NobodyListens,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn encode_table(
    header: StoreHeader,
    source: &dyn TableSource,
    parts: &mpsc::Sender<StoreRequest>,
) -> Result<(), Stop> {
    let send = |part| parts.blocking_send(StoreRequest { part: Some(part) }).map_err(|_| Stop::NobodyListens);
    send(Part::Header(header))?;
    let reader = source.open()?;
    let mut encoder = ChunkEncoder::new(&reader.schema(), EncodeOptions::default()).map_err(unsendable)?;
    let mut checksum = crc32fast::Hasher::new();
    let mut send_chunk = |chunk: Chunk| {
        checksum.update(&chunk.ipc);
        send(Part::Chunk(v1::Chunk { ipc: chunk.ipc, first_row: chunk.first_row, rows: chunk.rows }))
    };
    for batch in reader {
        for chunk in encoder.encode(&batch?).map_err(unsendable)? {
            send_chunk(chunk)?;
        }
    }
    let rows = encoder.next_row();
    send_chunk(encoder.finish())?;
    send(Part::Trailer(StoreTrailer { rows, crc32: checksum.finalize() }))
}

fn unsendable(error: polarway_ipc::Error) -> Error {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::new(ErrorKind::Input, format!("the table can't be sent: {error}{cause}")).caused_by(error)
}
