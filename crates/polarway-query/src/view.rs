//! The view that stands for a relation in a query.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use polarway_table::duckdb_type;

use crate::catalog::Relation;
use crate::column_names::{is_writable, sql_names};
use crate::error::Error;
use crate::kept;
use crate::quote::{identifier, literal};
use crate::sql_type::SqlType;
use crate::stored_types::{Restored, holds_floats, holds_zoned_nanos, restore, sql_type, without_statistics};

/// A temporary view: the name that the query's text uses and the SELECT behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) name: String,
    pub(crate) select: String,
}

impl View {
    /// # Errors
    /// A relation that SQL could only read wrong as a whole.
    pub(crate) fn new(name: String, described: &str, relation: &Relation) -> Result<Self, Error> {
        if let Some(table) = &relation.kept {
            return Ok(Self { name, select: format!("FROM {}", kept::table(table)) });
        }
        let sources = Sources::of(relation);
        let columns = columns(relation, &sources);
        if columns.is_empty() {
            return Err(Error::Unsupported(format!("{described} has no columns, SQL needs one")));
        }
        let columns = columns.join(", ");
        let select = if relation.files.is_empty() {
            format!("SELECT {columns} WHERE false")
        } else {
            format!("SELECT {columns} FROM {} AS {}", scan(described, relation)?, sources.alias(relation))
        };
        Ok(Self { name, select })
    }

    pub(crate) fn create(&self) -> String {
        // `system.main` names the built-in: a macro or table function of the same name can't take its place.
        format!("CREATE OR REPLACE TEMP VIEW {} AS {}", identifier(&self.name), self.select)
    }
}

/// How the columns of a relation's files are meant.
struct Sources {
    /// For files whose columns have names that DuckDB would change: it then renames all of them by their places.
    by_place: bool,
}

impl Sources {
    fn of(relation: &Relation) -> Self {
        let names = relation.schema.fields().iter().map(|field| field.name());
        let mut seen = HashSet::new();
        let is_kept = |name: &String| is_writable(name) && seen.insert(name.to_lowercase());
        // Files that differ in their columns have them at different places.
        Self { by_place: !relation.union_by_name && !names.into_iter().all(is_kept) }
    }

    fn column(&self, place: usize, name: &str) -> String {
        if self.by_place { format!("t.c{place}") } else { format!("t.{}", identifier(name)) }
    }

    /// The names of the columns behind the scan.
    fn alias(&self, relation: &Relation) -> String {
        if !self.by_place {
            return "t".to_owned();
        }
        let of_files = relation.schema.fields().len() - relation.partition_columns.len();
        let places: Vec<_> = (0..of_files).map(|place| format!("c{place}")).collect();
        format!("t({})", places.join(", "))
    }
}

fn columns(relation: &Relation, sources: &Sources) -> Vec<String> {
    let fields = relation.schema.fields();
    let mut same_but_for_case: HashMap<String, usize> = HashMap::new();
    for field in fields {
        *same_but_for_case.entry(field.name().to_lowercase()).or_default() += 1;
    }
    let columns = fields.iter().zip(sql_names(&relation.schema)).enumerate();
    let columns = columns.map(|(place, (field, name))| {
        let given = field.name();
        let refused = |reason: &str| refused(if is_writable(given) { given } else { &name }, &name, reason);
        if is_writable(given) && same_but_for_case.get(&given.to_lowercase()).is_some_and(|count| *count > 1)
        {
            return refused("another column's name differs only in case, which SQL does not tell apart");
        }
        if !is_writable(given) && relation.union_by_name {
            return refused("it has no name, and the files may have it at different places");
        }
        if !relation.files.is_empty()
            && holds_zoned_nanos(field.data_type())
            && !relation.whole_micros.contains(given)
        {
            return refused(
                "it holds nanoseconds with a time zone, which SQL would cut to microseconds; without a zone it has them",
            );
        }
        let as_stored = |source: &str| {
            let sql_type = sql_type(field.data_type());
            sql_type.map_or_else(Restored::Refused, |sql_type| {
                Restored::Expression(format!("CAST({source} AS {sql_type})"))
            })
        };
        let restored = if relation.files.is_empty() {
            as_stored("NULL")
        } else if relation.partition_columns.contains(given) {
            // DuckDB puts those behind the columns of the files, under their own names.
            as_stored(&format!("t.{}", identifier(given)))
        } else {
            let mut source = sources.column(place, given);
            if !relation.has_exact_float_statistics && holds_floats(field.data_type()) {
                source = without_statistics(&source);
            }
            restore(&name, &source, field.data_type(), relation.has_exact_types)
        };
        match restored {
            Restored::Expression(stored) => {
                let was = duckdb_type(field).filter(|_| relation.is_result).and_then(SqlType::parse);
                let expression = was.and_then(|was| was.restore(&stored)).unwrap_or(stored);
                format!("{expression} AS {}", identifier(&name))
            }
            Restored::Refused(reason) => refused(&reason),
        }
    });
    columns.collect()
}

fn refused(column: &str, name: &str, reason: &str) -> String {
    let message = format!("column \"{column}\" can't be read by SQL: {reason}; load the dataset instead");
    format!("error({}) AS {}", literal(&message), identifier(name))
}

fn scan(described: &str, relation: &Relation) -> Result<String, Error> {
    let mut files = Vec::with_capacity(relation.files.len());
    for file in &relation.files {
        let path = file.to_str().ok_or_else(|| {
            Error::Unsupported(format!("a file of {described} has a name that is not UTF-8"))
        })?;
        // DuckDB takes each entry for a glob; brackets make its special characters plain.
        files.push(literal(&escape_glob(path)));
    }
    let mut options = String::new();
    if relation.partition_columns.is_empty() {
        // Without this a folder named `env=prod` on the way would grow a column.
        options.push_str(", hive_partitioning = false");
    } else {
        // As text, because DuckDB turns what does not fit another type into NULL; the view casts.
        check_partitions(described, relation)?;
        let types: Vec<_> = relation
            .partition_columns
            .iter()
            .map(|column| format!("{}: VARCHAR", identifier(column)))
            .collect();
        options.push_str(&format!(", hive_partitioning = true, hive_types = {{{}}}", types.join(", ")));
    }
    if relation.union_by_name {
        options.push_str(", union_by_name = true");
    }
    Ok(format!("system.main.read_parquet([{}]{options})", files.join(", ")))
}

/// No folder on the way may give a value for a column other than the one folder that is meant to.
fn check_partitions(described: &str, relation: &Relation) -> Result<(), Error> {
    for file in &relation.files {
        let keys = partition_keys(file);
        for (index, key) in keys.iter().enumerate() {
            let is_partition =
                relation.partition_columns.iter().any(|column| column.eq_ignore_ascii_case(key));
            let is_column =
                relation.schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case(key));
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
