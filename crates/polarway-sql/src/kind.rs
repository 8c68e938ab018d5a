//! The kinds of tokens.

/// The kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Spaces and line breaks.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string of any form, with its continuation lines.
    Text,
    /// A parameter: `?`, `?1`, `$1` or `$name`.
    Parameter,
    /// A number, with its exponent.
    Number,
    /// The semicolon that ends a statement.
    End,
    /// A line for a shell: it begins with a dot where no statement has begun. Only in scripts.
    DotCommand,
    /// Any other character.
    Symbol,
}
