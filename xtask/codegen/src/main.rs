//! What `cargo xtask codegen` runs: messages and client in Rust, the descriptors for reflection, and the messages of the
//! Python client, out of the protocol's definition.
//!
//! It is a program of its own because a compiler of protobuf is more than everyone should have to build for `cargo xtask`.

mod python;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, ensure};
use prost_build::Config;
use prost_types::FileDescriptorSet;
use protox::Compiler;
use protox::prost::Message as _;

/// The descriptors, as a serialized `google.protobuf.FileDescriptorSet`.
const DESCRIPTORS: &str = "descriptors.bin";

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [proto, grpc, crate_root, rust, python, python_tests] = arguments.as_slice() else {
        eprintln!(
            "usage: polarway-codegen PROTO_FOLDER GRPC_FOLDER CRATE_ROOT RUST_FOLDER PYTHON_FOLDER PYTHON_TESTS_FOLDER"
        );
        return ExitCode::from(2);
    };
    let python = || generate_python([proto, grpc], crate_root, python, python_tests);
    match generate_rust(proto, rust).and_then(|()| python()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate_rust(proto: &Path, output: &Path) -> Result<()> {
    let mut descriptors = compile(&[proto])?;

    let mut config = Config::new();
    // Bytes share the buffer they were received in; maps are ordered, so that equal messages have equal bytes.
    config.bytes(["."]).btree_map(["."]).out_dir(output);
    // How to connect is for the client to say: here it would only bring the network in. The server takes and sends messages
    // in its own way.
    let services =
        tonic_prost_build::configure().build_transport(false).build_server(false).service_generator();
    config.service_generator(services).compile_fds(descriptors.clone()).context("generating Rust")?;

    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    let path = output.join(DESCRIPTORS);
    fs::write(&path, descriptors.encode_to_vec()).with_context(|| format!("writing {}", path.display()))
}

/// From the protocol's definition, and from what gRPC defines (a status's details, health), which Rust has from a library. The
/// protocol's revision is in the root of the crate `polarway-proto`.
fn generate_python([proto, grpc]: [&Path; 2], crate_root: &Path, modules: &Path, tests: &Path) -> Result<()> {
    let descriptors = compile(&[proto, grpc])?;
    let sources = python::Sources {
        descriptors: &descriptors,
        reasons: &proto.join("cases").join("reasons.json"),
        crate_root,
    };
    python::generate(&sources, modules, tests)
}

/// The descriptors of all `.proto` files in these folders, with their comments, which become the documentation.
fn compile(folders: &[&Path]) -> Result<FileDescriptorSet> {
    let mut compiler = Compiler::new(folders).map_err(located)?;
    compiler.include_source_info(true).include_imports(true);
    for folder in folders {
        let files = proto_files(folder)?;
        ensure!(!files.is_empty(), "there is no .proto file under {}", folder.display());
        compiler.open_files(&files).map_err(located)?;
    }
    Ok(compiler.file_descriptor_set())
}

/// With file and line, which protox says in `Debug` alone.
fn located(error: protox::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}

/// All `.proto` files under `folder`, in the same order on every machine.
fn proto_files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    let reading = || format!("reading {}", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.is_dir() {
            files.extend(proto_files(&path)?);
        } else if path.extension() == Some(OsStr::new("proto")) {
            files.insert(path);
        }
    }
    Ok(files)
}
