//! Whether a text names something.

/// Whether a name of one or more parts stands in the text, quotes aside: inside of one kind, the other stands for itself.
/// Texts with escapes may name anything.
pub(crate) fn is_written(name: &str, text: &str) -> bool {
    let has_escapes = ["e'", "E'", "\\"].iter().any(|escape| text.contains(escape));
    let text = without_quotes(text);
    has_escapes || name.split('.').all(|part| text.contains(&without_quotes(part)))
}

fn without_quotes(text: &str) -> String {
    text.replace(['\'', '"'], "")
}

#[cfg(test)]
mod tests {
    use super::is_written;

    #[test]
    fn a_name_is_found_whole_in_parts_and_in_quotes() {
        assert!(is_written("a.b", "FROM a . b") && is_written("a.b", "FROM 'a.b'"));
        assert!(is_written("a\"b", "FROM \"a\"\"b\"") && is_written("a\"\"'b", "FROM 'a\"\"''b'"));
        assert!(!is_written("duckdb_views", "FROM views"));
    }
}
