//! Which version is meant.

/// Which version of a dataset is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum At {
    /// The newest.
    #[default]
    Newest,
    /// The one with this number; 0 is made of Parquet files that Polarway did not write.
    Version(u64),
    /// The one that was the newest at this time: microseconds since 1970-01-01 UTC.
    TimeUs(i64),
}
