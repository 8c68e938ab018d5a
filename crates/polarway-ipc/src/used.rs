//! Which part of what they share with others some rows use.

use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_select::dictionary::garbage_collect_any_dictionary;

use crate::{Error, Result};

/// The dictionary array with only those of its values that it uses.
pub(crate) fn prune_dictionary(array: &ArrayRef) -> Result<ArrayRef> {
    garbage_collect_any_dictionary(array.as_any_dictionary()).map_err(Error::Encode)
}

/// The range of a dense union's child that the rows in `range` point into.
pub(crate) fn used_by_type_id(
    type_ids: &[i8],
    offsets: &[i32],
    type_id: i8,
    range: &Range<usize>,
) -> Range<usize> {
    let rows = type_ids[range.clone()].iter().zip(&offsets[range.clone()]);
    rows.filter(|(id, _)| **id == type_id)
        .map(|(_, offset)| *offset as usize..*offset as usize + 1)
        .reduce(|used, row| used.start.min(row.start)..used.end.max(row.end))
        .unwrap_or(0..0)
}
