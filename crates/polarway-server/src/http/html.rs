//! HTML in which data is always escaped.

use std::fmt::{self, Display, Write as _};

/// HTML that grows from markup and data. Markup is a constant of this program; everything else is escaped.
#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    /// Adds markup.
    pub(super) fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds data, in a text or between the quotes of an attribute.
    pub(super) fn data(&mut self, data: impl Display) -> &mut Self {
        // Writing to a text can't fail.
        let _ = write!(Escaped(&mut self.0), "{data}");
        self
    }

    /// Adds a cell of a table.
    pub(super) fn cell(&mut self, data: impl Display) -> &mut Self {
        self.markup("<td>").data(data).markup("</td>")
    }

    /// Adds a cell with a number.
    pub(super) fn number(&mut self, data: impl Display) -> &mut Self {
        self.markup("<td class=\"number\">").data(data).markup("</td>")
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                control if control.is_control() => self.0.push(char::REPLACEMENT_CHARACTER),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_never_markup() {
        let mut html = Html::default();
        html.markup("<p title=\"").data("\"'>&").markup("\">").data("<script>\u{1b}\n").markup("</p>");
        assert_eq!(html.into_text(), "<p title=\"&quot;&#39;&gt;&amp;\">&lt;script&gt;\u{fffd}\n</p>");
    }
}
