//! The command line.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Command, Subcommand, ValueEnum};
use clap_complete::Shell;
use polarway::EngineChoice;
use polarway_server::Role;

use crate::commands::token;
use crate::format::{InputFormat, OutputFormat};
use crate::input::ValueType;
use crate::parameters::{self, NamedValue};
use crate::selection::{self, ColumnNames, Rows};
use crate::time;

const ABOUT: &str = "Named, versioned tables on a server, and SQL over them";

/// The complete command line.
pub(crate) fn command() -> Command {
    let show = Command::new("show")
        .about("Print the settings in force, with where each came from, as a configuration file")
        .args(polarway_server::settings::arguments());
    let config = Command::new("config")
        .about("Look at the settings of the server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(show);
    let command = Command::new("polarway")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(
            "Start a server with `polarway server`; the other commands talk to it. `polarway COMMAND --help` tells more.",
        )
        .subcommand(polarway_server::command("server"));
    // Without it, the description of the client's commands would be that of the whole command.
    ClientCommand::augment_subcommands(command).about(ABOUT).long_about(None).subcommand(config)
}

/// The commands of the client.
#[derive(Subcommand)]
pub(crate) enum ClientCommand {
    /// Store a file as a table, in the place of what was there
    #[command(after_help = STORE_EXAMPLES)]
    Store(Store),
    /// Put a file's rows behind those of a table
    Append(Append),
    /// Load a table, or a result that is kept, to the terminal or to a file
    #[command(after_help = LOAD_EXAMPLES)]
    Load(Load),
    /// Run a SELECT in DuckDB's dialect
    #[command(after_help = QUERY_EXAMPLES)]
    Query(Query),
    /// Type SQL at a prompt, or run a script of several statements
    #[command(after_help = SQL_EXAMPLES)]
    Sql(Sql),
    /// List the queries that wait or run on a worker
    Queries(Queries),
    /// Stop a query
    Cancel(Cancel),
    /// Look at results that are kept on the server, and drop them
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Handles(Handles),
    /// List the datasets
    Ls(Ls),
    /// Show a dataset's columns and size
    Describe(Describe),
    /// List all versions of a dataset
    Versions(Versions),
    /// Delete a dataset; older versions stay readable until retention removes them
    Rm(Rm),
    /// Show the workers that run queries together
    Workers(Workers),
    /// Show the server, and how its cache is doing
    Stats(Stats),
    /// Ask whether the server serves
    Health(Health),
    /// Make tokens for the `--auth-file` of a server
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Token(Token),
    /// Print the completions of a shell
    #[command(
        after_help = "Example, for bash: polarway completions bash > ~/.local/share/bash-completion/completions/polarway"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

const STORE_EXAMPLES: &str = "\
Examples:
  polarway store flights flights.parquet
  polarway store --each data/*.parquet
  polarway store trades trades.csv.gz --type zip=text
  xz -dc trades.csv.xz | polarway store trades - --format csv";

const LOAD_EXAMPLES: &str = "\
Examples:
  polarway load flights
  polarway load flights -o flights.parquet --version 3
  polarway load flights --columns carrier,dep_delay --rows 100..200
  polarway load flights --as-of 2026-11-01 --format csv | head";

const QUERY_EXAMPLES: &str = "\
Examples:
  polarway query \"SELECT carrier, count(*) FROM flights GROUP BY ALL\"
  polarway query -f report.sql -o report.csv
  polarway query \"FROM flights AT (VERSION => 3)\" --format json
  polarway query 'FROM flights WHERE carrier = $carrier' --param carrier=UA
  polarway query --engine distributed 'SELECT carrier, avg(dep_delay) FROM flights GROUP BY ALL'
  late=$(polarway query --keep 'FROM flights WHERE dep_delay > 60')
  polarway query \"SELECT count(*) FROM $late\"";

const HANDLES_EXAMPLES: &str = "\
Examples:
  id=$(polarway query --keep 'FROM flights WHERE dep_delay > 60')
  polarway handles show $id
  polarway handles extend $id --ttl 2h
  polarway handles drop $id";

const TOKEN_EXAMPLES: &str = "\
Examples:
  polarway token new --name reports --role reader --read 'sales_*' --expires 90d
  polarway token new --name loader --role writer --read '*' --write 'staging_*'";

const SQL_EXAMPLES: &str = "\
On a terminal it prompts for statements, which end with `;`; .help tells the
rest. From a pipe it runs one statement after the other, and stops at the first
that fails, with exit code 1.

Examples:
  polarway sql
  polarway sql --url http://tables.example:50052
  polarway sql --format csv < report.sql > report.csv";

/// Which server, and how long to wait for it.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The server; several, with commas between them, are workers over the same tables
    #[arg(
        long,
        value_name = "URL",
        env = "POLARWAY_URL",
        default_value = "http://localhost:50052",
        value_delimiter = ','
    )]
    pub(crate) url: Vec<String>,
    /// How long to wait for an answer, retries included; for transfers, how long nothing new may come
    #[arg(long, value_name = "DUR", env = "POLARWAY_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: std::time::Duration,
    /// For https:// servers: a PEM file of the CAs to trust, in the place of the system's [env: POLARWAY_TLS_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
    /// For https:// servers that require one: this client's certificate, as PEM [env: POLARWAY_TLS_CERT]
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM [env: POLARWAY_TLS_KEY]
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// The format of a file, if its name does not show it.
#[derive(Args)]
pub(crate) struct InputOptions {
    /// The file's format, where its name does not tell
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<InputFormat>,
    /// CSV: the file begins with rows, not with the columns' names
    #[arg(long)]
    pub(crate) no_header: bool,
    /// CSV: what stands between values [default: `,`, or a tab in a .tsv]
    #[arg(long, value_name = "CHARACTER")]
    pub(crate) delimiter: Option<char>,
    /// CSV: read each column as text
    #[arg(long)]
    pub(crate) all_text: bool,
    /// CSV, JSON: the type of one column, in the place of what its values look like: boolean, integer, unsigned, double, date,
    /// timestamp, timestamp-s, timestamp-ns, timestamptz, timestamptz-ns or text
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = named_type)]
    pub(crate) types: Vec<(String, ValueType)>,
    /// CSV, JSON: how many rows to look at for the columns' types
    #[arg(long, value_name = "N", default_value_t = crate::input::INFER_ROWS)]
    pub(crate) infer_rows: usize,
}

/// Reads `COLUMN=TYPE`. A column's name may hold a `=`, a type's does not.
fn named_type(text: &str) -> Result<(String, ValueType), String> {
    let (column, name) = text.rsplit_once('=').ok_or("write it as COLUMN=TYPE")?;
    let value_type = ValueType::from_str(name, true).map_err(|_| {
        let all = ValueType::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = all.map(|value| value.get_name().to_owned()).collect();
        format!("there is no type {name:?}; there are {}", names.join(", "))
    })?;
    Ok((column.to_owned(), value_type))
}

/// The output for rows.
#[derive(Args)]
pub(crate) struct OutputOptions {
    /// Write to this file instead of the terminal
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The format [default: by the file's name; `table` without a file]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(crate) format: Option<OutputFormat>,
}

/// The version to use.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct At {
    /// The version with this number
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,
    /// The version that was the newest then: 2026-11-01, "2026-11-01 13:30", 2026-11-01T13:30:00Z; UTC unless said
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub(crate) as_of: Option<i64>,
}

#[derive(Args)]
pub(crate) struct Store {
    /// The dataset, and the file with its rows (`-` reads a pipe); with --each, files
    #[arg(value_name = "NAME FILE", required = true, num_args = 1..)]
    pub(crate) arguments: Vec<PathBuf>,
    /// Store each file under its own name without the extension
    #[arg(long)]
    pub(crate) each: bool,
    /// Refuse to replace a dataset that exists
    #[arg(long)]
    pub(crate) create: bool,
    /// Refuse unless the dataset is at this version; 0 is one that was never written
    #[arg(long, value_name = "N", conflicts_with_all = ["each", "create"])]
    pub(crate) expect_version: Option<u64>,
    #[command(flatten)]
    pub(crate) input: InputOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Append {
    /// The dataset
    pub(crate) name: String,
    /// The file with the rows; `-` reads a pipe
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) input: InputOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Load {
    /// The dataset, or the id of a result that is kept
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) at: At,
    /// Only these columns, in this order; a name with a comma stands in double quotes
    #[arg(long, value_name = "A,B,…", value_parser = selection::columns)]
    pub(crate) columns: Option<ColumnNames>,
    /// Only these rows, counted from 0: `100..200` is the hundred from row 100 on, `..10` the first ten, `100..` all from
    /// row 100 on
    #[arg(long, value_name = "FROM..TO", value_parser = selection::rows)]
    pub(crate) rows: Option<Rows>,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Query {
    /// The query; `-` reads it from a pipe
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) sql: Option<String>,
    /// Read the query from this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The value of the parameter $NAME, or by number of $1 or the first `?`; a number, true, false or null is one, all else is
    /// text, as is what stands in double quotes
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = parameters::parse)]
    pub(crate) parameters: Vec<NamedValue>,
    /// How long the query may take on the server, waiting included
    #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration)]
    pub(crate) time: Option<std::time::Duration>,
    /// Which workers run it: the one that is asked, all of them together, or as the server decides
    #[arg(long, value_name = "ENGINE", value_enum)]
    pub(crate) engine: Option<Engine>,
    /// Keep the result on the server, and print the id by which `load` and SQL name it
    #[arg(long, conflicts_with_all = ["output", "format"])]
    pub(crate) keep: bool,
    /// For how long the result is kept unused [default: as the server is set to]
    #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration, requires = "keep")]
    pub(crate) ttl: Option<std::time::Duration>,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Which workers run a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// As the server is set up, and by how much the query reads
    Auto,
    /// The worker that is asked
    Local,
    /// All workers together; an error for a query that can't be run so
    Distributed,
}

impl From<Engine> for EngineChoice {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Local => Self::Local,
            Engine::Distributed => Self::Distributed,
        }
    }
}

#[derive(Args)]
pub(crate) struct Workers {
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Queries {
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Cancel {
    /// The query's id, from `polarway queries`
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
#[command(after_help = HANDLES_EXAMPLES)]
pub(crate) struct Handles {
    #[command(subcommand)]
    pub(crate) command: HandlesCommand,
}

/// The commands for kept results.
#[derive(Subcommand)]
pub(crate) enum HandlesCommand {
    /// List them
    Ls(Ls),
    /// Show the columns, the size and the expiry of one
    Show(ShowHandle),
    /// Drop some before they expire
    Drop(DropHandles),
    /// Put the expiry of one off
    Extend(ExtendHandle),
}

#[derive(Args)]
pub(crate) struct ShowHandle {
    /// Its id, from `polarway query --keep` or `polarway handles ls`
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct DropHandles {
    /// Their ids
    #[arg(value_name = "ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct ExtendHandle {
    /// Its id
    pub(crate) id: String,
    /// For how long it lives unused from now on [default: as long as before]
    #[arg(long, value_name = "DUR", value_parser = humantime::parse_duration)]
    pub(crate) ttl: Option<std::time::Duration>,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// How a list, or a result in the shell, is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Table,
    /// With a header line
    Csv,
    /// An object a line
    Json,
}

impl From<ListFormat> for OutputFormat {
    fn from(format: ListFormat) -> Self {
        match format {
            ListFormat::Table => Self::Table,
            ListFormat::Csv => Self::Csv,
            ListFormat::Json => Self::Json,
        }
    }
}

#[derive(Args)]
pub(crate) struct Sql {
    /// The format of results, to begin with
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct ListOptions {
    /// The format
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub(crate) format: ListFormat,
}

#[derive(Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Describe {
    /// The dataset
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) at: At,
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Versions {
    /// The dataset; it may be a deleted one
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Rm {
    /// The datasets
    #[arg(required = true)]
    pub(crate) names: Vec<String>,
    /// Remove the data of all versions at once: nothing can be read any more
    #[arg(long)]
    pub(crate) purge: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
pub(crate) struct Stats {
    #[command(flatten)]
    pub(crate) list: ListOptions,
    #[command(flatten)]
    pub(crate) connection: Connection,
}

#[derive(Args)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

/// The commands for tokens.
#[derive(Subcommand)]
pub(crate) enum TokenCommand {
    /// Print a new token, and its entry for the file. The token is shown only now
    New(NewTokenArguments),
}

#[derive(Args)]
pub(crate) struct NewTokenArguments {
    /// Who will have it
    #[arg(long)]
    pub(crate) name: String,
    /// What it allows: `reader` loads and queries, `writer` stores and deletes, too, `admin` may do everything
    #[arg(long, value_parser = token::role)]
    pub(crate) role: Role,
    /// A pattern of datasets that may be read, such as `sales_*`; may be given again [default: all]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) read: Vec<String>,
    /// A pattern of datasets that a writer may write; may be given again [default: those that may be read]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) write: Vec<String>,
    /// When it expires: a time, or a duration like 90d [default: never]
    #[arg(long, value_name = "WHEN", value_parser = token::expiry)]
    pub(crate) expires: Option<SystemTime>,
}

#[derive(Args)]
pub(crate) struct Health {
    #[command(flatten)]
    pub(crate) connection: Connection,
}
