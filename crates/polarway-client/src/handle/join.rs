//! The right side of a join, and its kind.

use polarway_sql::identifier;

use super::Handle;
use super::lazy::LazyQuery;

/// The kind of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinHow {
    /// Pairs of rows that match.
    Inner,
    /// As `Inner`, and the rows of the left that have no match, with NULLs on the right.
    Left,
    /// As `Inner`, and the rows of the right that have no match, with NULLs on the left.
    Right,
    /// As `Inner`, and the rows of both sides that have no match.
    Full,
    /// The rows of the left that have a match, once each, without the columns of the right.
    Semi,
    /// The rows of the left that have no match, without the columns of the right.
    Anti,
}

impl JoinHow {
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Inner => "INNER",
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
            Self::Full => "FULL",
            Self::Semi => "SEMI",
            Self::Anti => "ANTI",
        }
    }

    /// Whether the right's columns are in the result.
    pub(super) fn has_both(self) -> bool {
        !matches!(self, Self::Semi | Self::Anti)
    }
}

/// The right side of a join: a handle, a query that has not run, or a dataset by its name. Each converts with `Into`.
#[derive(Clone, Debug)]
pub struct JoinSource {
    /// The SQL after JOIN.
    pub(super) relation: String,
    /// Its columns, if they are known.
    pub(super) columns: Option<Vec<String>>,
    /// The handles that must not be dropped before it has run.
    pub(super) handles: Vec<Handle>,
}

impl From<&Handle> for JoinSource {
    fn from(handle: &Handle) -> Self {
        let columns = handle.schema().fields().iter().map(|field| field.name().clone()).collect();
        Self { relation: identifier(handle.id()), columns: Some(columns), handles: vec![handle.clone()] }
    }
}

impl From<Handle> for JoinSource {
    fn from(handle: Handle) -> Self {
        Self::from(&handle)
    }
}

impl From<&LazyQuery> for JoinSource {
    fn from(query: &LazyQuery) -> Self {
        query.clone().into()
    }
}

impl From<LazyQuery> for JoinSource {
    fn from(query: LazyQuery) -> Self {
        let LazyQuery { sql, columns, handles, .. } = query;
        Self { relation: format!("(\n{sql}\n) AS other"), columns, handles }
    }
}

/// The name of a dataset.
impl From<&str> for JoinSource {
    fn from(name: &str) -> Self {
        // `self` is the query itself; a dataset of that name is found under its longer name.
        let schema = if name.eq_ignore_ascii_case("self") { "main." } else { "" };
        Self { relation: format!("{schema}{}", identifier(name)), columns: None, handles: Vec::new() }
    }
}

/// The name of a dataset.
impl From<&String> for JoinSource {
    fn from(name: &String) -> Self {
        name.as_str().into()
    }
}
