//! What strangers may send, mutated without end: SQL, Arrow streams, Parquet files and the messages of the protocol. Whatever
//! comes, it is taken or refused, in bounded memory.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what panics here is a finding")]

pub mod ipc;
pub mod parquet;
pub mod protobuf;
pub mod sql;
mod tables;

use std::panic::{UnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use polarway_testing::CountedMemory;

/// More than anything needs that the targets do: the largest page of a Parquet file, twice, on two threads. An allocation beyond
/// it ends the process, which is a finding.
#[global_allocator]
static MEMORY: CountedMemory = CountedMemory::limited_to(6 << 30);

/// The folder that libFuzzer reads first, and keeps in what it finds useful. It may be given single files instead, to run
/// each once.
pub fn corpus_folder() -> Option<PathBuf> {
    std::env::args().skip(1).map(PathBuf::from).find(|argument| argument.is_dir())
}

/// Begins a target: what it starts with is written into the corpus, and panics that are caught are none of libFuzzer's
/// business, whose own hook would end the process.
pub fn begin(write_seeds: fn(&Path)) {
    set_hook(Box::new(|panic| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    if let Some(folder) = corpus_folder() {
        write_seeds(&folder);
    }
}

/// Runs a check. A panic that comes out of it is a finding; one that is caught inside, as those of the Parquet decoder are, is
/// none.
pub fn run(check: impl FnOnce() + UnwindSafe) {
    if catch_unwind(check).is_err() {
        eprintln!("{}", LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner));
        std::process::abort();
    }
}

/// What the last panic said.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());
