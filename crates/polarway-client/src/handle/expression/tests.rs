use serde::Deserialize;

use super::*;

/// What `proto/cases/expressions.json` holds for the clients of all languages.
#[derive(Deserialize)]
struct Cases {
    one: Vec<String>,
    none: Vec<Refused>,
    named: Vec<Named>,
    not_named: Vec<String>,
    names: Vec<KnownNames>,
    keys: Vec<Written>,
    not_keys: Vec<String>,
    statements: Vec<Written>,
    not_statements: Vec<String>,
}

#[derive(Deserialize)]
struct Refused {
    text: String,
    says: String,
}

#[derive(Deserialize)]
struct Named {
    text: String,
    sql: String,
    name: String,
}

#[derive(Deserialize)]
struct KnownNames {
    text: String,
    names: Option<String>,
}

#[derive(Deserialize)]
struct Written {
    text: String,
    sql: String,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("../../../../../proto/cases/expressions.json")).unwrap()
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(refused: Result<T>) -> String {
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expression);
    error.to_string()
}

#[test]
fn one_expression_is_put_into_parentheses_as_it_is() {
    for text in cases().one {
        assert_eq!(expression(&text).unwrap(), format!("({})", text.trim()), "{text}");
        assert_eq!(column(&text).unwrap().sql, format!("({})", text.trim()), "{text}");
        assert_eq!(sort_key(&text).unwrap(), format!("({})", text.trim()), "{text}");
    }
}

#[test]
fn what_could_leave_its_place_is_refused_and_named() {
    for Refused { text, says } in cases().none {
        let said = refusal(expression(&text));
        assert!(said.starts_with(&format!("{text:?} is not ")) && said.contains(&says), "{text:?}: {said}");
        if says != "AS" {
            refusal(column(&text));
        }
        refusal(sort_key(&text));
    }
}

#[test]
fn a_name_behind_as_is_quoted_and_known() {
    let Cases { named, not_named, .. } = cases();
    for Named { text, sql, name } in named {
        let column = column(&text).unwrap();
        assert_eq!((column.sql, column.names), (sql, Names::One(name.clone())), "{text}");
        assert_eq!(column.alias, Some(name));
    }
    for text in not_named {
        assert!(refusal(column(&text)).contains("AS"), "{text}");
    }
}

#[test]
fn the_names_of_columns_are_told_where_the_text_tells_them() {
    for KnownNames { text, names } in cases().names {
        let names = match names.as_deref() {
            Some("*") => Names::All,
            Some(name) => Names::One(name.to_owned()),
            None => Names::Unknown,
        };
        assert_eq!(column(&text).unwrap().names, names, "{text}");
    }
}

#[test]
fn a_sort_key_keeps_its_direction_outside_of_the_parentheses() {
    let Cases { keys, not_keys, .. } = cases();
    for Written { text, sql } in keys {
        assert_eq!(sort_key(&text).unwrap(), sql, "{text}");
    }
    for text in not_keys {
        refusal(sort_key(&text));
    }
}

#[test]
fn a_select_loses_the_semicolon_that_ends_it_and_what_follows() {
    let Cases { statements, not_statements, .. } = cases();
    for Written { text, sql } in statements {
        assert_eq!(statement(&text).unwrap(), sql, "{text}");
    }
    for text in not_statements {
        assert!(refusal(statement(&text)).contains("is not a single SELECT"), "{text}");
    }
}

#[test]
fn a_very_long_text_is_read_in_one_pass_and_shown_in_part() {
    let sum = vec!["a"; 200_000].join(" + ");
    assert_eq!(expression(&sum).unwrap().len(), sum.len() + 2);
    let deep = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(expression(&deep).is_ok());
    let said = refusal(expression(&format!("{sum};")));
    assert!(said.len() < 1000 && said.contains('…'), "{said}");
    let dollars = "$a ".repeat(100_000);
    assert!(expression(&dollars).is_ok());
}

#[test]
fn whatever_is_cut_out_of_good_texts_stays_in_its_place_or_is_refused() {
    // The parentheses around a piece must be the ones that close: its tokens are the same with them as without.
    let kinds = |text: &str| -> Vec<Kind> {
        tokens(text).filter(Token::is_significant).map(|token| token.kind).collect()
    };
    let Cases { one, none, .. } = cases();
    let all = one.into_iter().chain(none.into_iter().map(|refused| refused.text));
    let all = all.collect::<Vec<_>>().join(" ");
    let cuts: Vec<usize> = all.char_indices().map(|(index, _)| index).collect();
    for (from, start) in cuts.iter().enumerate() {
        for end in cuts[from..].iter().step_by(7).take(12) {
            let piece = &all[*start..*end];
            let Ok(sql) = expression(piece) else { continue };
            let around = kinds(&format!("{sql} x"));
            assert_eq!(around[1..around.len() - 2], kinds(piece)[..], "{piece:?}");
        }
    }
}
