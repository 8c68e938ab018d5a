//! Columns and rows as arguments: `--columns a,b --rows 100..200`.

/// Names of columns, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnNames(pub(crate) Vec<String>);

/// A range of rows, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) first_row: u64,
    /// The row behind the last; without it, the table's end.
    pub(crate) end_row: Option<u64>,
}

/// Reads names that commas part. In double quotes a comma is a part of a name, and two quotes are one.
pub(crate) fn columns(text: &str) -> Result<ColumnNames, String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let (mut is_quoted, mut was_quoted) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' if is_quoted || name.is_empty() => {
                is_quoted = !is_quoted;
                was_quoted = true;
            }
            ',' if !is_quoted => {
                names.push(whole_name(&mut name, &mut was_quoted)?);
            }
            _ if was_quoted && !is_quoted => {
                return Err(format!("behind a name in double quotes comes a comma, and here {character:?}"));
            }
            other => name.push(other),
        }
    }
    if is_quoted {
        return Err("a double quote has no second one".to_owned());
    }
    names.push(whole_name(&mut name, &mut was_quoted)?);
    Ok(ColumnNames(names))
}

/// A name is empty only if quotes say so.
fn whole_name(name: &mut String, was_quoted: &mut bool) -> Result<String, String> {
    if name.is_empty() && !*was_quoted {
        return Err("a name is missing: give columns as a,b, and one without a name as \"\"".to_owned());
    }
    *was_quoted = false;
    Ok(std::mem::take(name))
}

/// Reads a range: `100..200`, `100..`, `..10`.
pub(crate) fn rows(text: &str) -> Result<Rows, String> {
    let form = "give a range such as 100..200, 100.. or ..10";
    let Some((first, end)) = text.split_once("..") else {
        return Err(format!("that is no range of rows: {form}"));
    };
    let number = |digits: &str| -> Result<Option<u64>, String> {
        match digits.replace('_', "").as_str() {
            "" if digits.is_empty() => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| format!("{digits:?} is no row: {form}")),
        }
    };
    let (first_row, end_row) = (number(first)?.unwrap_or(0), number(end)?);
    match end_row {
        Some(end_row) if end_row < first_row => {
            Err(format!("the rows from {first_row} to {end_row} end before they begin"))
        }
        _ => Ok(Rows { first_row, end_row }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_between_commas_or_in_quotes() {
        let names = |text: &str| columns(text).unwrap().0;
        assert_eq!(names("a"), ["a"]);
        assert_eq!(names("a,b c,São"), ["a", "b c", "São"]);
        assert_eq!(names("\"a,b\",c,\"\""), ["a,b", "c", ""]);
        assert_eq!(names("\"say \"\"hi\"\"\""), ["say \"hi\""]);
        assert_eq!(names("a\"b"), ["a\"b"]);
        for wrong in ["", ",", "a,", ",a", "a,,b", "\"a", "\"a\"b"] {
            assert!(columns(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ranges_have_a_beginning_an_end_both_or_neither() {
        let range = |first_row, end_row| Ok(Rows { first_row, end_row });
        assert_eq!(rows("100..200"), range(100, Some(200)));
        assert_eq!(rows("100.."), range(100, None));
        assert_eq!(rows("..10"), range(0, Some(10)));
        assert_eq!(rows(".."), range(0, None));
        assert_eq!(rows("1_000..2_000"), range(1_000, Some(2_000)));
        assert_eq!(rows("5..5"), range(5, Some(5)));
        for wrong in
            ["", "7", "7-9", "a..b", "-1..2", "1..2..3", "_..2", "1...3", "9..3", "99999999999999999999.."]
        {
            assert!(rows(wrong).is_err(), "{wrong}");
        }
    }
}
