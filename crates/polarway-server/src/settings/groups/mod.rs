//! All settings, by what they are about.

mod access;
mod buckets;
mod data;
mod limits;
mod operation;
mod peers;
mod queries;
mod upkeep;

use super::definition::Setting;

/// In the order of the help. The data directory comes before the settings of what is in it.
const GROUPS: [&[Setting]; 8] = [
    access::SETTINGS,
    data::SETTINGS,
    buckets::SETTINGS,
    queries::SETTINGS,
    peers::SETTINGS,
    upkeep::SETTINGS,
    limits::SETTINGS,
    operation::SETTINGS,
];

/// All settings, in the order of the help.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> + Clone {
    GROUPS.into_iter().flatten()
}
