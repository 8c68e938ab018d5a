//! Results that are kept, where a dataset is expected.

use crate::failure::Failure;

/// How an id begins, and how long it is.
const ID_PREFIX: &str = "h_";
const ID_BYTES: usize = 28;

/// Why a command on a dataset failed: given the id of a result that is kept, because it takes none, and `instead` does.
pub(crate) fn failure_of(name: &str, instead: &str, error: polarway::Error) -> Failure {
    if name.len() == ID_BYTES && name.starts_with(ID_PREFIX) {
        return Failure::new(format!(
            "{name} is the id of a result that is kept, and no dataset: use `polarway {instead}`"
        ));
    }
    error.into()
}
