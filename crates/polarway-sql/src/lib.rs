//! SQL as text: split into tokens as DuckDB splits it, and names and texts put into quotes.
//!
//! This crate owns where a token of DuckDB's dialect begins and ends: strings of all forms, quoted names, comments,
//! numbers, parameters. It does not know the grammar, or what a name means.
//!
//! ```
//! use polarway_sql::{Kind, tokens};
//!
//! let words = tokens("SELECT 'a; b' -- c;").filter(|token| token.is_significant());
//! assert_eq!(words.map(|token| token.kind).collect::<Vec<_>>(), [Kind::Word, Kind::Text]);
//! ```

mod kind;
mod quote;
mod scan;
mod token;

pub use kind::Kind;
pub use quote::{identifier, literal, subquery};
pub use token::{Token, Tokens, script_tokens, tokens, tokens_from};
