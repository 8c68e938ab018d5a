//! Where in a text an error is.

/// Our refusal with its position, in DuckDB's format.
pub(super) fn with_position(message: &str, text: &str, position: Option<usize>) -> String {
    let Some(position) = position.filter(|position| text.is_char_boundary(*position)) else {
        return message.to_owned();
    };
    let line_start = text[..position].rfind('\n').map_or(0, |newline| newline + 1);
    let line_number = text[..position].matches('\n').count() + 1;
    let line = text[line_start..].lines().next().unwrap_or_default();
    let label = format!("LINE {line_number}: ");
    // A long line is shortened around the position.
    let before: Vec<char> = text[line_start..position].chars().collect();
    let skipped = before.len().saturating_sub(60);
    let shown: String = line.chars().skip(skipped).take(100).collect();
    let caret = " ".repeat(label.len() + before.len() - skipped);
    format!("{message}\n\n{label}{shown}\n{caret}^")
}
