//! Parses a type from its text: the types that the fields of a kept result record come from a file, and go into SQL.

use std::borrow::Cow;

use polarway_sql::tokens;

use super::{NAMED, SqlType};

/// The deepest nesting of types.
const MOST_DEPTH: usize = 100;

impl SqlType {
    /// Parses a text that [`Display`](std::fmt::Display) wrote; `None` for any other text, and for rows whose fields have no
    /// names, which SQL can't write.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { rest: text };
        let parsed = parser.sql_type(0)?;
        parser.rest.is_empty().then_some(parsed)
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn sql_type(&mut self, depth: usize) -> Option<SqlType> {
        if depth > MOST_DEPTH {
            return None;
        }
        let mut sql_type = self.innermost(depth)?;
        while self.eat("[") {
            sql_type = match self.eat("]") {
                true => SqlType::List(Box::new(sql_type)),
                false => {
                    let size = self.number()?;
                    self.expect("]")?;
                    SqlType::Array(Box::new(sql_type), size)
                }
            };
        }
        Some(sql_type)
    }

    fn innermost(&mut self, depth: usize) -> Option<SqlType> {
        if self.eat("STRUCT(") {
            return self.items(|parser| parser.field(depth)).map(SqlType::Struct);
        }
        if self.eat("UNION(") {
            return self.items(|parser| parser.field(depth)).map(SqlType::Union);
        }
        if self.eat("ENUM(") {
            return self.items(|parser| parser.quoted('\'')).map(SqlType::Enum);
        }
        if self.eat("MAP(") {
            let key = self.sql_type(depth + 1)?;
            self.expect(", ")?;
            let value = self.sql_type(depth + 1)?;
            self.expect(")")?;
            return Some(SqlType::Map(Box::new(key), Box::new(value)));
        }
        if self.eat("DECIMAL(") {
            let width = self.number()?.try_into().ok()?;
            self.expect(", ")?;
            let scale = self.number()?.try_into().ok()?;
            self.expect(")")?;
            return Some(SqlType::Decimal { width, scale });
        }
        // Some names are prefixes of others.
        let name =
            NAMED.into_iter().filter(|name| self.rest.starts_with(name)).max_by_key(|name| name.len())?;
        self.expect(name)?;
        Some(SqlType::Named(name))
    }

    fn field(&mut self, depth: usize) -> Option<(String, SqlType)> {
        let name = self.quoted('"')?;
        self.expect(" ")?;
        Some((name, self.sql_type(depth + 1)?))
    }

    /// One item or more with commas between them, up to the parenthesis.
    fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(", ") {
            items.push(item(self)?);
        }
        self.expect(")")?;
        Some(items)
    }

    /// A quoted text; a quote in it is doubled.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let token =
            tokens(self.rest).next().filter(|token| token.text.starts_with(quote) && !token.is_open)?;
        self.rest = &self.rest[token.end()..];
        token.content().map(Cow::into_owned)
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        digits.parse().ok()
    }

    fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Option<()> {
        self.eat(text).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_from_its_text() {
        let nested = [
            "INTEGER[]",
            "INTEGER[3][]",
            "DECIMAL(38, 0)",
            "ENUM('x', 'it''s', '', '\"')",
            "MAP(VARCHAR, STRUCT(\"a\" TIME WITH TIME ZONE, \"b \"\"c\"\"\" TIME[])[2])",
            "UNION(\"a\" INTEGER, \"select\" UUID[])",
        ];
        for text in NAMED.iter().chain(&nested) {
            assert_eq!(SqlType::parse(text).unwrap_or_else(|| panic!("{text}")).to_string(), **text);
        }
    }

    #[test]
    fn what_is_no_type_is_none() {
        let deep = format!("{}INTEGER{}", "STRUCT(\"a\" ".repeat(100_000), ")".repeat(100_000));
        for text in [
            "",
            "integer",
            "INTEGER ",
            "INTEGER); DROP TABLE x; --",
            "INTEGER[",
            "INTEGER[-1]",
            "INTEGER[]]",
            "DECIMAL(5)",
            "DECIMAL(500, 1)",
            "STRUCT()",
            "STRUCT(INTEGER)",
            "STRUCT(\"a INTEGER)",
            "ENUM('a' 'b')",
            "MAP(INTEGER)",
            "TIMESTAMP_X",
            &deep,
        ] {
            assert_eq!(SqlType::parse(text), None, "{text:.40}");
        }
    }
}
