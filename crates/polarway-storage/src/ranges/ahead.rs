//! What a query will read of a file, as far as what it has read tells.
//!
//! DuckDB reads one column of a row group after the other, and waits for each. Where it has read a column in two row groups in a
//! row, it most likely reads it in the next ones too.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use polarway_parquet::FileReader;

/// The most bytes of a file that are fetched ahead of its readers.
const MOST_AHEAD_BYTES: u64 = 64 << 20;

/// How many times the bytes that were read may be fetched ahead. A query that ends early has fetched little in vain.
const AHEAD_PER_READ: u64 = 2;

/// A reader passes over at most so many row groups that are still read by others.
const MOST_READERS: usize = 64;

/// Where the column chunks of a file are.
#[derive(Debug)]
pub(super) struct Layout {
    /// Row group by row group, each column by column.
    chunks: Vec<Range<u64>>,
    columns: usize,
    /// The places of the chunks in the order of their offsets.
    by_offset: Vec<usize>,
}

/// What was read of a file's columns, and what was fetched ahead.
#[derive(Debug)]
pub(super) struct Ahead {
    layout: Layout,
    columns: BTreeMap<usize, Column>,
    read_bytes: u64,
    ahead_bytes: u64,
}

#[derive(Debug, Default)]
struct Column {
    /// The row groups that were read.
    read: BTreeSet<usize>,
    /// Those that were fetched ahead, and were not read yet.
    ahead: BTreeSet<usize>,
    /// The row group after the last of both.
    next: usize,
    /// Whether row groups were read in a row, and none was passed over since.
    is_run: bool,
}

impl Layout {
    pub(super) fn of(file: &FileReader) -> Self {
        let groups = 0..file.row_groups();
        let chunks: Vec<_> = groups.flat_map(|group| file.chunk_ranges(group)).collect();
        let columns = chunks.len() / file.row_groups().max(1);
        let mut by_offset: Vec<usize> = (0..chunks.len()).collect();
        by_offset.sort_unstable_by_key(|place| chunks[*place].start);
        Self { chunks, columns, by_offset }
    }

    /// The row groups and columns of the chunks that begin in this range.
    fn beginning_in(&self, range: &Range<u64>) -> Vec<(usize, usize)> {
        let first = self.by_offset.partition_point(|place| self.chunks[*place].start < range.start);
        let places =
            self.by_offset[first..].iter().take_while(|place| self.chunks[**place].start < range.end);
        places.map(|place| (place / self.columns, place % self.columns)).collect()
    }

    fn chunk(&self, group: usize, column: usize) -> Option<&Range<u64>> {
        self.chunks.get(group * self.columns + column)
    }
}

impl Ahead {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, columns: BTreeMap::new(), read_bytes: 0, ahead_bytes: 0 }
    }

    /// Notes what is read, and says what to fetch now.
    pub(super) fn note(&mut self, range: &Range<u64>) -> Vec<Range<u64>> {
        for (group, column) in self.layout.beginning_in(range) {
            self.note_chunk(group, column);
        }
        let most = MOST_AHEAD_BYTES.min(self.read_bytes.saturating_mul(AHEAD_PER_READ));
        let mut ranges = Vec::new();
        while self.ahead_bytes < most
            && let Some(chunk) = self.next_chunk()
        {
            self.ahead_bytes += chunk.end - chunk.start;
            ranges.push(chunk);
        }
        ranges
    }

    fn note_chunk(&mut self, group: usize, column: usize) {
        let bytes = |group| self.layout.chunk(group, column).map_or(0, |chunk| chunk.end - chunk.start);
        let noted = self.columns.entry(column).or_default();
        if !noted.read.insert(group) {
            return;
        }
        self.read_bytes += bytes(group);
        if noted.ahead.remove(&group) {
            self.ahead_bytes -= bytes(group);
        }
        // What readers do not need was skipped by its statistics, or the query has other filters.
        let waiting = noted.ahead.split_off(&group.saturating_sub(MOST_READERS));
        let passed_over = std::mem::replace(&mut noted.ahead, waiting);
        self.ahead_bytes -= passed_over.iter().map(|group| bytes(*group)).sum::<u64>();
        let is_neighbour_read = noted.read.contains(&(group + 1))
            || group.checked_sub(1).is_some_and(|before| noted.read.contains(&before));
        noted.is_run = (noted.is_run && passed_over.is_empty()) || is_neighbour_read;
        noted.next = noted.next.max(group + 1);
    }

    /// The next chunk that is worth fetching: those of early row groups are read first.
    fn next_chunk(&mut self) -> Option<Range<u64>> {
        let layout = &self.layout;
        let runs = self
            .columns
            .iter_mut()
            .filter(|(column, run)| run.is_run && layout.chunk(run.next, **column).is_some());
        let (column, run) = runs.min_by_key(|(_, run)| run.next)?;
        let chunk = layout.chunk(run.next, *column)?.clone();
        run.ahead.insert(run.next);
        run.next += 1;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Chunks of 1 MiB, of 3 columns.
    fn ahead(groups: u64) -> Ahead {
        let chunks: Vec<_> = (0..groups * 3).map(|place| place * MIB..(place + 1) * MIB).collect();
        let by_offset = (0..chunks.len()).collect();
        Ahead::new(Layout { chunks, columns: 3, by_offset })
    }

    fn chunk(group: u64, column: u64) -> Range<u64> {
        let start = (group * 3 + column) * MIB;
        start..start + MIB
    }

    #[test]
    fn a_column_is_fetched_ahead_when_two_row_groups_in_a_row_were_read() {
        let mut ahead = ahead(100);
        assert_eq!(ahead.note(&chunk(0, 1)), []);
        assert_eq!(ahead.note(&chunk(1, 1)), [2, 3, 4, 5].map(|group| chunk(group, 1)));
        // Read again, it counts once; read on, more follows.
        assert_eq!(ahead.note(&chunk(1, 1)), []);
        assert_eq!(ahead.note(&chunk(2, 1)), [6, 7, 8].map(|group| chunk(group, 1)));
    }

    #[test]
    fn of_several_columns_early_row_groups_come_first() {
        let mut ahead = ahead(100);
        ahead.note(&chunk(0, 0));
        ahead.note(&chunk(0, 2));
        ahead.note(&chunk(1, 0));
        assert_eq!(ahead.note(&chunk(1, 2)), [(2, 2), (3, 2)].map(|(group, column)| chunk(group, column)));
    }

    #[test]
    fn single_row_groups_with_gaps_between_fetch_nothing_ahead() {
        let mut ahead = ahead(100);
        for group in (0..100).step_by(2) {
            assert_eq!(ahead.note(&chunk(group, 0)), []);
        }
    }

    #[test]
    fn what_is_ahead_is_bounded_and_ends_with_the_file() {
        let mut long = ahead(10_000);
        let mut fetched = 0;
        for group in 0..1_000 {
            fetched += long.note(&chunk(group, 0)).len() as u64;
            assert!((fetched + 2).saturating_sub(group + 1) * MIB <= MOST_AHEAD_BYTES + 2 * MIB, "{group}");
        }
        assert!(fetched >= 1_000, "{fetched}");
        let mut short = ahead(4);
        for group in 0..2 {
            short.note(&chunk(group, 0));
        }
        assert_eq!(short.note(&chunk(2, 0)), []);
    }

    #[test]
    fn a_run_ends_where_chunks_were_fetched_in_vain() {
        let mut ahead = ahead(10_000);
        ahead.note(&chunk(0, 0));
        assert!(!ahead.note(&chunk(1, 0)).is_empty());
        assert_eq!(ahead.note(&chunk(5_000, 0)), []);
        assert_eq!(ahead.ahead_bytes, 0);
        assert!(!ahead.note(&chunk(5_001, 0)).is_empty());
    }

    #[test]
    fn a_read_of_several_chunks_counts_for_each() {
        let mut ahead = ahead(100);
        ahead.note(&(chunk(0, 0).start..chunk(0, 2).end));
        let next = ahead.note(&(chunk(1, 0).start..chunk(1, 2).end));
        assert_eq!(next.len(), 12);
        assert_eq!(next[..3], [chunk(2, 0), chunk(2, 1), chunk(2, 2)]);
    }
}
