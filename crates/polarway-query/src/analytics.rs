//! The operator's own DuckDB database, which queries read as `analytics.<table>`.

use crate::catalog::Catalog;

/// The name under which the database is attached.
pub(crate) const NAME: &str = "analytics";

/// The schema for names without one.
const DEFAULT_SCHEMA: &str = "main";

/// The tables and views of the attached database. It is attached read-only, so they don't change.
#[derive(Debug)]
pub(crate) struct Analytics {
    /// Sorted by schema and name.
    tables: Vec<AttachedTable>,
}

/// A table or view of the attached database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AttachedTable {
    pub(crate) schema: String,
    pub(crate) name: String,
}

impl AttachedTable {
    /// Whether the query's author may see it.
    pub(crate) fn is_seen_by(&self, catalog: &dyn Catalog) -> bool {
        catalog.sees_analytics(&self.schema, &self.name)
    }

    /// The table's name as a query writes it.
    fn written(&self) -> String {
        match self.schema.as_str() {
            DEFAULT_SCHEMA => format!("{NAME}.{}", self.name),
            schema => format!("{NAME}.{schema}.{}", self.name),
        }
    }
}

impl Analytics {
    /// A database with these tables, sorted by schema and name.
    pub(crate) fn new(tables: Vec<AttachedTable>) -> Self {
        Self { tables }
    }

    /// The tables that the query's author may see.
    pub(crate) fn seen_by<'a>(&'a self, catalog: &'a dyn Catalog) -> SeenAnalytics<'a> {
        SeenAnalytics { analytics: self, catalog }
    }
}

/// The tables that the query's author may see.
#[derive(Clone, Copy)]
pub(crate) struct SeenAnalytics<'a> {
    analytics: &'a Analytics,
    catalog: &'a dyn Catalog,
}

impl<'a> SeenAnalytics<'a> {
    fn tables(self) -> impl Iterator<Item = &'a AttachedTable> {
        self.analytics.tables.iter().filter(move |table| table.is_seen_by(self.catalog))
    }

    /// The table with this name; SQL names are case-insensitive.
    pub(crate) fn find(self, schema: &str, name: &str) -> Option<&'a AttachedTable> {
        let schema = if schema.is_empty() { DEFAULT_SCHEMA } else { schema };
        self.tables()
            .find(|its| its.schema.eq_ignore_ascii_case(schema) && its.name.eq_ignore_ascii_case(name))
    }

    /// The tables with the closest names, as a query writes them.
    pub(crate) fn nearest(self, name: &str) -> Vec<String> {
        let distance = |its: &str| strsim::damerau_levenshtein(&its.to_lowercase(), &name.to_lowercase());
        let mut close: Vec<_> = self
            .tables()
            .map(|table| (distance(&table.name), table.schema != DEFAULT_SCHEMA, table))
            .filter(|(distance, _, table)| *distance * 2 <= table.name.len().max(name.len()))
            .collect();
        close.sort();
        close.into_iter().take(3).map(|(_, _, table)| table.written()).collect()
    }
}
