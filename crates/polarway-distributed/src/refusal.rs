//! Why a plan is not translated.

use datafusion::error::DataFusionError;

/// What in a query is not known to mean the same in the distributed engine. The query then runs on one worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An operator of DuckDB's plan, or a form of it.
    #[error("the operator {0} is not known to the distributed engine")]
    Operator(String),
    /// A function, with the types of its arguments where they decide.
    #[error("the function {0} is not known to the distributed engine")]
    Function(String),
    /// Another kind of expression.
    #[error("the expression {0} is not known to the distributed engine")]
    Expression(String),
    /// A type of values.
    #[error("values of type {0} are not known to the distributed engine")]
    Type(String),
    /// A conversion of values.
    #[error("the cast from {from} to {to} is not known to the distributed engine")]
    Cast {
        /// The type of the values.
        from: String,
        /// The wanted type.
        to: String,
    },
    /// Something whose answer depends on the order of rows, and nothing orders them.
    #[error("{0} depends on the order of rows, which nothing gives")]
    Order(String),
    /// A column that SQL can't read.
    #[error("the column \"{column}\" can't be read by SQL: {reason}")]
    Column {
        /// Its name.
        column: String,
        /// Why.
        reason: String,
    },
    /// The plan nests deeper than it is read.
    #[error("the plan nests too deep for the distributed engine")]
    TooDeep,
    /// The plan has more operators than are translated.
    #[error("the plan has too many operators for the distributed engine")]
    TooLarge,
    /// DuckDB can't write its plan down.
    #[error("DuckDB's plan can't be written down: {0}")]
    Unwritten(String),
    /// The plan is not as expected.
    #[error("DuckDB's plan has an unexpected form: {0}")]
    Form(String),
    /// The distributed engine refuses the translated plan.
    #[error("the distributed engine does not take the plan: {0}")]
    Engine(String),
}

impl From<DataFusionError> for Refusal {
    fn from(error: DataFusionError) -> Self {
        Self::Engine(error.strip_backtrace())
    }
}
