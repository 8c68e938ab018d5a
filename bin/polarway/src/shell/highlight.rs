//! Colours for the typed text.

use polarway_sql::{Kind, script_tokens};
use reedline::{Color, Highlighter, StyledText};

use super::words;

/// Colours SQL and dot commands.
pub(super) struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, text: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        for token in script_tokens(text) {
            let style = match token.kind {
                Kind::Word if words::is_keyword(token.text) => Color::Cyan.bold(),
                Kind::Text => Color::Green.normal(),
                Kind::Number | Kind::Parameter => Color::Yellow.normal(),
                Kind::Comment => Color::DarkGray.normal(),
                Kind::DotCommand => Color::Purple.normal(),
                Kind::Word | Kind::QuotedName | Kind::Space | Kind::End | Kind::Symbol => {
                    Color::Default.normal()
                }
            };
            styled.push((style, token.text.to_owned()));
        }
        styled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_colour_and_no_character_is_lost() {
        let text = "SELECT name, 'x', 1 -- why\nFROM flights";
        let styled = SqlHighlighter.highlight(text, 0).buffer;
        assert_eq!(styled.iter().map(|(_, text)| text.as_str()).collect::<String>(), text);
        let colour_of = |part: &str| styled.iter().find(|(_, text)| text == part).unwrap().0.foreground;
        assert_eq!(colour_of("SELECT"), Some(Color::Cyan));
        assert_eq!(colour_of("FROM"), Some(Color::Cyan));
        assert_eq!(colour_of("name"), Some(Color::Default));
        assert_eq!(colour_of("'x'"), Some(Color::Green));
        assert_eq!(colour_of("1"), Some(Color::Yellow));
        assert_eq!(colour_of("-- why"), Some(Color::DarkGray));
    }

    #[test]
    fn a_dot_command_is_coloured_as_one() {
        let styled = SqlHighlighter.highlight(".schema select", 0).buffer;
        assert_eq!(styled.len(), 1);
        assert_eq!(styled[0].0.foreground, Some(Color::Purple));
    }
}
