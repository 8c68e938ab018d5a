//! The kinds of the fields in a file's metadata, as `parquet.thrift` defines them.
//!
//! The `parquet` crate reads a field as what its number means, whatever kind the file declares for it. A field of another kind
//! makes it read the bytes in it as something else, such as the length of a list, and make room for that. So the kinds are
//! checked before.

use crate::thrift::{Cursor, Flaw, I32, I64, LIST, STRUCT};

/// True and false each have a kind.
const BOOLEANS: [u8; 2] = [1, 2];
const BOOL: u8 = BOOLEANS[0];
const I8: u8 = 3;
const I16: u8 = 4;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;

/// A field of a struct.
struct Field {
    number: i64,
    kind: u8,
    holds: Holds,
}

/// What is in a field's value.
enum Holds {
    /// Nothing that has kinds of its own.
    Value,
    Struct(&'static [Field]),
    Values(u8),
    Structs(&'static [Field]),
}

const fn value(number: i64, kind: u8) -> Field {
    Field { number, kind, holds: Holds::Value }
}

const fn fields(number: i64, of: &'static [Field]) -> Field {
    Field { number, kind: STRUCT, holds: Holds::Struct(of) }
}

const fn values(number: i64, kind: u8) -> Field {
    Field { number, kind: LIST, holds: Holds::Values(kind) }
}

const fn structs(number: i64, of: &'static [Field]) -> Field {
    Field { number, kind: LIST, holds: Holds::Structs(of) }
}

const FILE: &[Field] = &[
    value(1, I32),
    structs(2, SCHEMA_ELEMENT),
    value(3, I64),
    structs(4, ROW_GROUP),
    structs(5, KEY_VALUE),
    value(6, BINARY),
    structs(7, COLUMN_ORDER),
];

const SCHEMA_ELEMENT: &[Field] = &[
    value(1, I32),
    value(2, I32),
    value(3, I32),
    value(4, BINARY),
    value(5, I32),
    value(6, I32),
    value(7, I32),
    value(8, I32),
    value(9, I32),
    fields(10, LOGICAL_TYPE),
];

/// A union: a struct with one field, which says which type it is.
const LOGICAL_TYPE: &[Field] = &[
    fields(1, &[]),
    fields(2, &[]),
    fields(3, &[]),
    fields(4, &[]),
    fields(5, &[value(1, I32), value(2, I32)]), // decimal
    fields(6, &[]),
    fields(7, TIME),
    fields(8, TIME),
    fields(10, &[value(1, I8), value(2, BOOL)]), // integer
    fields(11, &[]),
    fields(12, &[]),
    fields(13, &[]),
    fields(14, &[]),
    fields(15, &[]),
    fields(16, &[value(1, I8)]),                    // variant
    fields(17, &[value(1, BINARY)]),                // geometry
    fields(18, &[value(1, BINARY), value(2, I32)]), // geography
];

const TIME: &[Field] = &[value(1, BOOL), fields(2, &[fields(1, &[]), fields(2, &[]), fields(3, &[])])];

const KEY_VALUE: &[Field] = &[value(1, BINARY), value(2, BINARY)];

const COLUMN_ORDER: &[Field] = &[fields(1, &[])];

const ROW_GROUP: &[Field] = &[
    structs(1, COLUMN_CHUNK),
    value(2, I64),
    value(3, I64),
    structs(4, &[value(1, I32), value(2, BOOL), value(3, BOOL)]), // sorting columns
    value(5, I64),
    value(6, I64),
    value(7, I16),
];

const COLUMN_CHUNK: &[Field] = &[
    value(1, BINARY),
    value(2, I64),
    fields(3, COLUMN_METADATA),
    value(4, I64),
    value(5, I32),
    value(6, I64),
    value(7, I32),
];

const COLUMN_METADATA: &[Field] = &[
    value(1, I32),
    values(2, I32),
    values(3, BINARY),
    value(4, I32),
    value(5, I64),
    value(6, I64),
    value(7, I64),
    structs(8, KEY_VALUE),
    value(9, I64),
    value(10, I64),
    value(11, I64),
    fields(12, STATISTICS),
    structs(13, &[value(1, I32), value(2, I32), value(3, I32)]), // statistics of encodings
    value(14, I64),
    value(15, I32),
    fields(16, &[value(1, I64), values(2, I64), values(3, I64)]), // statistics of sizes
    fields(17, &[fields(1, BOUNDING_BOX), values(2, I32)]),       // statistics of places
];

const STATISTICS: &[Field] = &[
    value(1, BINARY),
    value(2, BINARY),
    value(3, I64),
    value(4, I64),
    value(5, BINARY),
    value(6, BINARY),
    value(7, BOOL),
    value(8, BOOL),
];

const BOUNDING_BOX: &[Field] = &[
    value(1, DOUBLE),
    value(2, DOUBLE),
    value(3, DOUBLE),
    value(4, DOUBLE),
    value(5, DOUBLE),
    value(6, DOUBLE),
    value(7, DOUBLE),
    value(8, DOUBLE),
];

/// Makes sure that each field that is known has the kind that it must have.
///
/// # Errors
/// [`Flaw::Malformed`] for one that has another, and what keeps the bytes from being walked over.
pub(crate) fn check_kinds(footer: &[u8]) -> Result<(), Flaw> {
    check(&mut Cursor { rest: footer }, FILE, 0)
}

fn check(cursor: &mut Cursor<'_>, known: &[Field], depth: usize) -> Result<(), Flaw> {
    cursor.fields(depth, &mut |cursor, number, kind| {
        // A reader counts the numbers of fields in 16 bits.
        if !(1..=i64::from(i16::MAX)).contains(&number) {
            return Err(Flaw::Malformed);
        }
        let Some(field) = known.iter().find(|field| field.number == number) else { return Ok(false) };
        let is_as_declared = field.kind == kind || field.kind == BOOL && BOOLEANS.contains(&kind);
        if !is_as_declared {
            return Err(Flaw::Malformed);
        }
        match field.holds {
            Holds::Value => return Ok(false),
            Holds::Struct(of) => check(cursor, of, depth + 1)?,
            Holds::Values(wanted) => {
                let count = elements(cursor, wanted)?;
                (0..count).try_for_each(|_| cursor.skip(wanted, depth))?;
            }
            Holds::Structs(of) => {
                let count = elements(cursor, STRUCT)?;
                (0..count).try_for_each(|_| check(cursor, of, depth + 1))?;
            }
        }
        Ok(true)
    })
}

/// How many elements of this kind a list has. One without any may declare another kind.
fn elements(cursor: &mut Cursor<'_>, wanted: u8) -> Result<u64, Flaw> {
    let (count, kind) = cursor.list()?;
    if count > 0 && kind != wanted { Err(Flaw::Malformed) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_another_kind_than_its_number_means_is_found_at_any_depth() {
        let huge = [0xf0 | STRUCT, 0xff, 0xff, 0xff, 0xff, 0x07];
        let in_a_text = [&[0x40 | BINARY, huge.len() as u8][..], &huge, &[0]].concat();
        assert_eq!(check_kinds(&in_a_text), Err(Flaw::Malformed), "row groups in a text");
        let unknown = [&[0xe0 | BINARY, huge.len() as u8][..], &huge, &[0]].concat();
        assert_eq!(check_kinds(&unknown), Ok(()), "a field that nobody reads");
        // Row groups, the columns of one, the metadata of one, and its encodings as a text.
        let nested = |encodings: &[u8]| {
            let start = [0x40 | LIST, 0x10 | STRUCT, 0x10 | LIST, 0x10 | STRUCT, 0x30 | STRUCT];
            [&start[..], encodings, &[0; 4]].concat()
        };
        assert_eq!(check_kinds(&nested(&[0x20 | LIST, 0x10 | I32, 0])), Ok(()));
        assert_eq!(check_kinds(&nested(&[0x20 | LIST, 0, 0x70 | I64, 2])), Ok(()), "none, of no kind");
        assert_eq!(check_kinds(&nested(&[0x20 | BINARY, 1, 0xff])), Err(Flaw::Malformed));
        assert_eq!(check_kinds(&nested(&[0x20 | LIST, 0x10 | BINARY, 0])), Err(Flaw::Malformed));
    }

    #[test]
    fn a_number_that_16_bits_can_not_hold_is_found() {
        let head = |number: i64| {
            let mut bytes = vec![BINARY];
            let mut left = (number as u64) << 1;
            while left >= 0x80 {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            [&bytes[..], &[left as u8, 0, 0]].concat()
        };
        assert_eq!(check_kinds(&head(100)), Ok(()));
        assert_eq!(check_kinds(&head(65_536 + 4)), Err(Flaw::Malformed));
    }
}
