//! Batches that hold only what they show.
//!
//! Texts are views into buffers, and a sort or a filter gives many batches over the same ones. Whoever keeps some of these batches
//! counts the buffers of each, so that a bounded memory seems full. Between processes only what a batch shows travels; between
//! two tasks of one process it is copied out here.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, GenericByteViewArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{ByteViewType, DataType};
use datafusion::common::Result;

/// Buffers may be so many times larger than what is shown of them.
const MOST_TIMES: usize = 2;

/// The same rows, whose texts have buffers of their own if those that they had are much too large.
pub(super) fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| {
        let compacted = match column.data_type() {
            DataType::Utf8View => column.as_string_view_opt().and_then(compacted),
            DataType::BinaryView => column.as_binary_view_opt().and_then(compacted),
            _ => None,
        };
        compacted.unwrap_or_else(|| Arc::clone(column))
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)?)
}

fn compacted<T: ByteViewType>(texts: &GenericByteViewArray<T>) -> Option<ArrayRef> {
    let held: usize = texts.data_buffers().iter().map(|buffer| buffer.len()).sum();
    (held > MOST_TIMES * texts.total_buffer_bytes_used()).then(|| Arc::new(texts.gc()) as ArrayRef)
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryViewArray, StringViewArray};

    use super::*;

    #[test]
    fn a_small_part_of_a_large_batch_holds_only_its_own_texts() {
        let texts = (0..1_000).map(|n| format!("a text that is too long for a view, {n:0>20}"));
        let texts: Vec<String> = texts.collect();
        let bytes: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let whole = RecordBatch::try_from_iter([
            ("text", Arc::new(StringViewArray::from_iter_values(&texts)) as ArrayRef),
            ("bytes", Arc::new(BinaryViewArray::from_iter_values(bytes)) as ArrayRef),
        ])
        .unwrap();
        let part = whole.slice(500, 3);
        let small = compact(part.clone()).unwrap();
        assert_eq!(small, part);
        assert!(small.get_array_memory_size() * 10 < part.get_array_memory_size());
        let same = compact(whole.clone()).unwrap();
        let buffer = |batch: &RecordBatch| batch.column(0).as_string_view().data_buffers()[0].as_ptr();
        assert_eq!(buffer(&same), buffer(&whole), "what is compact was copied");
        let empty = compact(whole.slice(0, 0)).unwrap();
        assert_eq!((empty.num_rows(), empty.schema()), (0, whole.schema()));
    }
}
