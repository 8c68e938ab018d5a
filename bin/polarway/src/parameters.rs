//! Values of parameters as they are typed: `carrier=UA`, `1=2013`.

use polarway::Parameters;

/// A parameter's name and what was typed for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedValue {
    name: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Reads `NAME=VALUE`. Text in double quotes is text whatever it looks like.
pub(crate) fn parse(text: &str) -> Result<NamedValue, String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    let name = name.trim().trim_start_matches('$');
    if name.is_empty() {
        return Err("write it as NAME=VALUE".to_owned());
    }
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = match (quoted, value) {
        (Some(text), _) => Value::Text(text.to_owned()),
        (None, "null" | "NULL") => Value::Null,
        (None, "true") => Value::Boolean(true),
        (None, "false") => Value::Boolean(false),
        (None, text) => number(text).unwrap_or_else(|| Value::Text(text.to_owned())),
    };
    Ok(NamedValue { name: name.to_owned(), value })
}

/// A number as SQL writes it: words such as `inf`, and codes such as `007`, are text.
fn number(text: &str) -> Option<Value> {
    let digits = text.trim_start_matches('-');
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0."));
    if !is_number {
        return None;
    }
    text.parse().map(Value::Integer).ok().or_else(|| text.parse().map(Value::Float).ok())
}

/// What goes to the server.
pub(crate) fn values(typed: Vec<NamedValue>) -> Parameters {
    typed.into_iter().fold(Parameters::new(), |values, NamedValue { name, value }| match value {
        Value::Null => values.and_named(name, None::<bool>),
        Value::Boolean(value) => values.and_named(name, value),
        Value::Integer(value) => values.and_named(name, value),
        Value::Float(value) => values.and_named(name, value),
        Value::Text(value) => values.and_named(name, value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_looks_like_and_text_in_quotes_is_text() {
        let value = |text: &str| parse(&format!("x={text}")).unwrap().value;
        assert_eq!(value("2013"), Value::Integer(2013));
        assert_eq!(value("-0.5"), Value::Float(-0.5));
        assert_eq!(value("1e3"), Value::Float(1000.0));
        assert_eq!((value("true"), value("null")), (Value::Boolean(true), Value::Null));
        for text in ["UA", "", "007", "1.2.3", "inf", "2013-01-01", "a=b", "-"] {
            assert_eq!(value(text), Value::Text(text.to_owned()));
        }
        assert_eq!(value("\"2013\""), Value::Text("2013".to_owned()));
    }

    #[test]
    fn a_name_may_have_its_dollar_and_must_be_there() {
        assert_eq!(parse("$year=1"), parse("year=1"));
        for text in ["", "year", "=1", "$=1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
