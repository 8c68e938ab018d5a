//! The statements in a text file.

/// Cuts a text into statements: each ends with the `;` at the end of a line. Comments stay, as they would in a client.
pub(crate) fn statements(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut statement = String::new();
    for line in text.lines() {
        statement.push_str(line);
        statement.push('\n');
        if line.trim_end().ends_with(';') {
            statements.push(std::mem::take(&mut statement).trim().to_owned());
        }
    }
    assert!(statement.trim().is_empty(), "no `;` ends the last statement: {statement}");
    statements
}

#[test]
fn a_statement_ends_with_the_semicolon_at_the_end_of_a_line() {
    let text = "-- Title\nSELECT ';'\nFROM t;\n\nSELECT 2; -- not yet\n;\n";
    assert_eq!(statements(text), ["-- Title\nSELECT ';'\nFROM t;", "SELECT 2; -- not yet\n;"]);
}
