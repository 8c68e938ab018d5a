//! Binds texts without running them, for an engine that translates DuckDB's plans.
//!
//! This happens in an instance of its own, which can read no file: each table is a temporary one with the names and types of
//! the view that the executor would make, behind a view of the same name. It has a few rows of NULLs, whose number tells the
//! optimiser which tables are larger than others; optimisations that would look at the values are off. Of a column without values
//! it does not know how many there are, as it does not know that of a file's: so it puts joins in the order that it would choose for
//! the files.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use polarway_sql::identifier;
use polarway_table::with_names;

use super::diagnose::{Hidden, Origin, diagnose};
use super::instance::Instance;
use super::instances::Instances;
use super::native::{ColumnTypes, Connection, NativeError};
use super::result_types::{ResultColumns, cast_for_arrow};
use super::sandbox::Purpose;
use super::values::constant;
use super::view::{TypedColumn, typed_columns};
use crate::bound_plan::{BoundPlan, BoundTable};
use crate::config::EngineConfig;
use crate::error::Error;
use crate::gate::NamedColumns;
use crate::plan::{Plan, StoredTable, TableSource};

/// DuckDB's optimisers that use the values of tables, or make plans that only DuckDB can run.
pub(super) const DISABLED_OPTIMIZERS: [&str; 20] = [
    "build_side_probe_side",
    "column_lifetime",
    "common_subplan",
    "compressed_materialization",
    "cte_inlining",
    "duplicate_groups",
    "empty_result_pullup",
    "extension",
    "in_clause",
    "join_filter_pushdown",
    "late_materialization",
    "limit_pushdown",
    "row_group_pruner",
    "sampling_pushdown",
    "statistics_propagation",
    "sum_rewriter",
    "top_n",
    "top_n_window_elimination",
    "unused_columns",
    "window_self_join",
];

/// The most memory that binding may use, in bytes.
const MEMORY_BYTES: u64 = 512 << 20;

/// The rows of the largest table. Those of others are fewer by the root of the quotient of their sizes: this keeps the
/// order in which joins are cheaper, and few rows are enough.
const MOST_ROWS: f64 = 3_000.0;

/// How the tables are named in a bound plan. A text can't name them: it names only what the gate resolved.
const PREFIX: &str = "polarway scan ";

/// The instance that binds, opened when it is needed.
#[derive(Debug)]
pub(super) struct Binding {
    config: EngineConfig,
    instances: Mutex<Option<Arc<Instances>>>,
}

impl Binding {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let mut config = config.clone();
        config.readable.clear();
        config.analytics = None;
        config.threads = 1;
        config.memory_bytes = config.memory_bytes.min(MEMORY_BYTES);
        config.temp_dir.push("binding");
        Self { config, instances: Mutex::new(None) }
    }

    fn instances(&self) -> Result<Arc<Instances>, Error> {
        let mut instances = self.instances.lock();
        if let Some(open) = &*instances {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(Instances::open(self.config.clone(), Purpose::Binding, None)?);
        *instances = Some(Arc::clone(&open));
        Ok(open)
    }

    pub(super) fn bind(&self, plan: &Plan, named: &NamedColumns) -> Result<BoundPlan, Error> {
        let unsupported =
            |what: &str| Err(Error::Unsupported(format!("{what} is not bound for other engines")));
        if !plan.statement.attached.is_empty() {
            return unsupported("a query of the analytics database");
        }
        let mut tables = Vec::with_capacity(plan.tables.len());
        for (place, table) in plan.tables.iter().enumerate() {
            match &table.source {
                TableSource::Stored(stored) => tables.push(EmptyTable {
                    view: &table.name,
                    name: format!("{PREFIX}{place}"),
                    columns: typed_columns(stored, named),
                    rows: rows(stored),
                }),
                TableSource::Kept(_) => return unsupported("a result that is kept in memory"),
                TableSource::Listing(..) => return unsupported("a list of tables"),
            }
        }
        let work = |_: &mut (), instance: &Arc<Instance>| bind_in(instance, plan, &tables);
        let (json, schema) = self.instances()?.run(&mut (), |()| true, work)?;
        let tables = tables.into_iter().map(|table| (table.name.clone(), table.bound())).collect();
        Ok(BoundPlan { json, schema, tables })
    }
}

/// A table that stands for one of a plan.
struct EmptyTable<'p> {
    view: &'p str,
    name: String,
    columns: Vec<TypedColumn>,
    rows: u64,
}

impl EmptyTable<'_> {
    fn create(&self, largest: u64) -> String {
        let part = self.rows.max(1) as f64 / largest.max(1) as f64;
        let rows = (MOST_ROWS * part.sqrt()).ceil();
        let nulls: Vec<String> = self.columns.iter().map(null).collect();
        format!(
            "CREATE TEMP TABLE {} AS SELECT {} FROM range({rows})",
            identifier(&self.name),
            nulls.join(", ")
        )
    }

    fn create_view(&self) -> String {
        // A view has no `rowid`, as the executor's views have none.
        format!("CREATE TEMP VIEW {} AS FROM {}", identifier(self.view), identifier(&self.name))
    }

    fn bound(self) -> BoundTable {
        let refused = self.columns.into_iter().filter_map(|column| Some((column.name, column.null.err()?)));
        BoundTable { name: self.view.to_owned(), refused_columns: refused.collect() }
    }
}

fn null(column: &TypedColumn) -> String {
    let null = column.null.as_deref().unwrap_or("NULL");
    format!("{null} AS {}", identifier(&column.name))
}

fn rows(table: &StoredTable) -> u64 {
    table.files.iter().flat_map(|group| &group.files).map(|file| file.rows).sum()
}

/// The plan of the text whose result can be returned as Arrow, and the columns of that result.
fn bind_in(
    instance: &Instance,
    plan: &Plan,
    tables: &[EmptyTable<'_>],
) -> Result<(String, SchemaRef), Error> {
    let failed = |error: NativeError| diagnose(&error, Origin::OtherText, &Hidden::default());
    let connection = instance.sessions.connect().map_err(failed)?;
    let largest = tables.iter().map(|table| table.rows).max().unwrap_or_default();
    for table in tables {
        connection.execute(&table.create(largest)).map_err(failed)?;
        connection.execute(&table.create_view()).map_err(failed)?;
    }
    let constant = constant(&connection, plan, failed)?;
    let text = constant.as_ref().map_or(plan.statement.select(), |constant| &constant.text);
    let (json, schema) = written(&connection, text, plan.form.hugeint_as_text).map_err(failed)?;
    Ok(match constant {
        Some(constant) => (json, with_names(&schema, constant.names)),
        None => (json, schema),
    })
}

/// The plan of a text without parameters, and the columns of its result.
fn written(
    connection: &Connection,
    text: &str,
    hugeint_as_text: bool,
) -> Result<(String, SchemaRef), NativeError> {
    let own = columns_of(connection, text)?;
    let columns = own.columns();
    let cast = cast_for_arrow(&columns, text, hugeint_as_text);
    let types = match &cast {
        Some(cast) => columns_of(connection, cast)?,
        None => own,
    };
    let schema = ResultColumns::new(&types.to_arrow()?, &columns, cast.is_some()).schema;
    let serialize = connection
        .prepare("SELECT CAST(json_serialize_plan(CAST(? AS VARCHAR), optimize := true) AS VARCHAR)")?;
    let json = serialize.text(&[cast.as_deref().unwrap_or(text)])?;
    Ok((json.ok_or_else(|| NativeError::internal("DuckDB gave no plan"))?, schema))
}

/// The columns of a text. A query that was started, if only as far as that, would be carried on when it is dropped.
fn columns_of(connection: &Connection, text: &str) -> Result<ColumnTypes, NativeError> {
    let types = connection.prepare(text)?.column_types();
    types.ok_or_else(|| NativeError::internal("a text without parameters has unknown columns"))
}
