//! How much a property test tries.

use proptest::test_runner::{Config, RngSeed};

/// Whether the long suites are asked for: `cargo xtask test --long`.
pub fn is_long() -> bool {
    std::env::var_os("POLARWAY_TEST_LONG").is_some()
}

/// A property test that tries `cases` inputs, the same ones each time; in the long suites
/// `long_cases`, other ones each time. What fails is printed in its smallest form.
pub fn tries(cases: u32, long_cases: u32) -> Config {
    let config = Config { failure_persistence: None, ..Config::default() };
    if is_long() {
        Config { cases: long_cases, ..config }
    } else {
        Config { cases, rng_seed: RngSeed::Fixed(0x504F_4C41_5257_4159), ..config }
    }
}
