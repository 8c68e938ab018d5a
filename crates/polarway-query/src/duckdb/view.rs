//! The view for a table in a query.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use arrow::datatypes::{Field, FieldRef};
use polarway_sql::{identifier, literal};
use polarway_table::duckdb_type;

use super::column_names::{is_writable, sql_names};
use super::sql_type::SqlType;
use super::stored_types::{Restored, holds_floats, restore, sql_type, without_statistics};
use crate::error::Error;
use crate::gate::NamedColumns;
use crate::plan::{FileGroup, PlannedTable, StoredTable, TableSource};
use crate::zoned_nanos::holds_zoned_nanos;

/// A table with more columns is planned only with those that the text can refer to: DuckDB's planning time grows with the
/// square of a view's columns. With fewer columns it takes no longer than to create another view for the next text.
const WIDE: usize = 256;

/// Whether a table is planned only with the columns that a text can refer to.
pub(super) fn is_wide(table: &PlannedTable) -> bool {
    matches!(&table.source, TableSource::Stored(stored) if stored.schema.fields().len() > WIDE)
}

/// A temporary view: its name in the query's text, and its SELECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) select: String,
    /// Whether it leaves out some columns of the table.
    pub(crate) leaves_out_columns: bool,
}

impl View {
    /// A view of these columns of a table, or of more. It gets the file paths for each group of files.
    ///
    /// # Errors
    /// A table that SQL can't read correctly as a whole.
    pub(crate) fn new(
        name: String,
        described: &str,
        table: &StoredTable,
        paths: &[Vec<PathBuf>],
        named: &NamedColumns,
    ) -> Result<Self, Error> {
        let mut columns = columns(table);
        if columns.is_empty() {
            return Err(Error::Unsupported(format!("{described} has no columns, SQL needs one")));
        }
        let leaves_out_columns = columns.len() > WIDE && leave_out(&mut columns, named);
        let mut selects = Vec::with_capacity(table.files.len().max(1));
        for (group, paths) in table.files.iter().zip(paths) {
            let by_place = are_named_by_place(group);
            let select = GroupSelect { group, by_place }.columns(&columns).join(", ");
            selects.push(format!("SELECT {select} FROM {}", scan(described, table, group, paths, by_place)?));
        }
        if selects.is_empty() {
            let columns: Vec<String> = columns.iter().map(Column::without_rows).collect();
            selects.push(format!("SELECT {} WHERE false", columns.join(", ")));
        }
        Ok(Self { leaves_out_columns, ..Self::of_all(name, selects.join(" UNION ALL ")) })
    }

    /// A view of all columns of a SELECT.
    pub(crate) fn of_all(name: String, select: String) -> Self {
        Self { name, select, leaves_out_columns: false }
    }

    pub(crate) fn create(&self) -> String {
        // `system.main` refers to the built-in: a macro or table function with the same name can't replace it.
        format!("CREATE OR REPLACE TEMP VIEW {} AS {}", identifier(&self.name), self.select)
    }
}

/// A column of a view.
struct Column<'r> {
    field: &'r Field,
    /// How many earlier columns have the same name.
    earlier: usize,
    /// Its SQL name.
    name: String,
    /// Why SQL can't read it at all.
    refused: Option<&'static str>,
    /// The DuckDB type that it had as a column of a result.
    was: Option<SqlType>,
}

fn columns<'r>(table: &'r StoredTable) -> Vec<Column<'r>> {
    let fields = table.schema.fields();
    let mut alike: HashMap<String, usize> = HashMap::with_capacity(fields.len());
    for field in fields.iter().filter(|field| is_writable(field.name())) {
        *alike.entry(field.name().to_lowercase()).or_default() += 1;
    }
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(fields.len());
    let column = |(field, name): (&'r FieldRef, String)| -> Column<'r> {
        let seen = seen.entry(field.name()).or_default();
        let earlier = *seen;
        *seen += 1;
        let is_ambiguous = alike.get(&field.name().to_lowercase()).is_some_and(|count| *count > 1);
        let why = "another column's name differs only in case, or not at all, which SQL does not tell apart";
        let was = duckdb_type(field).filter(|_| table.is_result).and_then(SqlType::parse);
        Column { field, earlier, name, refused: is_ambiguous.then_some(why), was }
    };
    fields.iter().zip(sql_names(&table.schema)).map(column).collect()
}

/// Keeps the named columns, at least one, and returns whether others were removed.
fn leave_out(columns: &mut Vec<Column<'_>>, named: &NamedColumns) -> bool {
    let all = columns.len();
    match columns.iter().any(|column| named.has(&column.name)) {
        true => columns.retain(|column| named.has(&column.name)),
        // To count rows, any column is enough.
        false => columns.truncate(1),
    }
    columns.len() < all
}

impl Column<'_> {
    fn select(&self, value: Restored) -> String {
        let name = identifier(&self.name);
        let value = match self.refused {
            Some(reason) => Restored::Refused(reason.to_owned()),
            None => value,
        };
        match value {
            Restored::Expression(stored) => {
                let expression = self.was.as_ref().and_then(|was| was.restore(&stored)).unwrap_or(stored);
                format!("{expression} AS {name}")
            }
            Restored::Refused(reason) => {
                let given = self.field.name();
                let column = if is_writable(given) { given } else { &self.name };
                let message =
                    format!("column \"{column}\" can't be read by SQL: {reason}; load the dataset instead");
                format!("error({}) AS {name}", literal(&message))
            }
        }
    }

    fn typed(&self) -> TypedColumn {
        let null = match (self.refused, null(self.field)) {
            (Some(reason), _) => Err(reason.to_owned()),
            (None, Restored::Refused(reason)) => Err(reason),
            (None, Restored::Expression(null)) => {
                Ok(self.was.as_ref().and_then(|was| was.restore(&null)).unwrap_or(null))
            }
        };
        TypedColumn { name: self.name.clone(), null }
    }

    fn without_rows(&self) -> String {
        self.select(null(self.field))
    }
}

/// A column of a view, by its name and type alone.
pub(super) struct TypedColumn {
    pub(super) name: String,
    /// A NULL of the column's type; the reason if SQL can't read the column in one of the files.
    pub(super) null: Result<String, String>,
}

/// The columns that the view of a table has.
pub(super) fn typed_columns(table: &StoredTable, named: &NamedColumns) -> Vec<TypedColumn> {
    let mut columns = columns(table);
    if columns.len() > WIDE {
        leave_out(&mut columns, named);
    }
    let mut typed: Vec<TypedColumn> = columns.iter().map(Column::typed).collect();
    for group in &table.files {
        let select = GroupSelect { group, by_place: are_named_by_place(group) };
        for (typed, value) in typed.iter_mut().zip(select.values(&columns)) {
            if let (Ok(_), Restored::Refused(reason)) = (&typed.null, value) {
                typed.null = Err(reason);
            }
        }
    }
    typed
}

/// How the columns of a view are read from one group of files.
struct GroupSelect<'r> {
    group: &'r FileGroup,
    /// Columns are referred to by position, because DuckDB would change their names.
    by_place: bool,
}

impl GroupSelect<'_> {
    fn columns(&self, columns: &[Column<'_>]) -> Vec<String> {
        let values = self.values(columns);
        columns.iter().zip(values).map(|(column, value)| column.select(value)).collect()
    }

    /// Columns are matched by name; of several with the same name, the second matches the second.
    fn values(&self, columns: &[Column<'_>]) -> Vec<Restored> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, field) in self.group.schema.fields().iter().enumerate() {
            places.entry(field.name()).or_default().push(place);
        }
        let value = |column: &Column<'_>| {
            let alike = places.get(column.field.name().as_str());
            let place = alike.and_then(|places| places.get(column.earlier));
            place.map_or_else(|| null(column.field), |place| self.value(column, *place))
        };
        columns.iter().map(value).collect()
    }

    /// The value of the column at `place` in these files, with the table's type.
    fn value(&self, column: &Column<'_>, place: usize) -> Restored {
        let wanted = column.field;
        let own = wanted.name();
        if let Some((_, reason)) = self.group.refused_columns.iter().find(|(refused, _)| refused == own) {
            return Restored::Refused(reason.clone());
        }
        let found = self.group.schema.field(place);
        if holds_zoned_nanos(found.data_type()) && !self.group.whole_micros.contains(own) {
            let why = "it holds nanoseconds with a time zone, which SQL would cut to microseconds; without a zone it has them";
            return Restored::Refused(why.to_owned());
        }
        if let Some(partition) = self.group.partition_columns.iter().find(|column| column.name == *own) {
            return as_type_of(wanted, &format!("t.{}", identifier(&partition.key)));
        }
        let mut source =
            if self.by_place { format!("t.{}", placed(place)) } else { format!("t.{}", identifier(own)) };
        if !self.group.has_exact_float_statistics && holds_floats(found.data_type()) {
            source = without_statistics(&source);
        }
        match restore(&column.name, &source, found.data_type(), self.group.has_exact_types) {
            Restored::Expression(value) if found.data_type() != wanted.data_type() => {
                as_type_of(wanted, &value)
            }
            restored => restored,
        }
    }
}

fn as_type_of(field: &Field, value: &str) -> Restored {
    sql_type(field.data_type()).map_or_else(Restored::Refused, |sql_type| {
        Restored::Expression(format!("CAST({value} AS {sql_type})"))
    })
}

fn null(field: &Field) -> Restored {
    as_type_of(field, "NULL")
}

fn placed(place: usize) -> String {
    format!("c{place}")
}

/// Whether some columns in the files have names that can't be written, or that differ only in case or not at all: DuckDB then
/// changes these names.
fn are_named_by_place(group: &FileGroup) -> bool {
    let mut seen = HashSet::with_capacity(group.schema.fields().len());
    let is_kept = |field: &Field| is_writable(field.name()) && seen.insert(field.name().to_lowercase());
    !in_files(group).all(is_kept)
}

fn in_files(group: &FileGroup) -> impl Iterator<Item = &Field> {
    let count = group.schema.fields().len() - group.partition_columns.len();
    group.schema.fields().iter().take(count).map(AsRef::as_ref)
}

fn scan(
    described: &str,
    table: &StoredTable,
    group: &FileGroup,
    paths: &[PathBuf],
    by_place: bool,
) -> Result<String, Error> {
    let mut files = Vec::with_capacity(paths.len());
    for file in paths {
        let path = file.to_str().ok_or_else(|| {
            Error::Unsupported(format!("a file of {described} has a name that is not UTF-8"))
        })?;
        // DuckDB treats each entry as a glob; brackets escape its special characters.
        files.push(literal(&escape_glob(path)));
    }
    let mut options = String::new();
    if group.partition_columns.is_empty() {
        // Without this a folder named `env=prod` in the path would add a column.
        options.push_str(", hive_partitioning = false");
    } else {
        // As text, because DuckDB turns values that do not fit another type into NULL; the view casts.
        check_partitions(described, table, group, paths)?;
        let keys = group.partition_columns.iter();
        let types: Vec<_> = keys.map(|column| format!("{}: VARCHAR", identifier(&column.key))).collect();
        options.push_str(&format!(", hive_partitioning = true, hive_types = {{{}}}", types.join(", ")));
    }
    let mut named = "t".to_owned();
    if by_place {
        let places: Vec<_> = in_files(group).enumerate().map(|(place, _)| placed(place)).collect();
        named = format!("t({})", places.join(", "));
    }
    Ok(format!("system.main.read_parquet([{}]{options}) AS {named}", files.join(", ")))
}

/// Only the one intended folder in a path may give the value of a column.
fn check_partitions(
    described: &str,
    table: &StoredTable,
    group: &FileGroup,
    paths: &[PathBuf],
) -> Result<(), Error> {
    for file in paths {
        let keys = partition_keys(file);
        for (index, key) in keys.iter().enumerate() {
            let is_partition =
                group.partition_columns.iter().any(|column| column.key.eq_ignore_ascii_case(key));
            let is_column = table.schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(key));
            let repeated = keys[..index].iter().any(|earlier| earlier.eq_ignore_ascii_case(key));
            if (is_column && !is_partition) || (is_partition && repeated) {
                return Err(Error::Unsupported(format!(
                    "{described} lies under folders that give more than one value for {}",
                    identifier(key)
                )));
            }
        }
    }
    Ok(())
}

fn partition_keys(file: &Path) -> Vec<&str> {
    let folders = file.parent().into_iter().flat_map(Path::components);
    folders
        .filter_map(|component| component.as_os_str().to_str())
        .filter_map(|folder| folder.split_once('=').map(|(key, _)| key))
        .collect()
}

fn escape_glob(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for character in path.chars() {
        match character {
            '*' | '?' | '[' => escaped.extend(['[', character, ']']),
            other => escaped.push(other),
        }
    }
    escaped
}
