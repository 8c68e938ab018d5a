//! The second executor: one query over all workers.
//!
//! Users write DuckDB's SQL. DuckDB parses, checks and binds it, and its bound plan is translated to one of DataFusion, by tables
//! of what is known to mean exactly the same; what is not in them is refused by name and runs on one worker as ever.
