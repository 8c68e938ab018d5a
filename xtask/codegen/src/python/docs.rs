//! The comments of a definition, as Python's documentation.

use std::collections::HashMap;

use prost_types::FileDescriptorProto;

/// The comments of one file by the paths of what they stand above, which are numbers that `descriptor.proto` defines.
pub(super) struct Comments<'a>(HashMap<&'a [i32], &'a str>);

impl<'a> Comments<'a> {
    pub(super) fn of(file: &'a FileDescriptorProto) -> Self {
        let locations = file.source_code_info.iter().flat_map(|info| &info.location);
        Self(
            locations
                .filter_map(|location| Some((&*location.path, location.leading_comments.as_deref()?)))
                .collect(),
        )
    }

    fn lines(&self, path: &[i32]) -> impl Iterator<Item = &'a str> {
        self.0.get(path).map_or("", |text| text.trim()).lines().map(str::trim)
    }

    /// As the docstring of a class.
    pub(super) fn docstring(&self, path: &[i32]) -> String {
        let lines: Vec<&str> = self.lines(path).collect();
        let end = if lines.len() > 1 { "\n    " } else { "" };
        let text = lines.join("\n    ").replace("\n    \n", "\n\n");
        format!("    \"\"\"{text}{end}\"\"\"\n")
    }

    /// As comments above a member of a class.
    pub(super) fn above(&self, path: &[i32]) -> String {
        self.lines(path).map(|line| format!("    # {line}").trim_end().to_owned() + "\n").collect()
    }
}
