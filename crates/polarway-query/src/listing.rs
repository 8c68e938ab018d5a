//! Tables about tables: answered from the list of datasets, not by an executor.

/// A table about tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `SHOW TABLES`
    Tables,
    /// `SHOW ALL TABLES`
    AllTables,
    /// `information_schema.tables`
    InformationTables,
    /// `information_schema.columns`
    InformationColumns,
}

impl Listing {
    /// The view of the information schema with this name.
    pub(crate) fn of_information_schema(name: &str) -> Option<Self> {
        match name.to_lowercase().as_str() {
            "tables" => Some(Self::InformationTables),
            "columns" => Some(Self::InformationColumns),
            _ => None,
        }
    }
}

/// The catalog under which datasets appear to tools that ask for a catalog and a schema.
pub(crate) const CATALOG: &str = "polarway";
pub(crate) const SCHEMA: &str = "main";
