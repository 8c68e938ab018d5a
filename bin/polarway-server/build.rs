//! Lets the program find libduckdb beside itself, wherever it is put.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let beside = match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("macos") => "@loader_path",
        Ok("windows") => return, // which looks there by itself
        _ => "$ORIGIN",
    };
    println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{beside}");
}
