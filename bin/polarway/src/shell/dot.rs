//! Dot commands: lines for the shell, not for the server.

use std::borrow::Cow;

use clap::ValueEnum as _;
use polarway_sql::tokens;

use crate::arguments::ListFormat;
use crate::failure::{Failure, Result};

/// The least similarity of a word to a command for it to count as a typing error.
const LIKENESS: f64 = 0.8;

/// A command to the shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DotCommand {
    Help,
    /// Lists the datasets, or those whose name matches the pattern.
    Tables(Option<String>),
    Schema(String),
    /// Sets the timer, or shows its state.
    Timer(Option<bool>),
    /// Sets the format of results, or shows it.
    Mode(Option<ListFormat>),
    Quit,
}

/// The argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    Nothing,
    Dataset,
    Switch,
    Format,
}

/// A command as `.help` lists it.
pub(super) struct Usage {
    pub(super) name: &'static str,
    pub(super) argument: Argument,
    /// The argument as help shows it.
    shown: &'static str,
    about: &'static str,
}

pub(super) const COMMANDS: &[Usage] = &[
    Usage { name: ".help", argument: Argument::Nothing, shown: "", about: "show this" },
    Usage {
        name: ".tables",
        argument: Argument::Dataset,
        shown: "[PATTERN]",
        about: "list the datasets, or those like fl*",
    },
    Usage {
        name: ".schema",
        argument: Argument::Dataset,
        shown: "NAME",
        about: "show a dataset's columns and size",
    },
    Usage {
        name: ".timer",
        argument: Argument::Switch,
        shown: "on|off",
        about: "say after each statement how long it took",
    },
    Usage {
        name: ".mode",
        argument: Argument::Format,
        shown: "table|csv|json",
        about: "the format of results",
    },
    Usage { name: ".quit", argument: Argument::Nothing, shown: "", about: "leave, as Ctrl-D does" },
    Usage { name: ".exit", argument: Argument::Nothing, shown: "", about: "the same" },
];

const KEYS: &str = "
A statement ends with `;` and may take several lines.

Tab                     complete
Ctrl-R                  search what was typed before
Ctrl-C                  clear the input, or cancel the statement that runs
Ctrl-D                  leave
";

/// Parses a line that begins with a dot.
pub(super) fn parse(line: &str) -> Result<DotCommand> {
    let line = line.trim().trim_end_matches(';').trim_end();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = unquoted(argument.trim());
    let name = name.to_lowercase();
    let Some(usage) = COMMANDS.iter().find(|usage| usage.name == name) else {
        return Err(unknown(&name));
    };
    if usage.argument == Argument::Nothing && !argument.is_empty() {
        return Err(Failure::new(format!("{name} takes nothing: {argument:?} is too much")));
    }
    match usage.name {
        ".help" => Ok(DotCommand::Help),
        ".tables" => Ok(DotCommand::Tables(Some(argument).filter(|pattern| !pattern.is_empty()))),
        ".schema" if argument.is_empty() => Err(Failure::new("name a dataset: .schema NAME")),
        ".schema" => Ok(DotCommand::Schema(argument)),
        ".timer" => switch(&argument).map(DotCommand::Timer),
        ".mode" => format(&argument).map(DotCommand::Mode),
        _ => Ok(DotCommand::Quit),
    }
}

/// Commands that other shells accept without a dot, if nothing else is in the text.
pub(super) fn without_dot(text: &str) -> Option<DotCommand> {
    match text.trim().trim_end_matches(';').trim_end().to_lowercase().as_str() {
        "quit" | "exit" => Some(DotCommand::Quit),
        "help" => Some(DotCommand::Help),
        _ => None,
    }
}

/// The commands, one per line, and the keys.
pub(super) fn help() -> String {
    let mut text = String::new();
    for Usage { name, shown, about, .. } in COMMANDS {
        text += &format!("{:24}{about}\n", format!("{name} {shown}"));
    }
    text + KEYS
}

/// The names of the formats.
pub(super) fn formats() -> Vec<String> {
    ListFormat::value_variants().iter().map(|format| name(*format)).collect()
}

/// The name of a format.
pub(super) fn name(format: ListFormat) -> String {
    format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Whether a name matches a pattern, ignoring case: `*`, or SQL's `%`, matches any text, and without either the pattern may
/// be anywhere in the name.
pub(super) fn fits(name: &str, pattern: &str) -> bool {
    let (name, pattern) = (name.to_lowercase(), pattern.to_lowercase());
    let parts: Vec<&str> = pattern.split(['*', '%']).collect();
    let [first, middle @ .., last] = &parts[..] else { return name.contains(&pattern) };
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn switch(argument: &str) -> Result<Option<bool>> {
    match argument.to_lowercase().as_str() {
        "" => Ok(None),
        "on" => Ok(Some(true)),
        "off" => Ok(Some(false)),
        _ => Err(Failure::new(format!("{argument:?} is neither on nor off"))),
    }
}

fn format(argument: &str) -> Result<Option<ListFormat>> {
    if argument.is_empty() {
        return Ok(None);
    }
    let format = ListFormat::from_str(argument, true);
    format.map(Some).map_err(|_| {
        Failure::new(format!("{argument:?} is no format of results: there are {}", formats().join(", ")))
    })
}

fn unknown(name: &str) -> Failure {
    let alike = COMMANDS
        .iter()
        .map(|usage| (strsim::jaro_winkler(bare(name), bare(usage.name)), usage.name))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match alike {
        Some((_, alike)) => Failure::new(format!("there is no {name}; did you mean {alike}?")),
        None => Failure::new(format!("there is no {name}; .help lists the commands")),
    }
}

/// A name without its dot: all names have one, which would make them more similar.
fn bare(name: &str) -> &str {
    name.trim_start_matches('.')
}

/// An argument without quotes, which may be SQL's or a shell's.
fn unquoted(argument: &str) -> String {
    let whole = tokens(argument).next().filter(|token| token.text == argument);
    whole.and_then(|token| token.content()).map_or_else(|| argument.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_with_their_arguments() {
        for (line, expect) in [
            (".help", DotCommand::Help),
            (".tables", DotCommand::Tables(None)),
            (".tables fl*;", DotCommand::Tables(Some("fl*".into()))),
            (" .SCHEMA  flights ", DotCommand::Schema("flights".into())),
            (".schema \"my \"\"data\"", DotCommand::Schema("my \"data".into())),
            (".schema 'my data'", DotCommand::Schema("my data".into())),
            (".schema my data", DotCommand::Schema("my data".into())),
            (".timer OFF", DotCommand::Timer(Some(false))),
            (".timer", DotCommand::Timer(None)),
            (".mode csv", DotCommand::Mode(Some(ListFormat::Csv))),
            (".quit;", DotCommand::Quit),
            (".exit", DotCommand::Quit),
        ] {
            assert_eq!(parse(line).unwrap(), expect, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_what_is_right() {
        for (line, parts) in [
            (".tabels", &["no .tabels", "did you mean .tables?"][..]),
            (".shema flights", &["did you mean .schema?"]),
            (".x", &["no .x", ".help"]),
            (".", &["no .;", ".help"]),
            (".schema", &[".schema NAME"]),
            (".timer maybe", &["\"maybe\"", "on", "off"]),
            (".mode xlsx", &["\"xlsx\"", "table, csv, json"]),
            (".quit now", &[".quit takes nothing", "\"now\""]),
        ] {
            let message = parse(line).unwrap_err().to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{line}: {message}");
            assert_eq!(message.lines().count(), 1);
        }
    }

    #[test]
    fn quit_exit_and_help_alone_need_no_dot() {
        assert_eq!(without_dot(" EXIT; "), Some(DotCommand::Quit));
        assert_eq!(without_dot("help"), Some(DotCommand::Help));
        assert_eq!(without_dot("SELECT exit"), None);
    }

    #[test]
    fn patterns_fit_names() {
        for (pattern, fits_it) in [
            ("flights", true),
            ("LIGHT", true),
            ("fl*", true),
            ("*s", true),
            ("f*g*s", true),
            ("%", true),
            ("fl*g", false),
            ("x*", false),
            ("weather", false),
        ] {
            assert_eq!(fits("flights", pattern), fits_it, "{pattern}");
        }
    }

    #[test]
    fn help_tells_every_command() {
        let help = help();
        assert!(COMMANDS.iter().all(|usage| help.contains(usage.name)), "{help}");
    }
}
