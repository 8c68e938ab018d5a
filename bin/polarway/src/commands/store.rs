//! Commands that write: store, append, rm.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use polarway::{DeleteOptions, DistributedClient, Published, WriteMode, WriteOptions};

use super::kept;
use super::listing::human_bytes;
use crate::arguments::{Append, InputOptions, Rm, Store};
use crate::failure::{Failure, Result};
use crate::format::{InputFormat, extension, uncompressed};
use crate::input::{Input, TextOptions};
use crate::output::grouped;
use crate::progress::Progress;

pub(crate) async fn store(store: Store) -> Result<()> {
    let tables = tables(&store)?;
    let mode = if store.create { WriteMode::Create } else { WriteMode::Overwrite };
    let mut options = WriteOptions::new(mode);
    options.expected_version = store.expect_version;
    let mut inputs = Vec::with_capacity(tables.len());
    for (name, file) in tables {
        inputs.push((name, Arc::new(input(&file, &store.input)?)));
    }
    let client = store.connection.connect().await?;
    for (name, input) in inputs {
        upload(&client, &name, input, options).await?;
    }
    Ok(())
}

pub(crate) async fn append(append: Append) -> Result<()> {
    let input = Arc::new(input(&append.file, &append.input)?);
    let client = append.connection.connect().await?;
    upload(&client, &append.name, input, WriteOptions::new(WriteMode::Append)).await
}

pub(crate) async fn rm(rm: Rm) -> Result<()> {
    let client = rm.connection.connect().await?;
    let options = DeleteOptions { purge: rm.purge, ..DeleteOptions::default() };
    for name in &rm.names {
        let deleted = client.delete_with(name, options).await;
        let instead = || format!("handles drop {name}");
        let Published { name, version, .. } =
            deleted.map_err(|error| kept::failure_of(name, &instead(), error))?;
        if rm.purge {
            println!("{name}: deleted, and the data of all its versions removed");
        } else {
            println!(
                "{name}: deleted as version {version}; `polarway load {name} --version N` reads older ones"
            );
        }
    }
    Ok(())
}

/// The names of the datasets, each with its file.
fn tables(store: &Store) -> Result<Vec<(String, PathBuf)>> {
    if store.each {
        return store.arguments.iter().map(|file| Ok((name_of(file)?, file.clone()))).collect();
    }
    match &store.arguments[..] {
        [name, file] => Ok(vec![(name.to_string_lossy().into_owned(), file.clone())]),
        [_] => Err(Failure::usage("name the dataset and its file: polarway store NAME FILE")),
        _ => Err(Failure::usage("several files need --each, which names each dataset after its file")),
    }
}

/// A file's name without its extensions.
fn name_of(file: &Path) -> Result<String> {
    match uncompressed(file).file_stem() {
        Some(stem) if file != Path::new("-") => Ok(stem.to_string_lossy().into_owned()),
        _ => Err(Failure::usage(format!("{} has no name for its dataset", file.display()))),
    }
}

fn input(file: &Path, options: &InputOptions) -> Result<Input> {
    let format = match options.format {
        Some(format) => format,
        None => InputFormat::of(file)?,
    };
    let delimiter = match options.delimiter {
        Some(delimiter) => u8::try_from(delimiter).map_err(|_| {
            Failure::usage(format!("{delimiter:?} can't stand between values: use an ASCII character"))
        })?,
        None if extension(uncompressed(file)) == "tsv" => b'\t',
        None => b',',
    };
    let text = TextOptions {
        has_header: !options.no_header,
        delimiter,
        all_text: options.all_text,
        infer_rows: options.infer_rows.max(1),
        types: options.types.clone(),
    };
    Ok(Input::new(file, format, text))
}

async fn upload(
    client: &DistributedClient,
    name: &str,
    input: Arc<Input>,
    options: WriteOptions,
) -> Result<()> {
    let started = Instant::now();
    let progress = Progress::of_bytes(name, input.read_bytes(), input.total_bytes());
    let published = client.store_from(name, input, options).await;
    drop(progress);
    let Published { name, version, rows, bytes, .. } = published?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{name}: version {version}, {} rows, {}, in {seconds:.2} s", grouped(rows), human_bytes(bytes));
    Ok(())
}
