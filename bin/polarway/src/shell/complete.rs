//! Completions: SQL keywords, names of datasets and their columns, dot commands; the best matches for the place first.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use polarway_sql::{Kind, Token, identifier, script_tokens};
use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::dot::{self, Argument};
use super::names::{DatasetNames, Names};
use super::words::{self, Words};

/// Completes from the names known so far.
pub(super) struct SqlCompleter {
    names: Arc<Names>,
}

impl SqlCompleter {
    pub(super) fn new(names: Arc<Names>) -> Self {
        Self { names }
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, text: &str, position: usize) -> CompletionResult {
        self.names.refresh();
        let Choices { start, end, choices } = choices(&self.names.known(), text, position);
        let suggestions = choices.into_iter().map(|Choice { text, is_word }| Suggestion {
            value: text,
            span: Span { start, end },
            append_whitespace: is_word,
            ..Suggestion::default()
        });
        CompletionResult::fresh(suggestions.collect::<Vec<_>>())
    }
}

/// Possible completions at a place of the text, and the part of the text that they replace, in bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choices {
    start: usize,
    end: usize,
    choices: Vec<Choice>,
}

#[derive(Debug, PartialEq, Eq)]
struct Choice {
    text: String,
    /// Whether a space always follows it.
    is_word: bool,
}

/// The word being typed, before the cursor.
#[derive(Clone, Copy)]
struct Typed<'a> {
    prefix: &'a str,
    /// Whether it is a quoted name, which excludes everything else.
    is_quoted: bool,
}

fn choices(known: &[DatasetNames], text: &str, position: usize) -> Choices {
    let (Some(before), Some(after)) = (text.get(..position), text.get(position..)) else {
        return Choices::default();
    };
    let mut earlier: Vec<Token<'_>> = script_tokens(before).collect();
    let typed = match earlier.last() {
        Some(Token { kind: Kind::DotCommand, text, start, .. }) => {
            return dot_choices(known, text, *start);
        }
        Some(Token { kind: Kind::Comment | Kind::Text | Kind::Number | Kind::Parameter, .. }) => {
            return Choices::default();
        }
        Some(token) if matches!(token.kind, Kind::Word | Kind::QuotedName) => earlier.pop(),
        _ => None,
    };
    let name = typed.and_then(|token| token.name()).unwrap_or_default();
    let is_quoted = typed.is_some_and(|token| token.kind == Kind::QuotedName);
    let start = typed.map_or(position, |token| token.start);
    // The name's closing quote may exist already.
    let is_closed_after = typed.is_some_and(|token| token.is_open) && after.starts_with('"');
    let end = position + usize::from(is_closed_after);

    let earlier = statement(earlier.into_iter().rev());
    let earlier: Vec<Token<'_>> = earlier.into_iter().rev().collect();
    let later = statement(script_tokens(after));
    let mentioned = mentioned(known, earlier.iter().chain(&later));
    let typed = Typed { prefix: &name, is_quoted };
    Choices { start, end, choices: sql_choices(known, &mentioned, &earlier, typed) }
}

/// The significant tokens up to the end of a statement.
fn statement<'a>(tokens: impl Iterator<Item = Token<'a>>) -> Vec<Token<'a>> {
    tokens.take_while(|token| token.kind != Kind::End).filter(Token::is_significant).collect()
}

/// A dataset that the statement names, and its alias.
struct Mention<'a> {
    dataset: &'a DatasetNames,
    alias: Option<String>,
}

impl Mention<'_> {
    fn is_called(&self, name: &str) -> bool {
        self.dataset.name.eq_ignore_ascii_case(name)
            || self.alias.as_ref().is_some_and(|alias| alias.eq_ignore_ascii_case(name))
    }
}

fn mentioned<'a, 'b>(
    known: &'a [DatasetNames],
    statement: impl Iterator<Item = &'b Token<'b>>,
) -> Vec<Mention<'a>> {
    let is_name = |token: &Token<'_>| match token.kind {
        Kind::QuotedName => true,
        Kind::Word => !words::is_keyword(token.text),
        _ => false,
    };
    let mut mentions = Vec::new();
    let mut statement = statement.peekable();
    while let Some(token) = statement.next() {
        let Some(name) = token.name() else { continue };
        let Some(dataset) = known.iter().find(|dataset| dataset.name.eq_ignore_ascii_case(&name)) else {
            continue;
        };
        let _ = statement.next_if(|next| next.is_word("AS"));
        let alias = statement.next_if(|next| is_name(next)).and_then(Token::name).map(Cow::into_owned);
        mentions.push(Mention { dataset, alias });
    }
    mentions
}

/// What is expected at a place in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    Relation,
    Expression,
    /// After a name or a value, where only a keyword can follow.
    Continuation,
}

fn place(earlier: &[Token<'_>]) -> Place {
    const RELATION_FOLLOWS: [&str; 5] = ["FROM", "JOIN", "DESCRIBE", "SUMMARIZE", "TABLE"];
    const ENDS_A_VALUE: [&str; 7] = ["END", "NULL", "TRUE", "FALSE", "ASC", "DESC", "ALL"];
    const CLAUSES: [&str; 11] =
        ["SELECT", "FROM", "JOIN", "ON", "USING", "WHERE", "GROUP", "HAVING", "ORDER", "QUALIFY", "LIMIT"];
    let is_one_of = |token: &Token<'_>, words: &[&str]| words.iter().any(|word| token.is_word(word));

    let Some(last) = earlier.last() else { return Place::Start };
    match last.kind {
        Kind::DotCommand => Place::Start,
        Kind::Word if is_one_of(last, &RELATION_FOLLOWS) => Place::Relation,
        Kind::Word if is_one_of(last, &["EXPLAIN", "ANALYZE"]) => Place::Start,
        Kind::Word if words::is_keyword(last.text) && !is_one_of(last, &ENDS_A_VALUE) => Place::Expression,
        Kind::Word | Kind::QuotedName | Kind::Text | Kind::Number | Kind::Parameter => Place::Continuation,
        Kind::Symbol if last.text == ")" => Place::Continuation,
        Kind::Symbol if last.text == "," => {
            let clause = earlier.iter().rev().find(|token| is_one_of(token, &CLAUSES));
            if clause.is_some_and(|clause| clause.is_word("FROM")) {
                Place::Relation
            } else {
                Place::Expression
            }
        }
        _ => Place::Expression,
    }
}

fn sql_choices(
    known: &[DatasetNames],
    mentioned: &[Mention<'_>],
    earlier: &[Token<'_>],
    typed: Typed<'_>,
) -> Vec<Choice> {
    let mut list = List::new(typed);
    let columns = |mentions: &[Mention<'_>], list: &mut List<'_>| {
        for mention in mentions {
            list.names(&mention.dataset.columns);
        }
    };
    if let [.., qualifier, dot] = earlier
        && dot.text == "."
    {
        let qualifier = qualifier.name().unwrap_or_default();
        let meant = mentioned.iter().find(|mention| mention.is_called(&qualifier));
        match meant {
            Some(mention) => list.names(&mention.dataset.columns),
            // It may be the alias of a subquery.
            None => columns(mentioned, &mut list),
        }
        return list.choices;
    }
    let datasets = |list: &mut List<'_>| list.names(known.iter().map(|dataset| &dataset.name));
    match place(earlier) {
        Place::Start => list.keywords(words::STARTS.iter()),
        Place::Relation => {
            datasets(&mut list);
            list.rest(|list| list.functions(words::TABLE_FUNCTIONS));
        }
        Place::Expression => {
            columns(mentioned, &mut list);
            if list.choices.is_empty() && typed.prefix.is_empty() {
                list.keywords(words::keywords());
            }
            list.rest(|list| {
                list.keywords(words::keywords());
                list.functions(words::FUNCTIONS);
                for mention in mentioned {
                    list.names([&mention.dataset.name]);
                    list.names(&mention.alias);
                }
                // It is not known yet which datasets the statement will read: offer all.
                if mentioned.is_empty() {
                    datasets(list);
                    for dataset in known {
                        list.names(&dataset.columns);
                    }
                }
            });
        }
        Place::Continuation => list.keywords(words::keywords()),
    }
    // A quoted name may be an alias, or a column of any dataset.
    if typed.is_quoted && list.choices.is_empty() {
        datasets(&mut list);
        columns(mentioned, &mut list);
    }
    list.choices
}

/// The choices that begin with the typed text, without duplicates.
struct List<'a> {
    typed: Typed<'a>,
    choices: Vec<Choice>,
    offered: HashSet<String>,
}

impl<'a> List<'a> {
    fn new(typed: Typed<'a>) -> Self {
        Self { typed, choices: Vec::new(), offered: HashSet::new() }
    }

    fn fits(&self, name: &str) -> bool {
        let prefix = self.typed.prefix;
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    fn push(&mut self, text: String, is_word: bool) {
        if self.offered.insert(text.clone()) {
            self.choices.push(Choice { text, is_word });
        }
    }

    fn names<'b>(&mut self, names: impl IntoIterator<Item = &'b String>) {
        for name in names {
            if self.fits(name) {
                let is_quoted = self.typed.is_quoted;
                let text = if is_quoted { identifier(name) } else { words::quoted_where_needed(name) };
                self.push(text, false);
            }
        }
    }

    /// Keywords, in the case of the typed text.
    fn keywords(&mut self, keywords: impl Iterator<Item = &'static str>) {
        if self.typed.is_quoted {
            return;
        }
        let is_lower = self.typed.prefix.contains(|letter: char| letter.is_ascii_lowercase());
        for keyword in keywords {
            if self.fits(keyword) {
                self.push(if is_lower { keyword.to_lowercase() } else { keyword.to_owned() }, true);
            }
        }
    }

    fn functions(&mut self, functions: Words) {
        if self.typed.is_quoted {
            return;
        }
        for function in functions.iter() {
            if self.fits(function) {
                self.push(format!("{function}("), false);
            }
        }
    }

    /// Choices that would be too many before anything is typed.
    fn rest(&mut self, add: impl FnOnce(&mut Self)) {
        if !self.typed.prefix.is_empty() {
            add(self);
        }
    }
}

/// The commands, or the arguments of the typed command. `start` is the position of the line.
fn dot_choices(known: &[DatasetNames], line: &str, start: usize) -> Choices {
    let end = start + line.len();
    let Some((name, argument)) = line.split_once(char::is_whitespace) else {
        let commands = dot::COMMANDS.iter().filter(|usage| usage.name.starts_with(&line.to_lowercase()));
        let choices = commands
            .map(|usage| Choice { text: usage.name.to_owned(), is_word: usage.argument != Argument::Nothing })
            .collect();
        return Choices { start, end, choices };
    };
    let typed = argument.trim_start();
    let prefix = typed.trim_start_matches('"').to_lowercase();
    let usage = dot::COMMANDS.iter().find(|usage| usage.name.eq_ignore_ascii_case(name));
    let offered = match usage.map_or(Argument::Nothing, |usage| usage.argument) {
        Argument::Nothing => Vec::new(),
        Argument::Switch => vec!["on".to_owned(), "off".to_owned()],
        Argument::Format => dot::formats(),
        Argument::Dataset => known.iter().map(|dataset| words::quoted_where_needed(&dataset.name)).collect(),
    };
    let choices = offered
        .into_iter()
        .filter(|text| text.trim_start_matches('"').to_lowercase().starts_with(&prefix))
        .map(|text| Choice { text, is_word: false });
    Choices { start: end - typed.len(), end, choices: choices.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<DatasetNames> {
        vec![
            DatasetNames::of("airlines", &["carrier", "name"]),
            DatasetNames::of("flights", &["year", "carrier", "Dep Delay", "order"]),
            DatasetNames::of("my data", &["a", "b"]),
        ]
    }

    /// The choices at the position of `|`.
    fn offered(text: &str) -> Vec<String> {
        let position = text.find('|').unwrap();
        let found = choices(&known(), &text.replacen('|', "", 1), position);
        found.choices.into_iter().map(|choice| choice.text).collect()
    }

    /// The text after the first choice is accepted.
    fn completed(text: &str) -> String {
        let position = text.find('|').unwrap();
        let text = text.replacen('|', "", 1);
        let found = choices(&known(), &text, position);
        let first = found.choices.first().map_or("", |choice| &choice.text);
        format!("{}{first}{}", &text[..found.start], &text[found.end..])
    }

    #[test]
    fn a_statement_begins_with_a_verb_in_the_case_that_was_typed() {
        assert_eq!(offered("sel|"), ["select"]);
        assert_eq!(offered("SEL|"), ["SELECT"]);
        assert_eq!(offered("SELECT 1; S|"), ["SELECT", "SUMMARIZE", "SHOW"]);
        assert_eq!(offered("EXPLAIN F|"), ["FROM"]);
    }

    #[test]
    fn datasets_follow_from_and_join_and_their_commas() {
        assert_eq!(offered("SELECT * FROM |"), ["airlines", "flights", "\"my data\""]);
        assert_eq!(offered("SELECT * FROM airlines JOIN fl|")[0], "flights");
        assert_eq!(offered("SELECT * FROM flights, air|"), ["airlines"]);
        assert_eq!(offered("DESCRIBE fl|")[0], "flights");
    }

    #[test]
    fn columns_of_datasets_that_are_mentioned_come_first_also_from_behind_the_cursor() {
        assert_eq!(offered("SELECT | FROM flights"), ["year", "carrier", "\"Dep Delay\"", "\"order\""]);
        assert_eq!(offered("SELECT ca| FROM flights")[0], "carrier");
        assert_eq!(offered("SELECT * FROM flights WHERE y|")[0], "year");
        assert_eq!(offered("SELECT y|"), ["year"]);
        assert_eq!(offered("SELECT air| FROM flights"), [""; 0]);
    }

    #[test]
    fn another_statement_mentions_nothing_for_this_one() {
        let offered = offered("SELECT 1 FROM flights; SELECT | ; SELECT 1 FROM airlines");
        assert!(!offered.contains(&"carrier".to_owned()), "{offered:?}");
    }

    #[test]
    fn a_qualified_name_is_a_column_of_what_it_is_called() {
        assert_eq!(
            offered("SELECT f.| FROM flights AS f"),
            ["year", "carrier", "\"Dep Delay\"", "\"order\""]
        );
        assert_eq!(offered("SELECT f.c|, a.x FROM flights f JOIN airlines a"), ["carrier"]);
        assert_eq!(offered("SELECT airlines.n| FROM flights JOIN AIRLINES"), ["name"]);
    }

    #[test]
    fn behind_a_value_only_keywords_go_on() {
        assert_eq!(offered("SELECT * FROM flights WH|"), ["WHEN", "WHERE"]);
        assert_eq!(offered("SELECT count(*) ca|"), ["case", "cast"]);
        assert_eq!(offered("SELECT year FROM flights l|"), ["lateral", "left", "like", "limit", "last"]);
    }

    #[test]
    fn functions_come_with_their_parenthesis() {
        assert_eq!(offered("SELECT coun|"), ["count("]);
        assert_eq!(offered("SELECT * FROM read_p|"), ["read_parquet("]);
    }

    #[test]
    fn names_in_quotes_are_completed_in_quotes() {
        assert_eq!(completed("SELECT * FROM my|"), "SELECT * FROM \"my data\"");
        assert_eq!(completed("SELECT * FROM \"my d|"), "SELECT * FROM \"my data\"");
        assert_eq!(completed("SELECT * FROM \"my d|\" WHERE"), "SELECT * FROM \"my data\" WHERE");
        assert_eq!(completed("SELECT \"dep| FROM flights"), "SELECT \"Dep Delay\" FROM flights");
        assert_eq!(completed("SELECT f.\"o| FROM flights f"), "SELECT f.\"order\" FROM flights f");
    }

    #[test]
    fn nothing_is_offered_in_strings_and_comments() {
        for text in ["SELECT 'sel|", "SELECT '|'", "-- sel|", "/* sel|", "SELECT 1|"] {
            assert_eq!(offered(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn dot_commands_and_their_arguments_are_completed() {
        assert_eq!(offered(".t|"), [".tables", ".timer"]);
        assert_eq!(offered(".timer |"), ["on", "off"]);
        assert_eq!(offered(".mode c|"), ["csv"]);
        assert_eq!(completed(".schema my|"), ".schema \"my data\"");
        assert_eq!(completed(".schema \"my d|"), ".schema \"my data\"");
        assert_eq!(completed(".SCHEMA fl|"), ".SCHEMA flights");
        assert_eq!(completed("SELECT 1;\n.sch|"), "SELECT 1;\n.schema");
        assert_eq!(offered(".quit |"), [""; 0]);
    }

    #[test]
    fn any_place_in_any_text_can_be_completed() {
        let text = "SELECT \"größe\", 'é' -- ü\nFROM \"my data\" /* ß */ WHERE a.b > $$é$$;";
        for position in 0..=text.len() {
            let _ = choices(&known(), text, position);
        }
    }
}
