//! What can go wrong.

use arrow_schema::{ArrowError, DataType};

/// The result of this crate's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a table could not be encoded or decoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A batch has other columns than the table it should become part of.
    #[error("the batch does not fit the table's schema: {0}")]
    SchemaMismatch(String),
    /// A single row is larger than a chunk may be.
    #[error("row {row} takes {bytes} bytes, but a row can have at most {max_bytes}")]
    RowTooLarge {
        /// The row's number in the table.
        row: u64,
        /// What it takes, in bytes.
        bytes: usize,
        /// The most it may take, in bytes.
        max_bytes: usize,
    },
    /// A dictionary that has to travel whole is larger than a chunk may be.
    #[error("a dictionary takes {bytes} bytes, but one can have at most {max_bytes}")]
    DictionaryTooLarge {
        /// What it takes, in bytes.
        bytes: usize,
        /// The most it may take, in bytes.
        max_bytes: usize,
    },
    /// Arrow IPC has no way to write a column of this type.
    #[error("column {column:?} has the type {data_type}, which an Arrow stream can't hold")]
    UnsupportedType {
        /// The column, with the path to the field inside it.
        column: String,
        /// The type that can't be written.
        data_type: DataType,
    },
    /// A column is nested deeper than readers go.
    #[error("column {column:?} is nested more than {max_depth} types deep")]
    TooDeep {
        /// The column.
        column: String,
        /// How deep a column may be nested.
        max_depth: usize,
    },
    /// Batches of a table with dictionaries depend on each other and can't be encoded one by one.
    #[error("column {column:?} is dictionary encoded: its batches must be encoded in order, by one encoder")]
    HasDictionaries {
        /// The column, with the path to the field inside it.
        column: String,
    },
    /// Arrow could not write a batch.
    #[error("could not write the Arrow stream")]
    Encode(#[source] ArrowError),

    /// Chunks do not follow each other without holes and overlaps.
    #[error("a chunk starts at row {found}, where row {expected} comes next")]
    NotContiguous {
        /// The row that should have come.
        expected: u64,
        /// The row that came.
        found: u64,
    },
    /// A row after the end of the table was asked for.
    #[error("there is no row {row}: the table has {rows} rows")]
    RowOutOfRange {
        /// The row that was asked for.
        row: u64,
        /// How many rows there are.
        rows: u64,
    },

    /// The bytes do not start as an Arrow IPC stream does.
    #[error("these bytes are not an Arrow IPC stream")]
    NotArrow,
    /// The stream's numbers have their bytes in the order of big-endian machines.
    #[error(
        "the bytes of its numbers are in big-endian order, which is not read: write it in little-endian order, as \
         pyarrow does with what it has read"
    )]
    BigEndian,
    /// The stream ended before its schema.
    #[error("the stream ended before its schema")]
    NoSchema,
    /// The stream ended inside a message.
    #[error("the stream ended in the middle of a message")]
    Truncated,
    /// There are bytes after the end of the stream.
    #[error("there are bytes after the end of the stream")]
    AfterEnd,
    /// The stream declares something larger than the limits allow.
    #[error("the stream declares {what} of {declared}, but the limit is {limit}")]
    LimitExceeded {
        /// What is too large.
        what: &'static str,
        /// How large it is declared to be.
        declared: u64,
        /// How large it may be.
        limit: u64,
    },
    /// Rows name the same long values again and again: written out they would take more than the limits
    /// allow.
    #[error(
        "{what} would take {bytes} bytes with every value written out, but the limit is {limit}: send fewer rows in \
         one batch"
    )]
    MeansTooMuch {
        /// What would take so much.
        what: String,
        /// How much it would take.
        bytes: u64,
        /// How much it may take.
        limit: u64,
    },
    /// The stream contradicts the Arrow IPC format, or itself.
    #[error("malformed Arrow stream: {0}")]
    Malformed(String),
    /// The values of a column break the rules of its type.
    #[error("column {column:?} is invalid")]
    InvalidColumn {
        /// The column's name.
        column: String,
        /// Which rule it breaks.
        #[source]
        source: ArrowError,
    },
    /// The columns of a batch do not make up a batch of the stream's schema.
    #[error("a batch does not fit the schema of its stream")]
    InvalidBatch(#[source] ArrowError),
    /// The decoder was used again after it had failed.
    #[error("the stream failed before")]
    Failed,
}

impl Error {
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::Malformed(message.into())
    }
}
