//! Makes a caller with rights from the claims of a token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use polarway_core::Quota;
use serde_json::{Map, Value};

use super::config::JwtConfig;
use crate::auth::Role;
use crate::auth::pattern::Patterns;
use crate::auth::rights::Rights;
use crate::auth::session::Session;

/// What the names of callers with a JWT begin with. No name in the file of tokens has a colon.
const PREFIX: &str = "jwt:";

/// The longest subject, in bytes.
const MOST_SUBJECT_BYTES: usize = 256;

/// The claims of a token by their names.
pub(super) type Claims = Map<String, Value>;

/// The session of a token with these claims, whose signature and times were checked.
///
/// # Errors
/// The reason why the claims are not accepted.
pub(super) fn session(claims: &Claims, config: &JwtConfig, leeway: Duration) -> Result<Session, String> {
    let subject = claims.get("sub").and_then(Value::as_str).ok_or("`sub` is not a text")?;
    let is_plain = !subject.chars().any(char::is_control);
    if !(1..=MOST_SUBJECT_BYTES).contains(&subject.len()) || !is_plain {
        return Err("`sub` is empty, too long, or not plain text".to_owned());
    }
    let expires = claims.get("exp").and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0);
    let expires = expires.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let until: Option<SystemTime> = expires.and_then(|since| UNIX_EPOCH.checked_add(since + leeway));
    let until = until.ok_or("`exp` is not a time")?;
    let role =
        role(claims, config).ok_or_else(|| format!("`{}` has no role of this server", config.role_claim))?;
    let read = patterns(claims, config.read_claim.as_deref())?;
    let write = match &config.write_claim {
        Some(claim) => patterns(claims, Some(claim))?,
        None => read.clone(),
    };
    let rights = Rights { role, read, write };
    Ok(Session::new(format!("{PREFIX}{subject}"), rights, Quota::default(), Some(until)))
}

/// The highest of the roles that the claim has.
fn role(claims: &Claims, config: &JwtConfig) -> Option<Role> {
    let values = texts(find(claims, &config.role_claim)?)?;
    let means = |(value, role): &(String, Role)| values.contains(&value.as_str()).then_some(*role);
    config.roles.iter().filter_map(means).max()
}

/// The patterns that a claim has. If a token does not have the configured claim, it matches nothing.
fn patterns(claims: &Claims, claim: Option<&str>) -> Result<Patterns, String> {
    let Some(name) = claim else { return Ok(Patterns::all()) };
    let Some(value) = find(claims, name) else { return Ok(Patterns::default()) };
    let texts = texts(value).ok_or_else(|| format!("`{name}` is neither a text nor a list of texts"))?;
    Patterns::parse(texts).map_err(|wrong| format!("`{name}`: {wrong}"))
}

/// A claim by its name, or by the names of objects in one another with dots between them.
fn find<'a>(claims: &'a Claims, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (outer, inner) = name.split_once('.')?;
        find(claims.get(outer)?.as_object()?, inner)
    })
}

/// A list of texts, or one text with spaces between its parts, as `scope` is (RFC 8693).
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(text.split_whitespace().collect()),
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use polarway_core::{Action, DatasetName, Target};
    use serde_json::json;

    use super::*;

    fn made(claims: Value, config: &JwtConfig) -> Result<Session, String> {
        let mut all = json!({"sub": "ada", "exp": 4_000_000_000_u64});
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        session(all.as_object().unwrap(), config, Duration::ZERO)
    }

    fn may(session: &Session, action: Action, name: &str) -> bool {
        session.rights.allow(&session.name, action, Target::Dataset(&DatasetName::new(name).unwrap()))
    }

    #[test]
    fn the_highest_role_of_a_list_or_a_text_counts() {
        let mut config = JwtConfig::default();
        for (claim, expect) in [
            (json!("reader"), Some(Role::Reader)),
            (json!(["reader", "admin", "other"]), Some(Role::Admin)),
            (json!("writer other"), Some(Role::Writer)),
            (json!("other"), None),
            (json!([]), None),
            (json!(["reader", 7]), None),
            (json!(7), None),
        ] {
            let role = made(json!({ "role": claim }), &config).ok().map(|session| session.rights.role);
            assert_eq!(role, expect, "{claim}");
        }
        assert!(made(json!({}), &config).unwrap_err().contains("`role`"));
        config.role_claim = "realm_access.roles".to_owned();
        assert!(config.set_roles("admin=polarway-admins"));
        let session = made(json!({"realm_access": {"roles": ["polarway-admins"]}}), &config).unwrap();
        assert_eq!(session.rights.role, Role::Admin);
        assert!(made(json!({"realm_access": {"roles": ["admin"]}}), &config).is_err());
        config.role_claim = "https://polarway.example/roles".to_owned();
        assert!(made(json!({"https://polarway.example/roles": "polarway-admins"}), &config).is_ok());
    }

    #[test]
    fn patterns_come_from_claims_and_a_claim_that_is_missing_allows_nothing() {
        let mut config = JwtConfig::default();
        let writer = json!({"role": "writer", "datasets": ["sales_*"], "staging": "in_* out_*"});
        assert!(may(&made(writer.clone(), &config).unwrap(), Action::Write, "anything"));
        config.read_claim = Some("datasets".to_owned());
        let session = made(writer.clone(), &config).unwrap();
        assert!(may(&session, Action::Write, "sales_1") && !may(&session, Action::Read, "in_1"));
        config.write_claim = Some("staging".to_owned());
        let session = made(writer, &config).unwrap();
        assert!(may(&session, Action::Write, "out_1") && !may(&session, Action::Write, "sales_1"));
        let without = made(json!({"role": "writer"}), &config).unwrap();
        assert!(!may(&without, Action::Read, "sales_1") && !may(&without, Action::Write, "in_1"));
        assert!(made(json!({"role": "writer", "datasets": 7}), &config).is_err());
        assert!(made(json!({"role": "writer", "datasets": ["a/b"]}), &config).is_err());
    }

    #[test]
    fn the_callers_name_is_the_subject_and_no_name_of_another_kind() {
        let session = made(json!({"role": "reader", "sub": "owner"}), &JwtConfig::default()).unwrap();
        assert_eq!(&*session.name, "jwt:owner");
        for sub in [json!(""), json!("a\nb"), json!(7), json!("x".repeat(257)), Value::Null] {
            assert!(made(json!({"role": "reader", "sub": sub}), &JwtConfig::default()).is_err(), "{sub}");
        }
    }
}
