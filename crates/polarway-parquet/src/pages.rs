//! Pages, looked at before the decoder makes room for what they mean.
//!
//! A page of some kilobytes may mean terabytes: keys that name a long value of a dictionary again and again, or values that
//! share a long prefix with the one before. The decoder writes all rows of a batch out at once, so a batch of such values must
//! have fewer rows.

use std::sync::Arc;

use parking_lot::Mutex;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use crate::chunk::ChunkSources;
use crate::delta::read_deltas;

/// The most bytes that one column of a batch may turn out to have.
const MOST_BATCH_BYTES: u64 = 256 << 20;

/// Where columns leave how many rows a batch may have at the most, when they were asked for more.
#[derive(Clone, Default)]
pub(crate) struct FittingRows(Arc<Mutex<Option<usize>>>);

impl FittingRows {
    /// The rows that fit, where more were asked for.
    pub(crate) fn get(&self) -> Option<usize> {
        *self.0.lock()
    }

    /// Refuses batches that could have values of this length in each of their rows, and be too large by that.
    fn check(&self, batch_rows: usize, value_bytes: u64) -> Result<()> {
        let Some(rows) = MOST_BATCH_BYTES.checked_div(value_bytes) else { return Ok(()) };
        let rows = usize::try_from(rows).unwrap_or(usize::MAX).max(1);
        if rows >= batch_rows {
            return Ok(());
        }
        let mut fitting = self.0.lock();
        *fitting = Some(fitting.map_or(rows, |others| others.min(rows)));
        Err(ParquetError::General(format!("a value of {value_bytes} bytes stands for too many rows")))
    }
}

/// Makes sure that `batch_rows` rows of a column can be decoded at once. Only pages are looked at that may mean more than they
/// take.
pub(crate) fn check_batches(
    chunks: &Arc<ChunkSources>,
    column: &ColumnChunkMetaData,
    rows: usize,
    batch_rows: usize,
    fitting: &FittingRows,
) -> Result<()> {
    let pages = || SerializedPageReader::new(Arc::clone(chunks), column, rows, None);
    let (start, _) = column.byte_range();
    let dictionary_bytes = chunks.dictionary_bytes(start)?;
    if column.column_type() == PhysicalType::BYTE_ARRAY
        && dictionary_bytes.saturating_mul(batch_rows as u64) > MOST_BATCH_BYTES
        && let Some(Page::DictionaryPage { buf, num_values, .. }) = pages()?.get_next_page()?
    {
        fitting.check(batch_rows, longest_plain(&buf, num_values as usize))?;
    }
    if has_deltas(column) {
        for page in pages()? {
            let page = page?;
            if is_delta(page.encoding()) && page.page_type() != parquet::basic::PageType::DICTIONARY_PAGE {
                fitting.check(batch_rows, longest_delta(&page, column.column_descr())?)?;
            }
        }
    }
    Ok(())
}

/// Whether pages of the column may be encoded so that values stand behind their lengths.
pub(crate) fn has_deltas(column: &ColumnChunkMetaData) -> bool {
    column.encodings().any(is_delta)
}

fn is_delta(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::DELTA_BYTE_ARRAY | Encoding::DELTA_LENGTH_BYTE_ARRAY)
}

/// The bytes of a page's longest value that shares some with others, 0 where none does. The decoder makes room for as many
/// lengths as a page declares, so they are counted first.
fn longest_delta(page: &Page, column: &ColumnDescriptor) -> Result<u64> {
    let malformed = || ParquetError::General("the lengths of a page's values are malformed".to_owned());
    let values = values_of(page, column).ok_or_else(malformed)?;
    if values.is_empty() {
        return Ok(0);
    }
    let most = page.num_values() as usize;
    let (first, length) = read_deltas(values, most).ok_or_else(malformed)?;
    if page.encoding() == Encoding::DELTA_LENGTH_BYTE_ARRAY {
        return Ok(0);
    }
    let (suffixes, _) = read_deltas(values.get(length..).unwrap_or_default(), most).ok_or_else(malformed)?;
    let sizes = first.iter().zip(suffixes).map(|(prefix, suffix)| prefix.saturating_add(suffix));
    let longest = u64::try_from(sizes.max().unwrap_or(0)).map_err(|_| malformed())?;
    // A value can't share more than there was.
    if longest > values.len() as u64 { Err(malformed()) } else { Ok(longest) }
}

/// A data page's values, behind its levels.
fn values_of<'p>(page: &'p Page, column: &ColumnDescriptor) -> Option<&'p [u8]> {
    let bytes = page.buffer().as_ref();
    match page {
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            bytes.get((*def_levels_byte_len as usize).checked_add(*rep_levels_byte_len as usize)?..)
        }
        Page::DataPage { num_values, def_level_encoding, rep_level_encoding, .. } => {
            let levels = [
                (column.max_rep_level(), *rep_level_encoding),
                (column.max_def_level(), *def_level_encoding),
            ];
            levels.into_iter().try_fold(bytes, |bytes, (level, encoding)| {
                bytes.get(level_bytes(bytes, level, encoding, *num_values as usize)?..)
            })
        }
        Page::DictionaryPage { .. } => None,
    }
}

/// What the levels at the front of a page's first version take.
fn level_bytes(bytes: &[u8], most: i16, encoding: Encoding, values: usize) -> Option<usize> {
    if most <= 0 {
        return Some(0);
    }
    if encoding == Encoding::RLE {
        let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
        return length.checked_add(4);
    }
    let width = (i16::BITS - most.leading_zeros()) as usize;
    Some(values.checked_mul(width)?.div_ceil(8))
}

/// The longest of the first values, each of which stands behind its length.
fn longest_plain(bytes: &[u8], count: usize) -> u64 {
    let (mut rest, mut longest) = (bytes, 0);
    for _ in 0..count {
        let Some((length, values)) = rest.split_first_chunk() else { break };
        let length = u32::from_le_bytes(*length);
        longest = longest.max(u64::from(length));
        rest = values.get(length as usize..).unwrap_or_default();
    }
    longest
}
