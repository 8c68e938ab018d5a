//! Numbers in a footer that some writers got wrong, put right before anything is read by them.

use parquet::file::metadata::{ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder};

use crate::{Error, Result};

/// Nothing lies before it: a file begins with four bytes that say what it is.
const FIRST_OFFSET: i64 = 4;

/// The header of a dictionary page is not longer.
const MOST_DICTIONARY_HEADER_BYTES: i64 = 100;

/// The first version of parquet-mr that counts the headers of dictionaries in the sizes of columns.
const FIRST_RIGHT_VERSION: [u32; 3] = [1, 2, 9];

/// The metadata with right numbers; the columns' pages end at `data_end`.
///
/// # Errors
/// [`Error::Corrupt`] for metadata that does not hold together.
pub(crate) fn repaired(metadata: ParquetMetaData, data_end: u64) -> Result<ParquetMetaData> {
    let file = metadata.file_metadata();
    let groups = metadata.row_groups();
    let sizes_are_short = leaves_out_dictionary_headers(file.created_by());
    let has_wrong_start = groups.iter().flat_map(|group| group.columns()).any(lacks_its_dictionary);
    let lacks_rows = file.num_rows() == 0 && groups.iter().any(|group| group.num_rows() > 0);
    if !sizes_are_short && !lacks_rows && !has_wrong_start {
        return Ok(metadata);
    }

    let rows = match file.num_rows() {
        0 => groups.iter().fold(0, |sum: i64, group| sum.saturating_add(group.num_rows())),
        rows => rows,
    };
    let repaired_file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let mut starts: Vec<i64> = groups.iter().flat_map(|group| group.columns()).map(start).collect();
    starts.push(i64::try_from(data_end).map_err(Error::corrupt)?);
    starts.sort_unstable();
    let repaired_chunk = |chunk: &ColumnChunkMetaData| {
        let mut builder = chunk.clone().into_builder();
        if lacks_its_dictionary(chunk) {
            builder = builder.set_dictionary_page_offset(None);
        }
        if sizes_are_short {
            builder = builder.set_total_compressed_size(with_dictionary_header(chunk, &starts));
        }
        builder.build().map_err(Error::corrupt)
    };
    let mut repaired_groups = Vec::with_capacity(groups.len());
    for group in groups {
        let chunks = group.columns().iter().map(repaired_chunk).collect::<Result<_>>()?;
        let group = group.clone().into_builder().set_column_metadata(chunks).build();
        repaired_groups.push(group.map_err(Error::corrupt)?);
    }
    Ok(ParquetMetaDataBuilder::new(repaired_file).set_row_groups(repaired_groups).build())
}

/// Where a column's first page is. The offset of the dictionary is that of the first page, if there is a dictionary: some
/// writers give 0 where there is none, or a place behind the first page.
fn start(chunk: &ColumnChunkMetaData) -> i64 {
    let data = chunk.data_page_offset();
    match chunk.dictionary_page_offset() {
        Some(dictionary) if dictionary >= FIRST_OFFSET && (dictionary < data || data < FIRST_OFFSET) => {
            dictionary
        }
        _ => data,
    }
}

/// Whether the footer tells of a dictionary that is not where it says, in front of the other pages.
fn lacks_its_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.dictionary_page_offset().is_some_and(|offset| offset != start(chunk))
}

/// A column's size, if that of its dictionary's header was left out: up to where the next column starts.
fn with_dictionary_header(chunk: &ColumnChunkMetaData, starts: &[i64]) -> i64 {
    let (start, size) = (start(chunk), chunk.compressed_size());
    let next = starts.get(starts.partition_point(|other| *other <= start));
    let up_to_next = next.map_or(size, |next| next.saturating_sub(start));
    up_to_next.min(size.saturating_add(MOST_DICTIONARY_HEADER_BYTES)).max(size)
}

/// Whether the writer is a parquet-mr of before 1.2.9, which does not count the headers of dictionaries.
fn leaves_out_dictionary_headers(created_by: Option<&str>) -> bool {
    let Some(rest) = created_by.and_then(|writer| writer.strip_prefix("parquet-mr")) else { return false };
    let version = rest.trim_start().strip_prefix("version ").unwrap_or_default();
    let mut numbers = version.split(|character: char| !character.is_ascii_digit());
    let version = [(); 3].map(|()| numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0));
    version < FIRST_RIGHT_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_that_leave_the_headers_of_dictionaries_out_are_known_by_their_version() {
        for old in ["parquet-mr", "parquet-mr version 1.2.8 (build abc)", "parquet-mr version 1.0.0-t2"] {
            assert!(leaves_out_dictionary_headers(Some(old)), "{old}");
        }
        let others =
            ["parquet-mr version 1.2.9", "parquet-mr version 1.10.1 (build 1)", "parquet-cpp version 1.0.0"];
        for right in others {
            assert!(!leaves_out_dictionary_headers(Some(right)), "{right}");
        }
        assert!(!leaves_out_dictionary_headers(None));
    }
}
