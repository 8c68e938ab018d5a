//! The Rust side of `cpp/files.h`, with all `unsafe` code of this crate.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{ptr, slice};

use libduckdb_sys as ffi;

use crate::{Files, NotRegistered, OpenError, OpenFile, ReadError, RunningQuery};

/// A connection of DuckDB's C interface.
pub type Connection = ffi::duckdb_connection;

/// How a call ended: `polarway_status`.
type Status = i32;
const OK: Status = 0;
const FAILED: Status = 1;
const ABSENT: Status = 2;
const INTERRUPTED: Status = 3;

/// `polarway_text`.
#[repr(C)]
struct Text {
    bytes: *mut c_char,
    capacity: usize,
    length: usize,
}

impl Text {
    /// Writes a text, as much of it as there is space for.
    ///
    /// # Safety
    /// `bytes` points to `capacity` bytes that nobody else uses.
    unsafe fn write(&mut self, text: &str) {
        let length = text.floor_char_boundary(self.capacity);
        // SAFETY: the space is the caller's own, and is long enough.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), self.bytes.cast(), length) };
        self.length = length;
    }
}

type IsInterrupted = unsafe extern "C" fn(query: *const c_void) -> bool;

/// `polarway_files`.
#[repr(C)]
struct Functions {
    open: unsafe extern "C" fn(*mut c_void, *const c_char, usize, *mut *mut c_void, *mut Text) -> Status,
    bytes: unsafe extern "C" fn(*const c_void) -> u64,
    version: unsafe extern "C" fn(*const c_void, *mut Text),
    read: unsafe extern "C" fn(
        *const c_void,
        u64,
        *mut u8,
        usize,
        IsInterrupted,
        *const c_void,
        *mut Text,
    ) -> Status,
    close: unsafe extern "C" fn(*mut c_void),
    release: unsafe extern "C" fn(*mut c_void),
}

const FUNCTIONS: Functions = Functions { open, bytes, version, read, close, release };

unsafe extern "C" {
    fn polarway_compiled_duckdb_version() -> *const c_char;

    fn polarway_register_files(
        connection: *mut c_void,
        prefix: *const c_char,
        prefix_length: usize,
        functions: *const Functions,
        files: *mut c_void,
        message: *mut Text,
    ) -> Status;
}

/// What C++ holds of the files, and of one that is open. A pointer to a trait object is too wide for it.
struct HeldFiles(Arc<dyn Files>);
struct HeldFile(Arc<dyn OpenFile>);

/// From now on the database of this connection reads each file whose path begins with `prefix` through `files`, until it is
/// closed.
///
/// # Errors
/// DuckDB has another version than the one that this crate was compiled for, or refuses.
///
/// # Safety
/// The connection is open.
pub unsafe fn register(
    connection: Connection,
    prefix: &str,
    files: Arc<dyn Files>,
) -> Result<(), NotRegistered> {
    // SAFETY: both give constant strings that end in NUL.
    let [compiled, linked] = unsafe { [polarway_compiled_duckdb_version(), ffi::duckdb_library_version()] }
        // SAFETY: as above.
        .map(|version| unsafe { CStr::from_ptr(version) }.to_string_lossy());
    same_version(&compiled, &linked)?;
    let mut space = [0; 512];
    let mut message = Text { bytes: space.as_mut_ptr(), capacity: space.len(), length: 0 };
    let held = Box::into_raw(Box::new(HeldFiles(files)));
    // SAFETY: the connection is open and of the DuckDB that C++ was compiled for; `held` is taken over in any case, and comes
    // back to `release` once; the other pointers are valid during the call.
    let status = unsafe {
        polarway_register_files(
            connection.cast(),
            prefix.as_ptr().cast(),
            prefix.len(),
            &FUNCTIONS,
            held.cast(),
            &mut message,
        )
    };
    if status == OK {
        return Ok(());
    }
    // SAFETY: C++ wrote so many bytes into the space.
    let said = unsafe { slice::from_raw_parts(message.bytes.cast::<u8>(), message.length) };
    Err(NotRegistered::Refused(String::from_utf8_lossy(said).into_owned()))
}

/// Compares versions as DuckDB writes them, with or without the `v`.
fn same_version(compiled: &str, linked: &str) -> Result<(), NotRegistered> {
    let [compiled, linked] = [compiled, linked].map(|version| version.trim_start_matches('v'));
    match compiled == linked {
        true => Ok(()),
        false => {
            Err(NotRegistered::OtherVersion { compiled: compiled.to_owned(), linked: linked.to_owned() })
        }
    }
}

/// Runs what DuckDB asks for. A panic must not cross into C++, so it becomes an error.
fn fenced<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        format!("reading panicked: {said}")
    })
}

/// # Safety
/// `files` is what was registered, `path` has so many bytes, and the other pointers are places for the results.
unsafe extern "C" fn open(
    files: *mut c_void,
    path: *const c_char,
    path_length: usize,
    file: *mut *mut c_void,
    message: *mut Text,
) -> Status {
    // SAFETY: as the caller promises.
    let (files, path, message) = unsafe {
        (&*files.cast::<HeldFiles>(), slice::from_raw_parts(path.cast(), path_length), &mut *message)
    };
    let opened = fenced(|| match str::from_utf8(path) {
        Ok(path) => files.0.open(path),
        Err(_) => Err(OpenError::Absent),
    });
    let (status, said) = match opened {
        Ok(Ok(opened)) => {
            // SAFETY: as the caller promises.
            unsafe { *file = Box::into_raw(Box::new(HeldFile(opened))).cast() };
            return OK;
        }
        Ok(Err(OpenError::Absent)) => (ABSENT, "there is no such file".to_owned()),
        Ok(Err(OpenError::Failed(said))) | Err(said) => (FAILED, said),
    };
    // SAFETY: as the caller promises.
    unsafe { message.write(&said) };
    status
}

/// # Safety
/// `file` is open.
unsafe extern "C" fn bytes(file: *const c_void) -> u64 {
    // SAFETY: as the caller promises.
    let file = unsafe { &*file.cast::<HeldFile>() };
    fenced(|| file.0.bytes()).unwrap_or_default()
}

/// # Safety
/// `file` is open, and `version` is a place for text.
unsafe extern "C" fn version(file: *const c_void, version: *mut Text) {
    // SAFETY: as the caller promises.
    let (file, place) = unsafe { (&*file.cast::<HeldFile>(), &mut *version) };
    let version = fenced(|| file.0.version().to_owned()).unwrap_or_default();
    // SAFETY: as the caller promises.
    unsafe { place.write(&version) };
}

/// # Safety
/// `file` is open, `into` is a place for so many bytes, `is_interrupted` may be called with `query`, and `message` is a place for
/// text.
unsafe extern "C" fn read(
    file: *const c_void,
    offset: u64,
    into: *mut u8,
    length: usize,
    is_interrupted: IsInterrupted,
    query: *const c_void,
    message: *mut Text,
) -> Status {
    if length == 0 {
        return OK; // a place for nothing may be null
    }
    // SAFETY: as the caller promises. DuckDB allocates without setting bytes; any byte is a valid one.
    let (file, into) = unsafe { (&*file.cast::<HeldFile>(), slice::from_raw_parts_mut(into, length)) };
    // SAFETY: as the caller promises, while this call runs.
    let is_interrupted = || unsafe { is_interrupted(query) };
    let status = fenced(|| file.0.read_at(offset, into, &RunningQuery::new(&is_interrupted)));
    let said = match status {
        Ok(Ok(())) => return OK,
        Ok(Err(ReadError::Interrupted)) => return INTERRUPTED,
        Ok(Err(ReadError::Failed(said))) | Err(said) => said,
    };
    // SAFETY: as the caller promises.
    unsafe { (*message).write(&said) };
    FAILED
}

/// # Safety
/// `file` is open, and not used any more.
unsafe extern "C" fn close(file: *mut c_void) {
    // SAFETY: it came from `open`, and this is its end.
    let file = unsafe { Box::from_raw(file.cast::<HeldFile>()) };
    let _ = fenced(|| drop(file));
}

/// # Safety
/// `files` is what was registered, and is not used any more.
unsafe extern "C" fn release(files: *mut c_void) {
    // SAFETY: it came from `register`, and this is its end.
    let files = unsafe { Box::from_raw(files.cast::<HeldFiles>()) };
    let _ = fenced(|| drop(files));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_of_duckdb_is_refused_and_both_are_named() {
        assert_eq!(same_version("v1.5.6", "v1.5.6"), Ok(()));
        for linked in ["v1.5.7", "1.5.60", "v1.5.6-dev12", ""] {
            let error = same_version("v1.5.6", linked).unwrap_err().to_string();
            assert!(error.contains("1.5.6") && error.contains(linked.trim_start_matches('v')), "{error}");
        }
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut space = [0; 4];
        let mut text = Text { bytes: space.as_mut_ptr(), capacity: space.len(), length: 0 };
        // SAFETY: the space is there, and only used here.
        unsafe { text.write("aäöü") };
        assert_eq!(text.length, 3);
    }
}
