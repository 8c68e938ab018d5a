//! The kinds of tokens.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Blanks and ends of lines.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string of any form, with the lines that continue it.
    Text,
    /// A place for a value: `?`, `?1`, `$1` or `$name`.
    Parameter,
    /// A number, with its exponent.
    Number,
    /// The semicolon that ends a statement.
    End,
    /// A line that begins with a dot where no statement has begun, and is meant for a shell. In scripts alone.
    DotCommand,
    /// Any other character.
    Symbol,
}
