//! How `cargo xtask bench` asks and how it is answered: the name of a measure per line of input, and per name one line of
//! JSON, `{"name": …, "seconds": …}` or `{"name": …, "error": …}`, where it matters with `"needed_bytes"`.

use std::io::{BufRead, Write};

use anyhow::Result;
use serde_json::json;

/// What was measured.
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// The bytes that had to come from the bucket, where that matters.
    pub(crate) needed_bytes: Option<u64>,
}

impl From<f64> for Measured {
    fn from(seconds: f64) -> Self {
        Self { seconds, needed_bytes: None }
    }
}

/// Answers each name in `commands` with what `measure` gives, until they end.
///
/// A measure that fails is an answer, too; the others can still be asked for.
///
/// # Errors
/// When a command can't be read or an answer can't be written.
pub(crate) fn serve(
    commands: impl BufRead,
    mut answers: impl Write,
    mut measure: impl FnMut(&str) -> Result<Measured>,
) -> Result<()> {
    for name in commands.lines() {
        let name = name?;
        let answer = match measure(&name) {
            Ok(Measured { seconds, needed_bytes: None }) => json!({"name": name, "seconds": seconds}),
            Ok(Measured { seconds, needed_bytes }) => {
                json!({"name": name, "seconds": seconds, "needed_bytes": needed_bytes})
            }
            Err(error) => json!({"name": name, "error": format!("{error:#}")}),
        };
        writeln!(answers, "{answer}")?;
        answers.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers_to(commands: &str) -> String {
        let mut answers = Vec::new();
        serve(commands.as_bytes(), &mut answers, |name| match name {
            "load" => Ok(0.25.into()),
            _ => anyhow::bail!("there is no measure {name:?}"),
        })
        .unwrap();
        String::from_utf8(answers).unwrap()
    }

    #[test]
    fn each_command_gets_one_line() {
        assert_eq!(answers_to("load\nload\n"), "{\"name\":\"load\",\"seconds\":0.25}\n".repeat(2));
        assert_eq!(answers_to(""), "");
    }

    #[test]
    fn a_measure_that_fails_does_not_end_the_others() {
        let expect = "{\"error\":\"there is no measure \\\"lo\\\"\",\"name\":\"lo\"}\n{\"name\":\"load\",\"seconds\":0.25}\n";
        assert_eq!(answers_to("lo\nload\n"), expect);
    }
}
