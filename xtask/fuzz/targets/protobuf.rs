//! Any bytes, taken for messages of the protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use polarway_fuzz::protobuf::{check, write_seeds};
use polarway_fuzz::{begin, run};

fuzz_target!(
    init: { begin(write_seeds) },
    |bytes: &[u8]| run(|| check(bytes))
);
