//! Storing a table that comes in pieces: between two of them no thread is held.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::{Stream, StreamExt as _};
use polarway_storage::{DatasetName, Published, Tables, WriteOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::polarway::{EngineParts, Polarway};
use crate::store::{Caller, RowWriter};
use crate::threads::{PUBLICATIONS, STORES, drop_on_thread};

/// Pieces that are read in one go, if they are there.
const PIECES_AT_A_TIME: usize = 4;

/// Makes rows of the pieces in which a table comes. It is called on threads that may block.
pub trait PieceReader: Send + 'static {
    /// What the table comes in.
    type Piece: Send + 'static;

    /// The rows of the next piece.
    ///
    /// # Errors
    /// What is wrong with it. Nothing of the table is stored then.
    fn read(&mut self, piece: Self::Piece) -> Result<Vec<RecordBatch>, ArrowError>;

    /// The table's columns, once a piece has told them. There are no rows before.
    fn schema(&self) -> Option<&SchemaRef>;

    /// Called behind the last piece.
    ///
    /// # Errors
    /// Why this is not all of the table. Nothing of it is stored then.
    fn finish(&mut self) -> Result<(), ArrowError>;
}

impl Polarway {
    /// Stores a table that comes in pieces. It takes a thread for as long as there are pieces to work on, and waits for
    /// more without one. Dropped before it is ready, it leaves the dataset as it was.
    ///
    /// # Errors
    /// As [`store_with`](Self::store_with), and the reader's own.
    pub async fn store_pieces<R: PieceReader>(
        &self,
        name: &str,
        pieces: impl Stream<Item = R::Piece> + Send,
        reader: R,
        options: WriteOptions,
    ) -> Result<Published> {
        let name = DatasetName::new(name)?;
        let engine = Arc::clone(self.shared_engine());
        let (_waiting, caller) = Caller::waiting();
        let mut store = Box::new(Store { engine, name, options, caller, reader, writer: None });
        let mut pieces = std::pin::pin!(pieces.ready_chunks(PIECES_AT_A_TIME));
        while let Some(pieces) = pieces.next().await {
            let written = STORES.run(move || {
                store.write(pieces)?;
                Ok(store)
            });
            store = written.await?;
        }
        PUBLICATIONS.run(move || store.publish()).await
    }
}

/// A table on its way.
struct Store<R> {
    engine: Arc<EngineParts>,
    name: DatasetName,
    options: WriteOptions,
    caller: Caller,
    reader: R,
    /// From where the columns are known until the end.
    writer: Option<RowWriter<Arc<Tables>>>,
}

impl<R: PieceReader> Store<R> {
    fn write(&mut self, pieces: Vec<R::Piece>) -> Result<()> {
        for piece in pieces {
            let batches = self.reader.read(piece)?;
            let Some(schema) = self.reader.schema() else { continue };
            let writer = match &mut self.writer {
                Some(writer) => writer,
                None => {
                    let tables = &self.engine.tables;
                    let begin = |schema| tables.shared_writer(&self.name, schema, self.options);
                    self.writer.insert(RowWriter::begin(Arc::clone(schema), self.caller.clone(), begin)?)
                }
            };
            for batch in &batches {
                writer.write(batch)?;
            }
        }
        Ok(())
    }

    fn publish(mut self) -> Result<Published> {
        self.reader.finish()?;
        match self.writer.take() {
            Some(writer) => writer.publish(),
            None => {
                Err(Error::new(ErrorKind::InvalidInput, "the table has ended before its columns were known"))
            }
        }
    }
}

impl<R> Drop for Store<R> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // What it has written is removed.
            drop_on_thread(writer);
        }
    }
}
