//! Whether a text names something.

/// Whether a name of one or more parts stands in the text, quoted or not. Texts with escapes may name anything.
pub(crate) fn is_written(name: &str, text: &str) -> bool {
    let has_escapes = ["e'", "E'", "\\"].iter().any(|escape| text.contains(escape));
    let plain = plain(text);
    // Between single quotes, doubled double ones are two.
    let is_literal = text.contains(name);
    has_escapes || is_literal || plain.contains(name) || name.split('.').all(|part| plain.contains(part))
}

/// The text with doubled quotes as they are meant.
fn plain(text: &str) -> String {
    text.replace("\"\"", "\"").replace("''", "'")
}

#[cfg(test)]
mod tests {
    use super::is_written;

    #[test]
    fn a_name_is_found_whole_in_parts_and_in_quotes() {
        assert!(is_written("a.b", "FROM a . b") && is_written("a\"b", "FROM \"a\"\"b\""));
        assert!(is_written("a\"\"b", "FROM 'a\"\"b'"));
        assert!(!is_written("duckdb_views", "FROM views"));
    }
}
