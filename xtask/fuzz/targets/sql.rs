//! Any text, sent to the query engine: it is answered or refused, and what is refused tells nothing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use polarway_fuzz::corpus_folder;
use polarway_fuzz::sql::{Bench, write_seeds};

static BENCH: LazyLock<Bench> = LazyLock::new(Bench::open);

fuzz_target!(
    init: {
        if let Some(folder) = corpus_folder() {
            write_seeds(&folder, &BENCH);
        }
    },
    |text: &str| BENCH.check(text)
);
