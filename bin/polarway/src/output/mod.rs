//! Writes rows as they arrive, in any format.

mod csv;
mod json;
mod parquet;
mod plan;
mod table;

use std::io::{self, Write};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use crate::failure::{Failure, with_causes};
use crate::format::OutputFormat;
pub(crate) use table::{Shape, draw, grouped, timed_rows, type_name};

/// The sink of the bytes.
pub(crate) type Sink = Box<dyn Write + Send>;

/// Why rows can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("can't write: {0}")]
    Write(#[from] io::Error),
    #[error("can't write these rows: {0}")]
    Rows(ArrowError),
    #[error("can't write these rows as Parquet: {0}")]
    Parquet(polarway_parquet::Error),
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        let message = with_causes(&error);
        if error.is_closed_pipe() { Self::closed_pipe(message) } else { Self::new(message) }
    }
}

impl OutputError {
    /// Whether the reader has closed our output.
    fn is_closed_pipe(&self) -> bool {
        match self {
            Self::Write(error) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Parquet(polarway_parquet::Error::Write(error)) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::Rows(_) | Self::Parquet(_) => false,
        }
    }
}

impl From<ArrowError> for OutputError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, error) => Self::Write(error),
            ArrowError::CsvError(words) if words.contains("Broken pipe") => {
                Self::Write(io::ErrorKind::BrokenPipe.into())
            }
            other => Self::Rows(other),
        }
    }
}

/// Writes rows in one format.
pub(crate) enum Writer {
    Table(table::Drawing),
    Plan(plan::Plan),
    Csv(Box<csv::Csv>),
    Json(json::JsonLines),
    Arrow(StreamWriter<Sink>),
    Parquet(Box<parquet::Parquet>),
}

impl Writer {
    /// Begins a file with these columns. `shape` is for drawn tables.
    pub(crate) fn start(
        format: OutputFormat,
        schema: &SchemaRef,
        sink: Sink,
        shape: Shape,
    ) -> Result<Self, OutputError> {
        Ok(match format {
            OutputFormat::Table if plan::Plan::has_columns(schema) => Self::Plan(plan::Plan::new(sink)),
            OutputFormat::Table => Self::Table(table::Drawing::new(schema, sink, shape)),
            OutputFormat::Csv => Self::Csv(Box::new(csv::Csv::new(schema, sink)?)),
            OutputFormat::Json => Self::Json(json::JsonLines::new(sink)),
            OutputFormat::Arrow => Self::Arrow(StreamWriter::try_new(sink, schema)?),
            OutputFormat::Parquet => Self::Parquet(Box::new(parquet::Parquet::new(schema, sink)?)),
        })
    }

    /// Writes the next rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        match self {
            Self::Table(drawing) => drawing.add(batch),
            Self::Plan(plan) => plan.write(batch),
            Self::Csv(csv) => csv.write(batch),
            Self::Json(json) => json.write(batch),
            Self::Arrow(stream) => Ok(stream.write(batch)?),
            Self::Parquet(file) => file.write(batch),
        }
    }

    /// Ends the file, and returns the sink with all that was written to it.
    pub(crate) fn finish(self) -> Result<Sink, OutputError> {
        self.end(None)
    }

    /// As [`finish`](Self::finish); a drawn table shows this time.
    pub(crate) fn finish_after(self, took: Duration) -> Result<Sink, OutputError> {
        self.end(Some(took))
    }

    fn end(self, took: Option<Duration>) -> Result<Sink, OutputError> {
        let mut sink = match self {
            Self::Table(drawing) => drawing.finish(took)?,
            Self::Plan(plan) => plan.finish(took)?,
            Self::Csv(csv) => csv.finish(),
            Self::Json(json) => json.finish()?,
            Self::Arrow(stream) => stream.into_inner()?,
            Self::Parquet(file) => file.finish()?,
        };
        sink.flush()?;
        Ok(sink)
    }
}

#[cfg(test)]
mod tests;
