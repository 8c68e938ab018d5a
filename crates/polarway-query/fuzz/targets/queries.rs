//! Any text, sent to the query engine: it is answered or refused, and what is refused tells nothing.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use polarway_query_fuzz::{Bench, write_seeds};

static BENCH: LazyLock<Bench> = LazyLock::new(Bench::open);

fuzz_target!(
    init: {
        // libFuzzer reads its folder after this. It may also be given single texts, to run each once.
        if let Some(folder) = std::env::args().skip(1).find(|argument| Path::new(argument).is_dir()) {
            write_seeds(folder.as_ref(), &BENCH);
        }
    },
    |text: &str| BENCH.check(text)
);
