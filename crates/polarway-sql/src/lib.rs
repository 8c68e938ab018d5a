//! SQL as text: cut into tokens where DuckDB cuts it.
//!
//! This crate owns where a token of DuckDB's dialect begins and ends: strings of all forms, quoted names, comments,
//! numbers. It knows no grammar, and not what a name means.
//!
//! ```
//! use polarway_sql::{Kind, tokens};
//!
//! let words = tokens("SELECT 'a; b' -- c;").filter(|token| token.is_significant());
//! assert_eq!(words.map(|token| token.kind).collect::<Vec<_>>(), [Kind::Word, Kind::Text]);
//! ```

mod scan;
mod token;

pub use token::{Kind, Token, Tokens, quoted_name, script_tokens, tokens};
