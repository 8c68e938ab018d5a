//! Commands that read rows: load and query.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use futures::{Stream, TryStreamExt as _};
use polarway::{At, EngineChoice, LoadOptions, QueryOptions, Selection};

use super::{handles, workers};
use crate::arguments::{self, Load, OutputOptions, Query};
use crate::failure::{Failure, Result};
use crate::format::OutputFormat;
use crate::output::{Shape, Sink, Writer};
use crate::parameters;
use crate::progress::Progress;

impl arguments::At {
    pub(super) fn version(&self) -> At {
        match (self.version, self.as_of) {
            (Some(version), _) => At::Version(version),
            (None, Some(time_us)) => At::TimeUs(time_us),
            (None, None) => At::Newest,
        }
    }
}

pub(crate) async fn load(load: Load) -> Result<()> {
    let output = Output::new(&load.output)?;
    let client = load.connection.connect().await?;
    let mut selection = Selection { columns: load.columns.map(|columns| columns.0), ..Selection::default() };
    if let Some(rows) = load.rows {
        (selection.first_row, selection.end_row) = (rows.first_row, rows.end_row);
    }
    let options = LoadOptions { at: load.at.version(), selection };
    let rows = client.load_stream_with(&load.name, options).await?;
    let (schema, total) = (SchemaRef::clone(rows.schema()), rows.selected_rows());
    output.write(&load.name, &schema, Some(total), rows).await
}

pub(crate) async fn query(query: Query) -> Result<()> {
    let sql = text_of(&query)?;
    if query.keep {
        return handles::keep(&sql, query).await;
    }
    let output = Output::new(&query.output)?;
    let client = query.connection.connect().await?;
    let parameters = parameters::values(query.parameters)?;
    let hugeint_as_text = output.format.is_text();
    let engine = query.engine.map(EngineChoice::from);
    let options = QueryOptions {
        parameters,
        time: query.time,
        hugeint_as_text,
        engine: engine.unwrap_or_default(),
        ..QueryOptions::default()
    };
    let mut rows = client.query_stream_with(&sql, options).await?;
    let schema = SchemaRef::clone(rows.schema());
    output.write("query", &schema, None, &mut rows).await?;
    if let Some(used) = rows.summary().map(|summary| &summary.engine)
        && (engine.is_some() || (io::stderr().is_terminal() && workers::is_unusual(used)))
    {
        eprintln!("{}", workers::ran_on(used));
    }
    Ok(())
}

fn text_of(query: &Query) -> Result<String> {
    let unreadable = |name: &str, error: io::Error| Failure::new(format!("{name} can't be read: {error}"));
    match (&query.sql, &query.file) {
        (Some(sql), _) if sql != "-" => Ok(sql.clone()),
        (None, Some(file)) if file != Path::new("-") => {
            std::fs::read_to_string(file).map_err(|error| unreadable(&file.display().to_string(), error))
        }
        _ => {
            let mut sql = String::new();
            io::stdin().read_to_string(&mut sql).map_err(|error| unreadable("the pipe", error))?;
            Ok(sql)
        }
    }
}

/// The output of rows and its format.
struct Output {
    format: OutputFormat,
    file: Option<PathBuf>,
}

impl Output {
    fn new(options: &OutputOptions) -> Result<Self> {
        let file = options.output.clone().filter(|file| file != Path::new("-"));
        let format = match (options.format, &file) {
            (Some(format), _) => format,
            (None, Some(file)) => OutputFormat::of(file)?,
            (None, None) => OutputFormat::Table,
        };
        let is_binary = matches!(format, OutputFormat::Arrow | OutputFormat::Parquet);
        if is_binary && file.is_none() && io::stdout().is_terminal() {
            return Err(Failure::usage(
                "that format is not for a terminal: name a file with -o, or pipe it on",
            ));
        }
        Ok(Self { format, file })
    }

    /// Writes all rows. A file gets its name when it is complete: an existing file stays if something fails.
    async fn write(
        self,
        name: &str,
        schema: &SchemaRef,
        total_rows: Option<u64>,
        rows: impl Stream<Item = polarway::Result<RecordBatch>>,
    ) -> Result<()> {
        let Some(file) = &self.file else {
            let sink = Box::new(BufWriter::with_capacity(1 << 16, io::stdout()));
            return self.write_to(sink, name, schema, total_rows, rows).await;
        };
        if file.exists() && !file.is_file() {
            // A device or a named pipe is written to directly.
            let sink =
                Box::new(BufWriter::with_capacity(1 << 16, File::create(file).map_err(unwritable(file))?));
            return self.write_to(sink, name, schema, total_rows, rows).await;
        }
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let unfinished = tempfile::NamedTempFile::new_in(folder).map_err(unwritable(file))?;
        let sink = unfinished.reopen().map_err(unwritable(file))?;
        let sink = Box::new(BufWriter::with_capacity(1 << 20, sink));
        self.write_to(sink, name, schema, total_rows, rows).await?;
        make_readable(unfinished.as_file()).map_err(unwritable(file))?;
        unfinished.persist(file).map_err(|error| unwritable(file)(error.error))?;
        Ok(())
    }

    async fn write_to(
        &self,
        sink: Sink,
        name: &str,
        schema: &SchemaRef,
        total_rows: Option<u64>,
        rows: impl Stream<Item = polarway::Result<RecordBatch>>,
    ) -> Result<()> {
        let mut writer = Writer::start(self.format, schema, sink, Shape::of_stdout())?;
        let count = Arc::new(AtomicU64::new(0));
        // Rows on the terminal show the progress already.
        let is_seen = self.file.is_none() && self.format != OutputFormat::Table && io::stdout().is_terminal();
        let progress = (!is_seen).then(|| Progress::of_rows(name, Arc::clone(&count), total_rows));
        let mut rows = std::pin::pin!(rows);
        while let Some(batch) = rows.try_next().await? {
            // Encoding may take long; the tasks of the connection run meanwhile.
            tokio::task::block_in_place(|| writer.write(&batch))?;
            count.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
        drop(progress);
        tokio::task::block_in_place(|| writer.finish())?;
        Ok(())
    }
}

fn unwritable(file: &Path) -> impl Fn(io::Error) -> Failure {
    move |error| Failure::new(format!("can't write {}: {error}", file.display()))
}

/// Only its owner may read a temporary file; the output file gets the usual permissions.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask);
    file.set_permissions(std::fs::Permissions::from_mode(0o666 & !umask.bits()))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> io::Result<()> {
    Ok(())
}
