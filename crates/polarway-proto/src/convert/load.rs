//! What to load.

use polarway_model::{LoadOptions, Selection};

use crate::v1;

impl v1::LoadRequest {
    /// Loads this from the dataset or handle with this name, uncompressed. An empty list of columns would mean all: the
    /// caller must refuse it before.
    pub fn new(name: impl Into<String>, options: LoadOptions) -> Self {
        let LoadOptions { at, selection: Selection { columns, first_row, end_row } } = options;
        Self {
            name: name.into(),
            at: Some(at.into()),
            first_row,
            compression: v1::Compression::Unspecified.into(),
            columns: columns.unwrap_or_default(),
            end_row,
        }
    }
}

impl From<&v1::LoadRequest> for LoadOptions {
    fn from(request: &v1::LoadRequest) -> Self {
        let columns = Some(request.columns.clone()).filter(|columns| !columns.is_empty());
        let selection = Selection { columns, first_row: request.first_row, end_row: request.end_row };
        Self { at: request.at.map(Into::into).unwrap_or_default(), selection }
    }
}

#[cfg(test)]
mod tests {
    use polarway_model::At;

    use super::*;

    #[test]
    fn what_is_loaded_arrives_as_itself() {
        let some = Selection::default().with_columns(["b", "", "a"]).with_rows(3..7);
        for selection in [Selection::default(), some.clone(), some.with_rows(5..)] {
            for at in [At::Newest, At::Version(3)] {
                let options = LoadOptions { at, selection: selection.clone() };
                assert_eq!(LoadOptions::from(&v1::LoadRequest::new("t", options.clone())), options);
            }
        }
    }
}
