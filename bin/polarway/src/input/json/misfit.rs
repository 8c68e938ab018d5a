//! A value that does not fit the values before it.

/// Why a value is refused, and where it is.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The keys on the path to it.
    path: Vec<String>,
    /// What is wrong, in words that follow the path.
    problem: String,
}

pub(super) type Result<T, E = Misfit> = std::result::Result<T, E>;

impl Misfit {
    /// A value where something else is expected: `an int64`, `a list`.
    pub(super) fn new(value: &str, expected: impl std::fmt::Display) -> Self {
        let problem = format!("is {}, where the rows before have {expected}", shortened(value));
        Self { path: Vec::new(), problem }
    }

    /// A key that no earlier row has.
    pub(super) fn unknown_key(key: &str) -> Self {
        Self { path: vec![key.to_owned()], problem: "is a key that the rows before don't have".to_owned() }
    }

    /// A key with two values in one object. Only one could be kept.
    pub(super) fn twice(key: &str) -> Self {
        Self { path: vec![key.to_owned()], problem: "stands twice in one object".to_owned() }
    }

    /// The same, for a value under a key.
    pub(super) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }

    /// The same, for a value in a list.
    pub(super) fn in_list(self) -> Self {
        self.under("[]")
    }

    /// The row's key that contains the value.
    pub(super) fn column(&self) -> Option<&str> {
        self.path.first().map(String::as_str)
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.join(".").replace(".[]", "[]");
        if path.is_empty() {
            formatter.write_str("the row")?
        } else {
            write!(formatter, "{path:?}")?
        }
        write!(formatter, " {}", self.problem)
    }
}

impl From<serde_json::Error> for Misfit {
    fn from(error: serde_json::Error) -> Self {
        Self { path: Vec::new(), problem: format!("is no JSON: {}", reason(&error)) }
    }
}

/// A JSON error's message, without its line number, which counts from the start of the value.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    text.truncate(text.rfind(" at line ").unwrap_or(text.len()));
    text
}

/// A value as an error shows it: its start, on one line.
fn shortened(text: &str) -> String {
    const MOST_CHARACTERS: usize = 60;

    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
