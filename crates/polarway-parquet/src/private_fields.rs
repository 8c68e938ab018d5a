//! Fields that a writer added to the metadata of columns for itself, under numbers that Parquet has given away since.
//!
//! Dremio kept the headers of pages in field 15, which is the length of a bloom filter today. A reader that takes such a
//! field for what its number means now reads on in the middle of it. What is not of the kind that Parquet gives the number
//! is taken out before the footer is parsed: only its writer used it.

use std::borrow::Cow;
use std::ops::Range;

use crate::thrift::{Cursor, Flaw, I32, I64, LIST, STRUCT};

// Fields of the structs in `parquet.thrift`.
const FILE_ROW_GROUPS: i64 = 4;
const ROW_GROUP_COLUMNS: i64 = 1;
const COLUMN_METADATA: i64 = 3;

/// How deep the metadata of a column lies.
const DEPTH: usize = 3;

/// The fields of a column's metadata that came after others had used their numbers, with the kind of each: offset and length
/// of a bloom filter, statistics of sizes, and of places.
const LATER_FIELDS: [(i64, u8); 4] = [(14, I64), (15, I32), (16, STRUCT), (17, STRUCT)];

/// The footer as it can be parsed: without such fields, and as it is where there are none.
///
/// # Errors
/// What keeps it from being read at all.
pub(crate) fn without_private_fields(footer: &[u8]) -> Result<Cow<'_, [u8]>, Flaw> {
    let mut edits = Vec::new();
    each_column(footer, &mut |cursor| find(cursor, footer.len(), &mut edits))?;
    if edits.is_empty() {
        return Ok(Cow::Borrowed(footer));
    }
    let mut repaired = Vec::with_capacity(footer.len() + edits.len());
    let mut copied = 0;
    for Edit { bytes, replacement } in edits {
        repaired.extend_from_slice(&footer[copied..bytes.start]);
        repaired.extend(replacement);
        copied = bytes.end;
    }
    repaired.extend_from_slice(&footer[copied..]);
    Ok(Cow::Owned(repaired))
}

struct Edit {
    bytes: Range<usize>,
    replacement: Vec<u8>,
}

/// Calls `read` at the beginning of each column's metadata, which it must pass over.
fn each_column<'a>(
    footer: &'a [u8],
    read: &mut impl FnMut(&mut Cursor<'a>) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let mut column = |cursor: &mut Cursor<'a>, id, kind| match (id, kind) {
        (COLUMN_METADATA, STRUCT) => read(cursor).map(|()| true),
        _ => Ok(false),
    };
    let mut row_group = |cursor: &mut Cursor<'a>, id, kind| match (id, kind) {
        (ROW_GROUP_COLUMNS, LIST) => each_struct(cursor, &mut |cursor| cursor.fields(DEPTH - 1, &mut column)),
        _ => Ok(false),
    };
    Cursor { rest: footer }.fields(0, &mut |cursor, id, kind| match (id, kind) {
        (FILE_ROW_GROUPS, LIST) => each_struct(cursor, &mut |cursor| cursor.fields(1, &mut row_group)),
        _ => Ok(false),
    })
}

fn each_struct<'a>(
    cursor: &mut Cursor<'a>,
    read: &mut dyn FnMut(&mut Cursor<'a>) -> Result<(), Flaw>,
) -> Result<bool, Flaw> {
    let (count, kind) = cursor.list()?;
    if kind != STRUCT {
        return Err(Flaw::Malformed);
    }
    (0..count).try_for_each(|_| read(cursor))?;
    Ok(true)
}

fn find(cursor: &mut Cursor<'_>, length: usize, edits: &mut Vec<Edit>) -> Result<(), Flaw> {
    let at = |cursor: &Cursor<'_>| length - cursor.rest.len();
    let (mut id, mut follows_a_cut) = (0, false);
    loop {
        let start = at(cursor);
        let Some((next, kind)) = cursor.field(id)? else { return Ok(()) };
        id = next;
        let head = start..at(cursor);
        cursor.skip(kind, DEPTH)?;
        let is_private = LATER_FIELDS.iter().any(|(later, wanted)| *later == id && *wanted != kind);
        if is_private {
            edits.push(Edit { bytes: start..at(cursor), replacement: Vec::new() });
        } else if follows_a_cut {
            // A field counts from the one before, unless it has its own number.
            edits.push(Edit { bytes: head, replacement: own_number(id, kind) });
        }
        follows_a_cut = is_private;
    }
}

/// The head of a field that tells its whole number: the kind, and the number in zigzag and seven bits a byte.
fn own_number(id: i64, kind: u8) -> Vec<u8> {
    let mut number = ((id << 1) ^ (id >> 63)) as u64;
    let mut head = vec![kind];
    while number >= 0x80 {
        head.push(number as u8 | 0x80);
        number >>= 7;
    }
    head.push(number as u8);
    head
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};

    use super::*;
    use crate::{EncodeOptions, FileReader, ReadOptions, TableEncoder, read};

    /// What Dremio adds: a list of one struct as field 15, and a number as field 16; and behind them one that is nobody's.
    const ADDED: [u8; 8] = [LIST, 30, 0x10 | STRUCT, 0, 0x10 | I64, 22, 0x40 | I64, 2];

    /// A file with the bytes in front of the end of each column's metadata.
    fn with_added(file: &[u8], added: &[u8]) -> Vec<u8> {
        let (rest, tail) = file.split_at(file.len() - 8);
        let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        let (data, footer) = rest.split_at(rest.len() - length);
        let mut ends = Vec::new();
        each_column(footer, &mut |cursor| {
            let mut id = 0;
            while let Some((next, kind)) = cursor.field(id)? {
                id = next;
                cursor.skip(kind, DEPTH)?;
            }
            ends.push(footer.len() - cursor.rest.len() - 1);
            Ok(())
        })
        .unwrap();
        let mut longer = footer.to_vec();
        for end in ends.iter().rev() {
            longer.splice(end..end, added.iter().copied());
        }
        let length = (longer.len() as u32).to_le_bytes();
        [data, &longer, &length, b"PAR1"].concat()
    }

    #[test]
    fn a_file_whose_writer_used_numbers_that_mean_something_else_today_is_read() {
        let numbers = Int64Array::from_iter_values(0..1_000);
        let more = Int64Array::from_iter_values(1_000..2_000);
        let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _), ("m", Arc::new(more) as _)]);
        let batch = batch.unwrap();
        let options = EncodeOptions::default().with_row_group_rows(300);
        let mut encoder = TableEncoder::new(Vec::new(), batch.schema(), options).unwrap();
        encoder.write(&batch).unwrap();
        let file = bytes::Bytes::from(with_added(&encoder.finish().unwrap().0, &ADDED));
        assert_eq!(FileReader::open(Arc::new(file.clone())).unwrap().rows(), 1_000);
        let batches = read(vec![Arc::new(file)], &batch.schema(), ReadOptions::default()).unwrap();
        let rows: usize = batches.map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, 1_000);
    }

    #[test]
    fn a_footer_without_such_fields_is_left_as_it_is() {
        assert!(matches!(without_private_fields(&[0]), Ok(Cow::Borrowed([0]))));
        assert_eq!(without_private_fields(&[0x40 | LIST, 0x10 | STRUCT]).unwrap_err(), Flaw::Cut);
        assert_eq!(without_private_fields(&[0x40 | LIST, 0x10 | I32, 0, 0]).unwrap_err(), Flaw::Malformed);
    }
}
