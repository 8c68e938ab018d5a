//! What is loaded: which version, and some of its columns and rows.

use std::ops::{Bound, RangeBounds};

use crate::at::At;

/// What is loaded of a dataset: all of its newest version unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// The version.
    pub at: At,
    /// The columns and the rows.
    pub selection: Selection,
}

impl From<At> for LoadOptions {
    fn from(at: At) -> Self {
        Self { at, selection: Selection::default() }
    }
}

impl From<Selection> for LoadOptions {
    fn from(selection: Selection) -> Self {
        Self { at: At::Newest, selection }
    }
}

/// Some columns and some rows of a table; all of both unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The columns, by their names, in the order that they shall have; `None` is all of them.
    pub columns: Option<Vec<String>>,
    /// The first row, counted from 0.
    pub first_row: u64,
    /// The row behind the last one; `None` is the table's end, and so is a row behind that.
    pub end_row: Option<u64>,
}

impl Selection {
    /// This selection with these columns alone.
    #[must_use]
    pub fn with_columns<C: Into<String>>(self, columns: impl IntoIterator<Item = C>) -> Self {
        Self { columns: Some(columns.into_iter().map(Into::into).collect()), ..self }
    }

    /// This selection with these rows alone, counted from 0: `100..200`, `..10`, `1_000..`.
    #[must_use]
    pub fn with_rows(self, rows: impl RangeBounds<u64>) -> Self {
        let first_row = match rows.start_bound() {
            Bound::Included(row) => *row,
            Bound::Excluded(row) => row.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end_row = match rows.end_bound() {
            Bound::Included(row) => row.checked_add(1),
            Bound::Excluded(row) => Some(*row),
            Bound::Unbounded => None,
        };
        Self { first_row, end_row, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_each_form_are_a_first_row_and_an_end() {
        let rows = |selection: Selection| (selection.first_row, selection.end_row);
        let all = Selection::default();
        assert_eq!(rows(all.clone().with_rows(3..7)), (3, Some(7)));
        assert_eq!(rows(all.clone().with_rows(3..=7)), (3, Some(8)));
        assert_eq!(rows(all.clone().with_rows(..7)), (0, Some(7)));
        assert_eq!(rows(all.clone().with_rows(3..)), (3, None));
        assert_eq!(rows(all.clone().with_rows(..=u64::MAX)), (0, None));
        assert_eq!(all.clone().with_rows(..), all);
    }
}
