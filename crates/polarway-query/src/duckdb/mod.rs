//! DuckDB as the executor: all that knows how it is called, configured, and what it does otherwise than others.

pub(crate) mod analytics;
pub(crate) mod column_names;
pub(crate) mod culprits;
pub(crate) mod diagnose;
pub(crate) mod explained;
pub(crate) mod instance;
pub(crate) mod instances;
pub(crate) mod kept;
pub(crate) mod listing;
pub(crate) mod native;
pub(crate) mod result_types;
pub(crate) mod sandbox;
pub(crate) mod sessions;
pub(crate) mod sql_type;
pub(crate) mod stored_types;
pub(crate) mod view;
