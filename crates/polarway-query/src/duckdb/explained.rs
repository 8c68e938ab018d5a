//! The answer of EXPLAIN, without file names.
//!
//! EXPLAIN ANALYZE shows which files a scan read. Only the operator may know where data is stored.

use std::collections::{BTreeMap, BTreeSet};
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
                ExplainFormat::Text | ExplainFormat::Distributed => clean_text(text),
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

/// Blanks file names in a drawing of boxes.
fn clean_text(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        let Some(mut edges) = Edges::of_top(line) else {
            cleaned.push_str(line);
            continue;
        };
        let mut row = vec![line];
        for line in lines.by_ref() {
            row.push(line);
            if edges.are_closed_by(line) {
                break;
            }
        }
        match row.iter().any(|line| line.contains(FILES)) {
            true => clean_row(&row, &mut edges, &mut cleaned),
            false => cleaned.extend(row),
        }
    }
    cleaned
}

/// Where the edges of the boxes are that stand side by side, and of the lines that pass by them, in characters.
struct Edges {
    /// The left edge of the first box. Nothing that varies stands before it.
    first: usize,
    places: BTreeSet<usize>,
}

impl Edges {
    /// Those of the boxes that this line is the top of.
    fn of_top(line: &str) -> Option<Self> {
        let first = line.chars().position(|character| character == '┌')?;
        let is_edge = |(_, character): &(usize, char)| ['┌', '┐', '│'].contains(character);
        let places = line.chars().enumerate().filter(is_edge).map(|(place, _)| place).collect();
        Some(Self { first, places })
    }

    fn are_closed_by(&self, line: &str) -> bool {
        line.chars().nth(self.first) == Some('└')
    }

    /// Whether all edges in a line are where they should be. Otherwise a value has such characters, or wide ones, and what
    /// stands in which box can't be told. A branch to the right adds an edge to the lines below it.
    fn explain(&mut self, line: &str) -> bool {
        let mut branch = false;
        for (place, character) in line.chars().enumerate() {
            branch &= ['─', '┬', '┐'].contains(&character);
            match character {
                '│' if !self.places.contains(&place) => return false,
                '├' if self.places.contains(&place) => branch = true,
                '┐' if branch => {
                    self.places.insert(place);
                }
                _ => {}
            }
        }
        true
    }
}

/// Blanks each box from `Filename(s):` to its next empty line, and all that follows where the boxes can't be told apart.
fn clean_row(row: &[&str], edges: &mut Edges, cleaned: &mut String) {
    // By the position of their left edge: whether a box is now in its list of files.
    let mut in_files: BTreeMap<usize, bool> = BTreeMap::new();
    let mut is_clear = true;
    for line in row {
        is_clear = is_clear && edges.explain(line);
        if !is_clear {
            cleaned.extend(blank(line));
            continue;
        }
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
                true => cleaned.extend(blank(part)),
                false => cleaned.push_str(part),
            }
            place += width + 1;
        }
    }
}

fn blank(part: &str) -> impl Iterator<Item = char> {
    part.chars().map(|character| if character == '\n' { '\n' } else { ' ' })
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
    fn where_a_value_draws_edges_what_follows_in_that_row_of_boxes_goes() {
        let plan = "\
┌───────────┐
│   UNION   ├──────┐
│  7 rows   │      │
└─────┬─────┘      │
┌─────┴─────┐┌─────┴─────┐
│    SCAN   ││    SCAN   │
│           ││           │
│ (s = '│'  ││Filename(s)│
│           ││:/data/y.pa│
│           ││rquet      │
└───────────┘└───────────┘
";
        let cleaned = clean_text(plan);
        assert!(!cleaned.contains("data") && !cleaned.contains("rquet"), "{cleaned}");
        assert!(
            cleaned.contains("│  7 rows   │      │\n") && cleaned.contains("│    SCAN   ││    SCAN   │"),
            "{cleaned}"
        );
        let clear = plan.replace("'│'", "'x'");
        let cleaned = clean_text(&clear);
        assert!(!cleaned.contains("data") && cleaned.contains("│ (s = 'x'  ││           │"), "{cleaned}");
    }

    #[test]
    fn branches_and_boxes_without_files_stay_as_they_are() {
        let plan = "\
┌─────────┐
│┌───────┐│
││ 0.01s ││
│└───────┘│
└─────────┘
┌───────────┐
│   JOIN    ├──────┐
│  3 rows   │      │
└─────┬─────┘      │
┌─────┴─────┐┌─────┴─────┐
│   SCAN    ││   SCAN    │
│ s = '東京'││           │
└───────────┘└───────────┘
";
        assert_eq!(clean_text(plan), plan);
    }

    #[test]
    fn the_files_of_a_plan_in_json_go_at_any_depth() {
        let plan = r#"{"children": [{"extra_info": {"Filename(s)": "/data/x.parquet", "Filters": "a>3"}}]}"#;
        let cleaned = clean_json(plan);
        assert!(!cleaned.contains("data") && cleaned.contains("a>3"), "{cleaned}");
    }
}
