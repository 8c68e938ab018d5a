//! Compiles the C++ side, with the headers of the DuckDB that is linked.

use std::env;
use std::path::{Path, PathBuf};

/// Where `cargo xtask libduckdb` put DuckDB's headers.
const HEADERS_VARIABLE: &str = "DUCKDB_HEADERS";

/// What `libduckdb-sys` says where it compiles DuckDB itself.
const BUNDLED_VARIABLE: &str = "DEP_DUCKDB_INCLUDE";

/// One of the headers that are needed. A release of DuckDB's C interface alone does not have it.
const NEEDED: &str = "duckdb/common/file_system.hpp";

fn main() {
    println!("cargo::rerun-if-changed=cpp");
    println!("cargo::rerun-if-env-changed={HEADERS_VARIABLE}");
    let Some(headers) = headers() else {
        println!(
            "cargo::error=DuckDB's C++ headers are not found: run `cargo xtask libduckdb`, or set {HEADERS_VARIABLE} \
             to the folder src/include of DuckDB's source"
        );
        return;
    };
    let mut build = cc::Build::new();
    build.cpp(true).std("c++11"); // the standard that DuckDB is compiled with
    // Warnings about DuckDB's headers are not ours.
    build.flag("-isystem").flag(headers).define("NDEBUG", None);
    build.file("cpp/files.cpp").compile("polarway_duckdb_files");
}

fn headers() -> Option<PathBuf> {
    // What is compiled is what is linked, whatever else lies around.
    let folders = [BUNDLED_VARIABLE, HEADERS_VARIABLE].into_iter().filter_map(env::var_os);
    folders.map(PathBuf::from).find(|folder| Path::join(folder, NEEDED).is_file())
}
