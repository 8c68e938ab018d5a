//! Ids of kept results in the place of a dataset's name.

use polarway::HandleId;

use crate::failure::Failure;

/// Why a command on a dataset failed. For the id of a kept result, the message names the command to use instead.
pub(crate) fn failure_of(name: &str, instead: &str, error: polarway::Error) -> Failure {
    if HandleId::is_form_of(name) {
        return Failure::new(format!(
            "{name} is the id of a result that is kept, and no dataset: use `polarway {instead}`"
        ));
    }
    error.into()
}
