//! Stores a table that comes in pieces. No thread is held between two pieces.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::{Stream, StreamExt as _};
use polarway_storage::{DatasetName, MemoryBudget, Published, Reservation, WriteOptions};
use polarway_table::arrow_bytes;

use crate::access::{Access, Action, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::polarway::Polarway;
use crate::store::{RowWriter, Waiter};
use crate::threads::drop_on_thread;

/// The most pieces that are read in one step.
const PIECES_AT_A_TIME: usize = 4;

/// With less in memory, in bytes, it does not pay to write rows into the file early.
const MUCH: u64 = 4 << 20;

/// When no piece has come for this long, the table gives memory back to others that need it.
const IDLE: Duration = Duration::from_secs(1);

/// Reads the rows of a table from its pieces. It is called on threads that may block.
pub trait PieceReader: Send + 'static {
    /// A piece of the table.
    type Piece: Send + 'static;

    /// What can be wrong with pieces.
    type Error: Send + 'static;

    /// The rows of the next piece.
    ///
    /// # Errors
    /// The piece is invalid. Nothing of the table is stored.
    fn read(&mut self, piece: Self::Piece) -> Result<Vec<RecordBatch>, Self::Error>;

    /// The table's columns, once a piece has had them. Rows come later.
    fn schema(&self) -> Option<&SchemaRef>;

    /// The memory that it keeps of the pieces so far, in bytes.
    fn kept_bytes(&self) -> u64 {
        0
    }

    /// Called after the last piece.
    ///
    /// # Errors
    /// The table is not complete. Nothing of it is stored.
    fn finish(&mut self) -> Result<(), Self::Error>;
}

/// Why a table that came in pieces is not stored.
#[derive(Debug)]
pub enum PiecesError<E> {
    /// Something is wrong with the pieces.
    Reader(E),
    /// They could not be stored.
    Engine(Error),
}

impl<E> From<Error> for PiecesError<E> {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

impl<E: fmt::Display> fmt::Display for PiecesError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reader(error) => error.fmt(f),
            Self::Engine(error) => error.fmt(f),
        }
    }
}

impl<E: StdError> StdError for PiecesError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Reader(error) => error.source(),
            Self::Engine(error) => error.source(),
        }
    }
}

impl Polarway {
    /// Stores a table that comes in pieces, each with a reservation of its memory in [`memory`](Self::memory). It uses a
    /// thread while there are pieces to read, and none while it waits. When memory is short, rows are written to the file
    /// early. If the future is dropped before it is ready, the dataset is unchanged.
    ///
    /// # Errors
    /// As [`store_with`](Self::store_with), and those of the reader.
    pub async fn store_pieces<R: PieceReader>(
        &self,
        name: &str,
        pieces: impl Stream<Item = (R::Piece, Reservation)> + Send,
        reader: R,
        options: WriteOptions,
    ) -> Result<Published, PiecesError<R::Error>> {
        let name = DatasetName::new(name).map_err(Error::from)?;
        // Before anything of it is read.
        self.authorize(Action::Write, Target::Dataset(&name))?;
        let access = self.access().clone();
        let (_waiting, waiter) = Waiter::waiting();
        let memory = self.memory().nothing();
        let mut store =
            Box::new(Store { access, name, options, waiter, reader, writer: None, memory, beside_bytes: 0 });
        let threads = &self.engine().threads;
        let mut pieces = std::pin::pin!(pieces.ready_chunks(PIECES_AT_A_TIME));
        loop {
            let pieces = tokio::select! {
                biased;
                pieces = pieces.next() => match pieces {
                    Some(pieces) => pieces,
                    None => break,
                },
                () = idle_and_short(self.memory()), if store.memory.bytes() > MUCH => Vec::new(),
            };
            let is_idle = pieces.is_empty();
            let written = threads.stores.run(move || {
                let written =
                    if is_idle { store.give_back().map_err(PiecesError::from) } else { store.write(pieces) };
                Ok(written.map(|()| store))
            });
            store = written.await??;
        }
        threads.publications.run(move || Ok(store.publish())).await?
    }
}

async fn idle_and_short(memory: &MemoryBudget) {
    tokio::time::sleep(IDLE).await;
    memory.shortage().await;
}

/// A table that is being stored.
struct Store<R> {
    access: Access,
    name: DatasetName,
    options: WriteOptions,
    waiter: Waiter,
    reader: R,
    /// Present once the columns are known.
    writer: Option<RowWriter>,
    /// The memory that it holds between two steps.
    memory: Reservation,
    /// The memory of pieces beyond their rows. It is held as long as the rows are.
    beside_bytes: u64,
}

impl<R: PieceReader> Store<R> {
    fn write(&mut self, pieces: Vec<(R::Piece, Reservation)>) -> Result<(), PiecesError<R::Error>> {
        for (piece, memory) in pieces {
            let held_before = self.held_bytes();
            let batches = self.reader.read(piece).map_err(PiecesError::Reader)?;
            let rows_bytes = batches.iter().map(arrow_bytes).sum();
            self.beside_bytes += memory.bytes().saturating_sub(rows_bytes);
            self.memory.add(memory);
            let Some(schema) = self.reader.schema() else { continue };
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let (waiter, schema) = (self.waiter.clone(), Arc::clone(schema));
                    let begun = RowWriter::begin(&self.access, waiter, &self.name, schema, self.options);
                    self.writer.insert(begun?)
                }
            };
            for batch in &batches {
                writer.write(batch)?;
            }
            if self.held_bytes() < held_before {
                self.beside_bytes = 0; // a row group went to the file, with the pieces that it came in
            }
        }
        if !self.memory.resize(self.held_bytes()) && self.memory.bytes() > MUCH {
            self.give_back()?;
        }
        Ok(())
    }

    fn held_bytes(&self) -> u64 {
        let rows_bytes = self.writer.as_ref().map_or(0, RowWriter::held_bytes);
        rows_bytes + self.beside_bytes + self.reader.kept_bytes()
    }

    fn give_back(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.flush()?;
            self.beside_bytes = 0;
        }
        self.memory.resize(self.held_bytes());
        Ok(())
    }

    fn publish(mut self) -> Result<Published, PiecesError<R::Error>> {
        self.reader.finish().map_err(PiecesError::Reader)?;
        let unknown =
            || Error::new(ErrorKind::InvalidInput, "the table has ended before its columns were known");
        let writer = self.writer.take().ok_or_else(unknown)?;
        Ok(writer.publish()?)
    }
}

impl<R> Drop for Store<R> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // This removes what it has written.
            drop_on_thread(writer);
        }
    }
}
