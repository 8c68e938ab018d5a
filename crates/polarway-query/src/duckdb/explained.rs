//! The answer of EXPLAIN, without file names.
//!
//! EXPLAIN ANALYZE shows which files a scan read. Only the operator may know where data is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};

use crate::plan::ExplainFormat;

/// DuckDB's label for the files of a scan.
const FILES: &str = "Filename(s)";

/// The rows of an EXPLAIN, without file names.
pub(crate) fn without_files(batch: &RecordBatch, format: ExplainFormat) -> RecordBatch {
    let columns = batch.columns().iter().map(|column| {
        let Some(texts) = column.as_string_opt::<i32>() else { return Arc::clone(column) };
        let cleaned = texts.iter().map(|text| {
            text.map(|text| match format {
                ExplainFormat::Text => clean_text(text),
                ExplainFormat::Json => clean_json(text),
            })
        });
        Arc::new(cleaned.collect::<StringArray>()) as ArrayRef
    });
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap_or_else(|_| batch.slice(0, 0))
}

fn clean_json(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(mut plan) => {
            remove_files(&mut plan);
            format!("{plan:#}")
        }
        // The first column: the kind of plan.
        Err(_) if !text.contains(FILES) => text.to_owned(),
        Err(_) => String::new(),
    }
}

fn remove_files(plan: &mut serde_json::Value) {
    match plan {
        serde_json::Value::Array(items) => items.iter_mut().for_each(remove_files),
        serde_json::Value::Object(entries) => {
            entries.remove(FILES);
            entries.values_mut().for_each(remove_files);
        }
        _ => {}
    }
}

/// Blanks the lines of a box from `Filename(s):` to its next empty line.
fn clean_text(text: &str) -> String {
    // By the position of their left edge: whether a box is now in its list of files.
    let mut in_files: BTreeMap<usize, bool> = BTreeMap::new();
    let mut cleaned = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut place = 0;
        for (index, part) in line.split('│').enumerate() {
            if index > 0 {
                cleaned.push('│');
            }
            let width = part.chars().count();
            let is_inside = in_files.entry(place).or_default();
            *is_inside =
                part.contains(FILES) || (*is_inside && !part.trim().is_empty() && !part.contains('─'));
            match *is_inside {
                true => {
                    cleaned.extend(part.chars().map(|character| if character == '\n' { '\n' } else { ' ' }))
                }
                false => cleaned.push_str(part),
            }
            place += width + 1;
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_one_box_go_and_the_boxes_beside_it_stay() {
        let plan = "\
┌───────────┐┌───────────┐
│    SCAN   ││    SCAN   │
│           ││Filename(s)│
│Filename(s)││:          │
│: /data/x  ││/data/y.par│
│.parquet   ││quet       │
│           ││           │
│  3 rows   ││  4 rows   │
└───────────┘└───────────┘
";
        let cleaned = clean_text(plan);
        assert!(!cleaned.contains("data") && !cleaned.contains("quet"), "{cleaned}");
        assert!(cleaned.contains("│  3 rows   ││  4 rows   │"), "{cleaned}");
        assert_eq!(cleaned.chars().count(), plan.chars().count());
    }

    #[test]
    fn the_files_of_a_plan_in_json_go_at_any_depth() {
        let plan = r#"{"children": [{"extra_info": {"Filename(s)": "/data/x.parquet", "Filters": "a>3"}}]}"#;
        let cleaned = clean_json(plan);
        assert!(!cleaned.contains("data") && cleaned.contains("a>3"), "{cleaned}");
    }
}
