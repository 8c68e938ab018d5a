//! A look at what Thrift's compact protocol declares, before the `parquet` crate reads it and makes room for it.

/// How many structs deep a value may be nested.
const MOST_DEPTH: usize = 64;
/// How many groups deep a column may be nested.
const MOST_GROUPS: usize = 64;

// The kinds of values.
const STOP: u8 = 0;
pub(crate) const I32: u8 = 5;
pub(crate) const I64: u8 = 6;
pub(crate) const LIST: u8 = 9;
pub(crate) const STRUCT: u8 = 12;

// Fields of the structs in `parquet.thrift`.
const FILE_SCHEMA: i64 = 2;
const FILE_ENCRYPTION: i64 = 8;
const SCHEMA_CHILDREN: i64 = 5;
const PAGE_UNCOMPRESSED_BYTES: i64 = 2;
const PAGE_DATA: i64 = 5;
const PAGE_DICTIONARY: i64 = 7;
const PAGE_DATA_V2: i64 = 8;
const DICTIONARY_VALUES: i64 = 1;
const DATA_ENCODING: i64 = 2;
const DATA_V2_ENCODING: i64 = 4;

/// Encodings whose values share bytes with others, or stand behind all their lengths.
const DELTA_ENCODINGS: [i64; 2] = [6, 7];

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The bytes end in the middle of it, or before as many elements as a list declares.
    Cut,
    /// It is nested deeper than any is.
    TooDeep,
    /// No value looks like that.
    Malformed,
    /// The file says that it is encrypted.
    Encrypted,
}

/// Makes sure that the lists in a file's metadata are as long as they declare, and its columns no bottomless pit.
pub(crate) fn check_footer(bytes: &[u8]) -> Result<(), Flaw> {
    Cursor { rest: bytes }.fields(0, &mut |cursor, id, kind| {
        if (id, kind) == (FILE_ENCRYPTION, STRUCT) {
            return Err(Flaw::Encrypted);
        }
        if (id, kind) != (FILE_SCHEMA, LIST) {
            return Ok(false);
        }
        let (count, kind) = cursor.list()?;
        if kind != STRUCT {
            return Err(Flaw::Malformed);
        }
        // For each group that is open, how many of its children are still to come.
        let mut open: Vec<i64> = Vec::new();
        for _ in 0..count {
            let children = cursor.largest_field(SCHEMA_CHILDREN, |children| children > 0)?;
            if let Some(last) = open.last_mut() {
                *last -= 1;
            }
            open.extend(children);
            if open.len() > MOST_GROUPS {
                return Err(Flaw::TooDeep);
            }
            while open.last().is_some_and(|left| *left == 0) {
                open.pop();
            }
        }
        Ok(true)
    })
}

/// What a page's header declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageHead {
    /// The most that any field says of it.
    pub(crate) uncompressed_bytes: i64,
    /// The number of values, if it is a dictionary.
    pub(crate) dictionary_values: Option<i64>,
    /// Whether its values stand behind their lengths (`DELTA_LENGTH_BYTE_ARRAY`, `DELTA_BYTE_ARRAY`).
    pub(crate) has_deltas: bool,
}

/// Reads the header at the start of `bytes`.
pub(crate) fn page_head(bytes: &[u8]) -> Result<PageHead, Flaw> {
    let mut head = PageHead::default();
    Cursor { rest: bytes }.fields(0, &mut |cursor, id, kind| {
        match (id, kind) {
            (PAGE_UNCOMPRESSED_BYTES, I32) => {
                head.uncompressed_bytes = head.uncompressed_bytes.max(cursor.zigzag()?);
            }
            (PAGE_DICTIONARY, STRUCT) => {
                let values = cursor.largest_field(DICTIONARY_VALUES, |_| true)?;
                head.dictionary_values = head.dictionary_values.max(values.or(Some(0)));
            }
            (PAGE_DATA | PAGE_DATA_V2, STRUCT) => {
                let encoding = if id == PAGE_DATA { DATA_ENCODING } else { DATA_V2_ENCODING };
                let deltas = cursor.largest_field(encoding, |found| DELTA_ENCODINGS.contains(&found))?;
                head.has_deltas |= deltas.is_some();
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(head)
}

/// What is left of the bytes.
pub(crate) struct Cursor<'a> {
    pub(crate) rest: &'a [u8],
}

/// Reads a field's value, of which it gets the number and the kind, or says that it did not.
pub(crate) type Visit<'v, 'a> = dyn FnMut(&mut Cursor<'a>, i64, u8) -> Result<bool, Flaw> + 'v;

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Flaw> {
        let count = usize::try_from(count).map_err(|_| Flaw::Cut)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Flaw::Cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        self.take(1).map(|taken| taken[0])
    }

    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Flaw::Malformed)
    }

    fn zigzag(&mut self) -> Result<i64, Flaw> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The number of elements that a list has, and their kind. Each takes a byte at least.
    pub(crate) fn list(&mut self) -> Result<(u64, u8), Flaw> {
        let head = self.byte()?;
        let count = match head >> 4 {
            0x0f => self.varint()?,
            short => u64::from(short),
        };
        if count > self.rest.len() as u64 { Err(Flaw::Cut) } else { Ok((count, head & 0x0f)) }
    }

    /// Walks over a struct inside of another, and gives the largest number of those in this field that count.
    fn largest_field(&mut self, field: i64, counts: impl Fn(i64) -> bool) -> Result<Option<i64>, Flaw> {
        let mut largest = None;
        self.fields(1, &mut |cursor, id, kind| {
            let found = (id, kind) == (field, I32);
            if found {
                largest = largest.max(Some(cursor.zigzag()?).filter(|number| counts(*number)));
            }
            Ok(found)
        })?;
        Ok(largest)
    }

    /// Walks over a struct.
    pub(crate) fn fields(&mut self, depth: usize, visit: &mut Visit<'_, 'a>) -> Result<(), Flaw> {
        if depth > MOST_DEPTH {
            return Err(Flaw::TooDeep);
        }
        let mut id = 0i64;
        while let Some((next, kind)) = self.field(id)? {
            id = next;
            if !visit(self, id, kind)? {
                self.skip(kind, depth)?;
            }
        }
        Ok(())
    }

    /// The number and the kind of the field behind the one of number `before`; `None` at the end of the struct.
    pub(crate) fn field(&mut self, before: i64) -> Result<Option<(i64, u8)>, Flaw> {
        let head = self.byte()?;
        let kind = head & 0x0f;
        if kind == STOP {
            return Ok(None);
        }
        let id = match head >> 4 {
            0 => self.zigzag()?,
            step => before.wrapping_add(i64::from(step)),
        };
        Ok(Some((id, kind)))
    }

    /// Passes over a field's value.
    pub(crate) fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Flaw> {
        match kind {
            1 | 2 => Ok(()), // a boolean is its kind
            _ => self.skip_element(kind, depth),
        }
    }

    fn skip_element(&mut self, kind: u8, depth: usize) -> Result<(), Flaw> {
        if depth > MOST_DEPTH {
            return Err(Flaw::TooDeep);
        }
        match kind {
            1..=3 => self.take(1).map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.take(8).map(drop),
            8 => {
                let length = self.varint()?;
                self.take(length).map(drop)
            }
            LIST | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth + 1))
            }
            11 => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth + 1)?;
                    self.skip_element(kinds & 0x0f, depth + 1)
                })
            }
            STRUCT => self.fields(depth + 1, &mut |_, _, _| Ok(false)),
            13 => self.take(16).map(drop),
            _ => Err(Flaw::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct with one field of number 2: a list of this many elements of this kind, behind which come `elements`.
    fn list(count: u8, kind: u8, elements: &[u8]) -> Vec<u8> {
        [&[2 << 4 | LIST, 0xf0 | kind, count], elements, &[STOP]].concat()
    }

    #[test]
    fn a_list_that_declares_more_than_there_is_is_found_before_there_is_room_for_it() {
        assert_eq!(check_footer(&[2 << 4 | LIST, 0xf0 | I32, 0xff, 0xff, 0xff, 0x7f, 0]), Err(Flaw::Cut));
        assert_eq!(check_footer(&list(3, STRUCT, &[STOP; 3])), Ok(()));
        assert_eq!(check_footer(&list(100, STRUCT, &[STOP; 3])), Err(Flaw::Cut));
    }

    #[test]
    fn columns_without_a_bottom_are_found() {
        let group = [5 << 4 | I32, 2, STOP]; // of one child
        assert_eq!(check_footer(&list(60, STRUCT, &group.repeat(60))), Ok(()));
        assert_eq!(check_footer(&list(100, STRUCT, &group.repeat(100))), Err(Flaw::TooDeep));
        let nested = [1 << 4 | STRUCT].repeat(1_000);
        assert_eq!(check_footer(&nested), Err(Flaw::TooDeep));
    }

    #[test]
    fn a_page_header_tells_what_is_behind_it() {
        let number = |step: u8, value: u8| [step << 4 | I32, value << 1];
        let sizes = [number(1, 2), number(1, 40), number(1, 10)].concat();
        let dictionary = [&sizes, &[4 << 4 | STRUCT][..], &number(1, 3), &[STOP, STOP]].concat();
        let head = PageHead { uncompressed_bytes: 40, dictionary_values: Some(3), has_deltas: false };
        assert_eq!(page_head(&dictionary), Ok(head));
        assert_eq!(page_head(&dictionary[..7]), Err(Flaw::Cut));
        let data = [&sizes, &[2 << 4 | STRUCT][..], &number(1, 9), &number(1, 7), &[STOP, STOP]].concat();
        assert!(page_head(&data).unwrap().has_deltas);
    }
}
