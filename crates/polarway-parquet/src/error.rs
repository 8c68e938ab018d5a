//! What can go wrong, one variant per thing that a caller could tell apart.

use std::io;

use arrow_schema::DataType;
use parquet::errors::ParquetError;

/// Why a schema can't be held by a Parquet file without loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Parquet, or a reader of it, would give back something else than this type.
    #[error("column `{column}` has type {data_type}, which Parquet can't hold without loss")]
    Type {
        /// The column's path, its parts joined with dots: `trip.stops.item`.
        column: String,
        /// The type that does not fit: the innermost one, not that of the whole column.
        data_type: DataType,
    },
    /// Two columns, or two fields of one struct, have the same name.
    #[error("column `{column}` stands twice in the schema")]
    DuplicateColumn {
        /// The path that both have.
        column: String,
    },
    /// The schema has no columns, so that no file could say how many rows there are.
    #[error("a table needs at least one column")]
    NoColumns,
}

/// What can go wrong while a table is encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The schema does not fit into Parquet.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A batch that was written has another schema than the encoder was made for.
    #[error("the batch does not fit the table: {difference}")]
    BatchSchema {
        /// The first difference, in words, with the column's name.
        difference: String,
    },
    /// A value is larger than the configured limit.
    #[error("the value in column `{column}`, row {row}, is larger than {limit_bytes} bytes")]
    CellTooLarge {
        /// The top-level column.
        column: String,
        /// The row, counted from the first row that the encoder was given.
        row: u64,
        /// The limit that it broke.
        limit_bytes: u64,
    },
    /// A decimal has more digits than its type's precision: a file would hold another number.
    #[error("the decimal in column `{column}`, row {row}, has more digits than its type allows")]
    DecimalOutOfRange {
        /// The top-level column.
        column: String,
        /// The row, counted from the first row that the encoder was given.
        row: u64,
    },
    /// The sink refused bytes.
    #[error("can't write the file")]
    Write(#[source] io::Error),
    /// The encoder itself failed.
    #[error("can't encode the table")]
    Encode(#[source] ParquetError),
    /// The encoder was used again after an error. What its sink holds is no file.
    #[error("the encoder failed before")]
    EncoderFailed,
    /// The file's bytes could not be fetched.
    #[error("can't read the file")]
    Read(#[source] io::Error),
    /// The file does not start like a Parquet file.
    #[error("the file is not a Parquet file")]
    NotParquet,
    /// The file is an encrypted Parquet file: its footer, or some columns.
    #[error("the Parquet file is encrypted, which is not read")]
    Encrypted,
    /// The file starts like a Parquet file and ends too early.
    #[error("the Parquet file is truncated")]
    Truncated,
    /// The file's bytes contradict themselves.
    #[error("the Parquet file is corrupt: {detail}")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// A wanted column is not in the file.
    #[error("the file has no column `{column}`")]
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// A wanted column has another type in the file.
    #[error("column `{column}` is {found} in the file, not {wanted}")]
    ColumnType {
        /// The column.
        column: String,
        /// The type that was asked for.
        wanted: DataType,
        /// The type that the file's column is read as.
        found: DataType,
    },
    /// A timestamp of the file reaches further, or is finer, than the type that its column is read as.
    #[error(
        "column `{column}` holds a time (INT96) that {data_type} can't: it reaches too far, or is too fine"
    )]
    TimeOutOfRange {
        /// The top-level column.
        column: String,
        /// The type that the column is read as.
        data_type: DataType,
    },
    /// One of several files could not be read.
    #[error("file {index} of the table can't be read")]
    InFile {
        /// The file's place in the list that was given, from 0.
        index: usize,
        /// What is wrong with it.
        source: Box<Error>,
    },
}

impl Error {
    /// An end that came too early is the file's fault; every other error is that of whatever holds it.
    pub(crate) fn from_reading(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ => Self::Read(error),
        }
    }

    pub(crate) fn corrupt(detail: impl ToString) -> Self {
        Self::Corrupt { detail: detail.to_string() }
    }

    pub(crate) fn in_file(self, index: usize) -> Self {
        Self::InFile { index, source: Box::new(self) }
    }
}
