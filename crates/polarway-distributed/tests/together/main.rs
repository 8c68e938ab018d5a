//! Whole engines over one folder, which run queries with each other.

mod answers;
mod choice;
mod endings;
mod rights;
mod support;
