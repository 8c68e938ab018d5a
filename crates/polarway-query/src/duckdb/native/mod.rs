//! Owning types around DuckDB's C API. This is the only place with `unsafe`.
//!
//! The higher-level API of `duckdb-rs` panics if a fetch fails in mid-stream, so results are fetched here. Statements keep
//! their connection alive, results their statement, and connections their database: nothing here can outlive the object that it
//! points into.
//!
//! Text passed to [`Connection::execute`] and [`Connection::prepare`] runs unchanged. DuckDB executes all but the last
//! statement of a text while *preparing* it, so only our own text or text that the gate passed may be used here.

mod logical_type;
#[cfg(test)]
mod tests;
mod value;

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use duckdb::ffi;
use polarway_duckdb_files::{Files, NotRegistered};

pub(crate) use value::Value;

use super::result_types::Column;
use crate::queue::control::Interrupt;
use logical_type::LogicalType;

/// DuckDB's message, with its prefix (`Binder Error: …`), or an error at the interface to it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NativeError(pub(crate) String);

impl NativeError {
    /// The prefix of our own messages. DuckDB has no such kind: its internal errors mean that it can't be trusted any more.
    pub(crate) const OURS: &str = "Border";

    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        Self(format!("{} Error: {what}", Self::OURS))
    }
}

type Result<T> = std::result::Result<T, NativeError>;

/// The version of the DuckDB library that this process is linked to, such as `1.5.6`.
pub(crate) fn duckdb_version() -> String {
    // SAFETY: DuckDB gives a constant string that ends in NUL.
    let version = unsafe { CStr::from_ptr(ffi::duckdb_library_version()) };
    version.to_string_lossy().trim_start_matches('v').to_owned()
}

/// One in-memory DuckDB instance.
#[derive(Debug)]
pub(crate) struct Database {
    raw: ffi::duckdb_database,
}

// SAFETY: DuckDB documents its database object as usable from any thread at once.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    /// Opens an in-memory database with the given start-up options.
    pub(crate) fn open(options: &[(&str, &str)]) -> Result<Arc<Self>> {
        let mut config: ffi::duckdb_config = ptr::null_mut();
        // SAFETY: `config` is a valid place for the new object; it is destroyed below on every path.
        if unsafe { ffi::duckdb_create_config(&mut config) } != ffi::DuckDBSuccess {
            return Err(NativeError::internal("no configuration object"));
        }
        let opened = options
            .iter()
            .try_for_each(|(name, value)| {
                let (name_c, value_c) = (c_string(name)?, c_string(value)?);
                // SAFETY: `config` is alive and both strings end in NUL.
                match unsafe { ffi::duckdb_set_config(config, name_c.as_ptr(), value_c.as_ptr()) } {
                    ffi::DuckDBSuccess => Ok(()),
                    _ => Err(NativeError::internal(format!("DuckDB refuses the option {name}={value}"))),
                }
            })
            .and_then(|()| {
                let mut raw: ffi::duckdb_database = ptr::null_mut();
                let mut message: *mut c_char = ptr::null_mut();
                // SAFETY: a null path opens an in-memory database; the out-pointers are valid.
                let state = unsafe { ffi::duckdb_open_ext(ptr::null(), &mut raw, config, &mut message) };
                if state == ffi::DuckDBSuccess {
                    return Ok(Arc::new(Self { raw }));
                }
                // SAFETY: on failure DuckDB returns a message that must be freed with `duckdb_free`.
                let error = unsafe { message_of(message) };
                // SAFETY: see above; freeing null does nothing.
                unsafe { ffi::duckdb_free(message.cast()) };
                Err(error)
            });
        // SAFETY: `config` came from `duckdb_create_config` and is not used again.
        unsafe { ffi::duckdb_destroy_config(&mut config) };
        opened
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: every connection holds this object alive, so none is left.
        unsafe { ffi::duckdb_close(&mut self.raw) };
    }
}

#[derive(Debug)]
struct RawConnection {
    raw: ffi::duckdb_connection,
    _database: Arc<Database>,
}

// SAFETY: a connection may move between threads, and DuckDB takes the context's lock in each call.
unsafe impl Send for RawConnection {}
// SAFETY: as above.
unsafe impl Sync for RawConnection {}

impl Drop for RawConnection {
    fn drop(&mut self) {
        // SAFETY: statements and results hold this object alive, so none is left.
        unsafe { ffi::duckdb_disconnect(&mut self.raw) };
    }
}

impl Interrupt for RawConnection {
    fn interrupt(&self) {
        // SAFETY: the connection is alive; DuckDB only sets an atomic flag.
        unsafe { ffi::duckdb_interrupt(self.raw) };
    }
}

/// One session of a database: its own temporary views, one query at a time.
#[derive(Debug, Clone)]
pub(crate) struct Connection(Arc<RawConnection>);

impl Connection {
    pub(crate) fn open(database: &Arc<Database>) -> Result<Self> {
        let mut raw: ffi::duckdb_connection = ptr::null_mut();
        // SAFETY: the database is alive and the out-pointer valid.
        match unsafe { ffi::duckdb_connect(database.raw, &mut raw) } {
            ffi::DuckDBSuccess => Ok(Self(Arc::new(RawConnection { raw, _database: Arc::clone(database) }))),
            _ => Err(NativeError::internal("DuckDB opened no connection")),
        }
    }

    /// An object that stops the current query of this connection. A query that starts later is not stopped.
    pub(crate) fn to_interrupt(&self) -> Arc<dyn Interrupt> {
        Arc::clone(&self.0) as Arc<dyn Interrupt>
    }

    /// From now on the database reads all files whose paths begin with `prefix` through `files`.
    pub(crate) fn read_through(
        &self,
        prefix: &str,
        files: Arc<dyn Files>,
    ) -> std::result::Result<(), NotRegistered> {
        // SAFETY: the connection is open.
        unsafe { polarway_duckdb_files::register(self.0.raw, prefix, files) }
    }

    /// Runs trusted text, statement by statement, and drops its results.
    pub(crate) fn execute(&self, sql: &str) -> Result<()> {
        let sql = c_string(sql)?;
        let mut result = QueryResult::empty();
        // SAFETY: connection and text are alive; `result` destroys what DuckDB puts in, also after an error.
        match unsafe { ffi::duckdb_query(self.0.raw, sql.as_ptr(), &mut result.0) } {
            ffi::DuckDBSuccess => Ok(()),
            _ => Err(result.error()),
        }
    }

    /// Prepares trusted text, or text that the gate passed.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Prepared> {
        let sql = c_string(sql)?;
        let mut prepared = Prepared { raw: ptr::null_mut(), connection: self.clone() };
        // SAFETY: connection and text are alive; `prepared` destroys the statement, also after an error.
        match unsafe { ffi::duckdb_prepare(self.0.raw, sql.as_ptr(), &mut prepared.raw) } {
            ffi::DuckDBSuccess => Ok(prepared),
            // SAFETY: the statement object exists after a failure too and owns the message.
            _ => Err(unsafe { message_of(ffi::duckdb_prepare_error(prepared.raw)) }),
        }
    }

    /// The one text value of a trusted query's first row, `None` when it is NULL or there is no row.
    pub(crate) fn text(&self, sql: &str) -> Result<Option<String>> {
        self.prepare(sql)?.text(&[])
    }
}

/// A statement ready to run.
#[derive(Debug)]
pub(crate) struct Prepared {
    raw: ffi::duckdb_prepared_statement,
    connection: Connection,
}

// SAFETY: the statement belongs to one owner at a time and DuckDB ties it to no thread.
unsafe impl Send for Prepared {}

impl Drop for Prepared {
    fn drop(&mut self) {
        // SAFETY: the statement came from `duckdb_prepare`; null is accepted.
        unsafe { ffi::duckdb_destroy_prepare(&mut self.raw) };
    }
}

impl Prepared {
    /// Runs to the end with text parameters and returns the one value of the first row.
    pub(crate) fn text(&self, parameters: &[&str]) -> Result<Option<String>> {
        Ok(self.texts(parameters)?.into_iter().next().flatten())
    }

    /// Runs to the end with text parameters and returns the first column, which must be text.
    pub(crate) fn texts(&self, parameters: &[&str]) -> Result<Vec<Option<String>>> {
        for (index, value) in (1..).zip(parameters) {
            // SAFETY: the statement is alive; the length is that of the slice, and DuckDB copies it.
            let state = unsafe {
                ffi::duckdb_bind_varchar_length(self.raw, index, value.as_ptr().cast(), value.len() as u64)
            };
            if state != ffi::DuckDBSuccess {
                return Err(NativeError::internal("a parameter was not accepted"));
            }
        }
        let mut result = QueryResult::empty();
        // SAFETY: the statement is alive; `result` destroys what DuckDB puts in, also after an error.
        if unsafe { ffi::duckdb_execute_prepared(self.raw, &mut result.0) } != ffi::DuckDBSuccess {
            return Err(result.error());
        }
        let arrow_options = ArrowOptions::of(&self.connection);
        let types = ColumnTypes::of_statement(self);
        let schema = types.arrow_schema(&arrow_options)?;
        let mut texts = Vec::new();
        while let Some(batch) = result.fetch(&arrow_options, &schema)? {
            let Some(column) =
                batch.columns().first().and_then(|c| c.as_any().downcast_ref::<arrow::array::StringArray>())
            else {
                return Err(NativeError::internal("a text column was expected"));
            };
            texts.extend(column.iter().map(|text| text.map(str::to_owned)));
        }
        Ok(texts)
    }

    /// Sets the value of a parameter.
    pub(crate) fn bind(&mut self, name: &str, value: &Value) -> Result<()> {
        let name_c = c_string(name)?;
        let mut index = 0;
        // SAFETY: the statement, the name and the value are alive, and the out-pointer is valid; DuckDB copies the value.
        let bound = unsafe {
            ffi::duckdb_bind_parameter_index(self.raw, &mut index, name_c.as_ptr()) == ffi::DuckDBSuccess
                && ffi::duckdb_bind_value(self.raw, index, value.raw()) == ffi::DuckDBSuccess
        };
        if bound {
            Ok(())
        } else {
            Err(NativeError::internal(format!("the parameter ${name} took no value")))
        }
    }

    /// The statement's columns, if it has no parameters: with them, they may depend on the values. Nothing is started for it.
    pub(crate) fn column_types(&self) -> Option<ColumnTypes> {
        // SAFETY: the statement is alive.
        let has_parameters = unsafe { ffi::duckdb_nparams(self.raw) } > 0;
        (!has_parameters).then(|| ColumnTypes::of_statement(self))
    }

    /// Plans execution. An interrupt after this returns takes effect in [`Pending::start`].
    pub(crate) fn pending(self) -> Result<Pending> {
        let raw = RawPending(ptr::null_mut());
        let mut pending = Pending { _stop: StopOnDrop(self.connection.clone()), raw, prepared: self };
        // SAFETY: the statement is alive; `pending` destroys the object, also after an error.
        match unsafe { ffi::duckdb_pending_prepared_streaming(pending.prepared.raw, &mut pending.raw.0) } {
            ffi::DuckDBSuccess => Ok(pending),
            // SAFETY: the object exists after a failure too and owns the message.
            _ => Err(unsafe { message_of(ffi::duckdb_pending_error(pending.raw.0)) }),
        }
    }
}

/// Interrupts its connection when it is dropped.
///
/// DuckDB's threads work on a query from when it is planned, and when it is destroyed they first complete what they have begun,
/// which may take hours, unless it was interrupted. An interrupt after the end of a query has no effect on the next one, if that is
/// planned later: a query is dropped before its connection plans the next one.
#[derive(Debug)]
struct StopOnDrop(Connection);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.interrupt();
    }
}

/// A query that is planned but not yet started. Dropping it ends the query.
#[derive(Debug)]
pub(crate) struct Pending {
    // Fields drop in this order: first what ends the query, then the plan, then its statement.
    _stop: StopOnDrop,
    raw: RawPending,
    prepared: Prepared,
}

#[derive(Debug)]
struct RawPending(ffi::duckdb_pending_result);

impl Drop for RawPending {
    fn drop(&mut self) {
        // SAFETY: the object came from `duckdb_pending_prepared_streaming`; null is accepted.
        unsafe { ffi::duckdb_destroy_pending(&mut self.0) };
    }
}

impl Pending {
    /// Runs until the first rows are available.
    pub(crate) fn start(self) -> Result<Rows> {
        let Self { _stop, raw, prepared } = self;
        let arrow_options = ArrowOptions::of(&prepared.connection);
        let mut rows = Rows { _stop, result: QueryResult::empty(), arrow_options, raw, prepared };
        // SAFETY: the pending object is alive; `result` destroys what DuckDB puts in, also after an error.
        match unsafe { ffi::duckdb_execute_pending(rows.raw.0, &mut rows.result.0) } {
            ffi::DuckDBSuccess => Ok(rows),
            _ => Err(rows.result.error()),
        }
    }
}

/// The rows of a running query, DuckDB's chunk by chunk. Dropping it ends the query.
#[derive(Debug)]
pub(crate) struct Rows {
    // Fields drop in this order: first what ends the query, then the result, then what it reads from.
    _stop: StopOnDrop,
    result: QueryResult,
    arrow_options: ArrowOptions,
    raw: RawPending,
    prepared: Prepared,
}

impl Rows {
    /// The columns of the rows.
    pub(crate) fn column_types(&mut self) -> ColumnTypes {
        ColumnTypes::of_result(&mut self.result, &self.prepared.connection)
    }

    /// The next rows; `schema` is the Arrow form of the column types.
    pub(crate) fn next(&mut self, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        self.result.fetch(&self.arrow_options, schema)
    }

    /// Ends the query and returns its statement, which may run again.
    pub(crate) fn into_prepared(self) -> Prepared {
        let Self { result, arrow_options, raw, prepared, .. } = self;
        drop((result, arrow_options, raw));
        prepared
    }
}

#[derive(Debug)]
struct QueryResult(ffi::duckdb_result);

impl Drop for QueryResult {
    fn drop(&mut self) {
        // SAFETY: DuckDB accepts a zeroed result and one it filled, failed ones included.
        unsafe { ffi::duckdb_destroy_result(&mut self.0) };
    }
}

impl QueryResult {
    fn empty() -> Self {
        // SAFETY: the struct holds integers and pointers only, for which zero is the documented empty state.
        Self(unsafe { std::mem::zeroed() })
    }

    fn error(&mut self) -> NativeError {
        // SAFETY: the result is alive and owns the message.
        unsafe { message_of(ffi::duckdb_result_error(&mut self.0)) }
    }

    fn fetch(&mut self, options: &ArrowOptions, schema: &SchemaRef) -> Result<Option<RecordBatch>> {
        // SAFETY: the result is alive; the struct is passed by value but only its inner pointer is used.
        let chunk = Chunk(unsafe { ffi::duckdb_fetch_chunk(self.0) });
        if chunk.0.is_null() {
            // SAFETY: the result is alive and owns the message.
            let message = unsafe { ffi::duckdb_result_error(&mut self.0) };
            if message.is_null() {
                return Ok(None);
            }
            // SAFETY: just checked not to be null.
            return Err(unsafe { message_of(message) });
        }
        // SAFETY: the chunk is alive.
        let rows = unsafe { ffi::duckdb_data_chunk_get_size(chunk.0) } as usize;
        if rows == 0 {
            return Ok(None);
        }
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: both structs follow the Arrow C data interface; DuckDB fills `array` and hands it over.
        check(unsafe {
            ffi::duckdb_data_chunk_to_arrow(options.0, chunk.0, ptr::from_mut(&mut array).cast())
        })?;
        let data_type = DataType::Struct(schema.fields().clone());
        // SAFETY: DuckDB made the array for the types in the schema that it gave.
        let mut data = unsafe { from_ffi_and_data_type(array, data_type) }.map_err(NativeError::internal)?;
        // DuckDB aligns 16-byte values to 8, Arrow wants 16.
        data.align_buffers();
        let (_, columns, _) = StructArray::from(data).into_parts();
        let row_count = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &row_count)
            .map(Some)
            .map_err(NativeError::internal)
    }
}

struct Chunk(ffi::duckdb_data_chunk);

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: the chunk came from `duckdb_fetch_chunk`; null is accepted.
        unsafe { ffi::duckdb_destroy_data_chunk(&mut self.0) };
    }
}

/// How a connection converts its values to Arrow. It points into the connection, so its owner must keep the connection alive,
/// too.
#[derive(Debug)]
struct ArrowOptions(ffi::duckdb_arrow_options);

impl ArrowOptions {
    fn of(connection: &Connection) -> Self {
        let mut options: ffi::duckdb_arrow_options = ptr::null_mut();
        // SAFETY: the connection is alive and the out-pointer valid.
        unsafe { ffi::duckdb_connection_get_arrow_options(connection.0.raw, &mut options) };
        Self(options)
    }
}

impl Drop for ArrowOptions {
    fn drop(&mut self) {
        // SAFETY: the object came from `duckdb_connection_get_arrow_options`; null is accepted.
        unsafe { ffi::duckdb_destroy_arrow_options(&mut self.0) };
    }
}

// SAFETY: the options are plain data and a pointer to the connection's context, which has a lock.
unsafe impl Send for Rows {}

/// Names and DuckDB types of a statement's columns.
#[derive(Debug)]
pub(crate) struct ColumnTypes {
    names: Vec<CString>,
    types: Vec<LogicalType>,
    connection: Connection,
}

impl ColumnTypes {
    fn of_statement(prepared: &Prepared) -> Self {
        // SAFETY: the statement is alive.
        let count = unsafe { ffi::duckdb_prepared_statement_column_count(prepared.raw) };
        let (names, types) = (0..count)
            .map(|index| {
                // SAFETY: the index is in range; the name is a copy of ours to free.
                let name = unsafe {
                    let raw = ffi::duckdb_prepared_statement_column_name(prepared.raw, index);
                    let name =
                        if raw.is_null() { CString::default() } else { CStr::from_ptr(raw).to_owned() };
                    ffi::duckdb_free(raw.cast_mut().cast());
                    name
                };
                // SAFETY: the index is in range; the type is ours to destroy.
                let logical =
                    unsafe { ffi::duckdb_prepared_statement_column_logical_type(prepared.raw, index) };
                (name, LogicalType(logical))
            })
            .unzip();
        Self { names, types, connection: prepared.connection.clone() }
    }

    fn of_result(result: &mut QueryResult, connection: &Connection) -> Self {
        // SAFETY: the result is alive.
        let count = unsafe { ffi::duckdb_column_count(&mut result.0) };
        let (names, types) = (0..count)
            .map(|index| {
                // SAFETY: the index is in range; the name belongs to the result and is copied, the type is ours to destroy.
                unsafe {
                    let raw = ffi::duckdb_column_name(&mut result.0, index);
                    let name =
                        if raw.is_null() { CString::default() } else { CStr::from_ptr(raw).to_owned() };
                    (name, LogicalType(ffi::duckdb_column_logical_type(&mut result.0, index)))
                }
            })
            .unzip();
        Self { names, types, connection: connection.clone() }
    }

    /// The Arrow schema that batches will have.
    pub(crate) fn to_arrow(&self) -> Result<SchemaRef> {
        self.arrow_schema(&ArrowOptions::of(&self.connection))
    }

    fn arrow_schema(&self, options: &ArrowOptions) -> Result<SchemaRef> {
        let mut types: Vec<_> = self.types.iter().map(|logical| logical.0).collect();
        let mut names: Vec<_> = self.names.iter().map(|name| name.as_ptr()).collect();
        let mut schema = FFI_ArrowSchema::empty();
        // SAFETY: both lists have the given number of entries, all alive; DuckDB fills `schema` and hands it over.
        check(unsafe {
            ffi::duckdb_to_arrow_schema(
                options.0,
                types.as_mut_ptr(),
                names.as_mut_ptr(),
                types.len() as u64,
                ptr::from_mut(&mut schema).cast(),
            )
        })?;
        Schema::try_from(&schema).map(Arc::new).map_err(NativeError::internal)
    }

    /// The names and the types as plain data.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let names = self.names.iter().map(|name| name.to_string_lossy().into_owned());
        names.zip(self.types.iter().map(LogicalType::sql_type)).collect()
    }
}

fn c_string(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| NativeError::internal("text holds a NUL character"))
}

fn check(error: ffi::duckdb_error_data) -> Result<()> {
    if error.is_null() {
        return Ok(());
    }
    let mut error = error;
    // SAFETY: the error object is ours, owns its message and is destroyed after the message was copied.
    unsafe {
        let message = message_of(ffi::duckdb_error_data_message(error));
        ffi::duckdb_destroy_error_data(&mut error);
        Err(message)
    }
}

/// Copies a message from DuckDB.
///
/// # Safety
/// `message` is null or points to text that ends in NUL.
unsafe fn message_of(message: *const c_char) -> NativeError {
    if message.is_null() {
        return NativeError::internal("DuckDB failed without a message");
    }
    // SAFETY: not null, and the caller says that it ends in NUL.
    NativeError(unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned())
}
