//! As much of DuckDB's C interface as the tests need.

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;

use libduckdb_sys as ffi;
use polarway_duckdb_files::{Files, NotRegistered, register};

/// A database in memory with one connection.
pub(crate) struct DuckDb {
    database: ffi::duckdb_database,
    connection: ffi::duckdb_connection,
}

// SAFETY: DuckDB locks a connection in each call.
unsafe impl Sync for DuckDb {}

impl DuckDb {
    pub(crate) fn open() -> Self {
        let (mut database, mut connection) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the places are valid, and a null path is a database in memory.
        unsafe {
            assert_eq!(ffi::duckdb_open(ptr::null(), &mut database), ffi::DuckDBSuccess);
            assert_eq!(ffi::duckdb_connect(database, &mut connection), ffi::DuckDBSuccess);
        }
        Self { database, connection }
    }

    pub(crate) fn register(&self, prefix: &str, files: Arc<dyn Files>) -> Result<(), NotRegistered> {
        // SAFETY: the connection is open.
        unsafe { register(self.connection, prefix, files) }
    }

    pub(crate) fn run(&self, sql: &str) -> Result<(), String> {
        self.query(sql).map(|_| ())
    }

    /// The first value of the result, as text.
    pub(crate) fn value(&self, sql: &str) -> Result<String, String> {
        self.query(&format!("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({sql})")).map(Option::unwrap_or_default)
    }

    pub(crate) fn interrupt(&self) {
        // SAFETY: the connection is open.
        unsafe { ffi::duckdb_interrupt(self.connection) };
    }

    fn query(&self, sql: &str) -> Result<Option<String>, String> {
        let sql = CString::new(sql).unwrap();
        // SAFETY: all zeros is an empty result; the connection is open; the result is destroyed once; texts are copied before.
        unsafe {
            let mut result: ffi::duckdb_result = std::mem::zeroed();
            let state = ffi::duckdb_query(self.connection, sql.as_ptr(), &mut result);
            let answer = match state {
                ffi::DuckDBSuccess => {
                    let text = ffi::duckdb_value_varchar(&mut result, 0, 0);
                    let copy = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned());
                    ffi::duckdb_free(text.cast());
                    Ok(copy)
                }
                _ => {
                    Err(CStr::from_ptr(ffi::duckdb_result_error(&mut result)).to_string_lossy().into_owned())
                }
            };
            ffi::duckdb_destroy_result(&mut result);
            answer
        }
    }
}

impl Drop for DuckDb {
    fn drop(&mut self) {
        // SAFETY: both were opened by `open`, and are not used any more.
        unsafe {
            ffi::duckdb_disconnect(&mut self.connection);
            ffi::duckdb_close(&mut self.database);
        }
    }
}
