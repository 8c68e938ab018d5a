//! What a dataset must be that only one client writes to.

use std::ops::Range;

/// How many versions back are looked at; retention keeps at least as many.
const KEPT: usize = 4;

/// All versions of a dataset that one client owns.
pub(super) struct Owned {
    pub(super) name: String,
    /// The newest version's number; 0 before the first.
    pub(super) version: u64,
    /// The newest versions, the last one being the newest of all; `None` is one that deletes.
    versions: Vec<(u64, Option<Vec<Range<i64>>>)>,
}

impl Owned {
    pub(super) fn new(name: String) -> Self {
        Self { name, version: 0, versions: Vec::new() }
    }

    /// The rows that it has now, in order; none where it does not exist.
    pub(super) fn rows(&self) -> Option<&[Range<i64>]> {
        self.versions.last().and_then(|(_, rows)| rows.as_deref())
    }

    /// A version that must be there still, and its rows.
    pub(super) fn some_version(&self, noise: &mut fastrand::Rng) -> Option<(u64, &[Range<i64>])> {
        let readable: Vec<_> =
            self.versions.iter().filter_map(|(version, rows)| Some((*version, rows.as_deref()?))).collect();
        noise.choice(readable)
    }

    /// It was stored.
    ///
    /// # Errors
    /// A version that does not come next.
    pub(super) fn stored(&mut self, version: u64, rows: Range<i64>) -> Result<(), String> {
        self.publish(version, Some(vec![rows]))
    }

    /// Rows were appended.
    ///
    /// # Errors
    /// A version that does not come next.
    pub(super) fn appended(&mut self, version: u64, rows: Range<i64>) -> Result<(), String> {
        let mut all = self.rows().unwrap_or_default().to_vec();
        all.push(rows);
        self.publish(version, Some(all))
    }

    /// It was deleted.
    ///
    /// # Errors
    /// A version that does not come next.
    pub(super) fn deleted(&mut self, version: u64) -> Result<(), String> {
        self.publish(version, None)
    }

    fn publish(&mut self, version: u64, rows: Option<Vec<Range<i64>>>) -> Result<(), String> {
        if version != self.version + 1 {
            return Err(format!("{} went from version {} to {version}", self.name, self.version));
        }
        self.version = version;
        self.versions.push((version, rows));
        let surplus = self.versions.len().saturating_sub(KEPT);
        self.versions.drain(..surplus);
        Ok(())
    }
}

/// Whether these are the rows of the model.
///
/// # Errors
/// Where they differ.
pub(super) fn compare(name: &str, expected: &[Range<i64>], found: &[i64]) -> Result<(), String> {
    let mut found_rows = found.iter();
    for (place, number) in expected.iter().cloned().flatten().enumerate() {
        match found_rows.next() {
            Some(found) if *found == number => {}
            other => return Err(format!("{name}: row {place} is {other:?} and not {number}")),
        }
    }
    match found_rows.next() {
        None => Ok(()),
        Some(number) => Err(format!("{name}: row {number} comes behind the last")),
    }
}

/// How many rows there are, and their sum.
pub(super) fn count_and_sum(rows: &[Range<i64>]) -> (i64, i64) {
    let count = rows.iter().map(|range| range.end - range.start).sum();
    let sum = rows.iter().map(|range| (range.start + range.end - 1) * (range.end - range.start) / 2).sum();
    (count, sum)
}
