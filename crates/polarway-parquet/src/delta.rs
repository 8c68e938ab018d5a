//! The lengths of a page's values in the encodings that put them in front, as differences.

/// Reads numbers in the encoding `DELTA_BINARY_PACKED` from the front of `bytes`, at most `most` of them; the numbers, and how
/// many bytes they took. Nothing where there are more, or the bytes are no such numbers.
pub(crate) fn read_deltas(bytes: &[u8], most: usize) -> Option<(Vec<i64>, usize)> {
    let mut reader = Reader { bytes, at: 0 };
    let block_values = usize::try_from(reader.varint()?).ok()?;
    let miniblocks = usize::try_from(reader.varint()?).ok()?;
    let count = usize::try_from(reader.varint()?).ok().filter(|count| *count <= most)?;
    let mut last = reader.zigzag()?;
    let miniblock_values = block_values.checked_div(miniblocks)?;
    if miniblock_values == 0 || miniblock_values % 32 != 0 {
        return None;
    }
    let mut numbers = Vec::with_capacity(count);
    numbers.extend(Some(last).filter(|_| count > 0));
    while numbers.len() < count {
        let least = reader.zigzag()?;
        for width in reader.take(miniblocks)? {
            if numbers.len() == count {
                break; // miniblocks without values have widths, but no bytes
            }
            let packed = reader.take(miniblock_values / 8 * usize::from(*width))?;
            let wanted = miniblock_values.min(count - numbers.len());
            for index in 0..wanted {
                let delta = bits(packed, index * usize::from(*width), *width)?;
                last = last.wrapping_add(least).wrapping_add(delta as i64);
                numbers.push(last);
            }
        }
    }
    Some((numbers, reader.at))
}

/// `width` bits from bit `start` on, the lowest first.
fn bits(bytes: &[u8], start: usize, width: u8) -> Option<u64> {
    let width = usize::from(width);
    if width > 64 {
        return None;
    }
    let mut value = 0u128;
    for (place, byte) in bytes.get(start / 8..(start + width).div_ceil(8))?.iter().enumerate() {
        value |= u128::from(*byte) << (8 * place);
    }
    let mask = (1u128 << width) - 1;
    Some((value >> (start % 8) & mask) as u64)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_format_has_it() {
        // 7, 5, 3, 1, 2, 3, 4, 5 of the format's own description, in a block of 128 with 4 miniblocks.
        let packed = [0b11_00_00_00, 0b11_11_11];
        let mut bytes = vec![0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0];
        bytes.extend(packed);
        bytes.extend([0; 6]);
        let (numbers, length) = read_deltas(&bytes, 100).unwrap();
        assert_eq!(numbers, [7, 5, 3, 1, 2, 3, 4, 5]);
        assert_eq!(length, bytes.len());
        assert_eq!(read_deltas(&bytes, 7), None);
        assert_eq!(read_deltas(&bytes[..12], 100), None);
    }

    #[test]
    fn a_count_beyond_all_bounds_takes_no_memory() {
        assert_eq!(read_deltas(&[0x80, 0x01, 4, 0xff, 0xff, 0xff, 0xff, 0x7f, 0], 1_000), None);
    }
}
