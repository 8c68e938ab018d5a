//! What the owner of a token may do: a role, and patterns of datasets.

use std::fmt;

use polarway_core::{Action, Target};

use super::pattern::Patterns;

/// How much a caller may do at all. Each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Loads datasets, runs queries and keeps their results.
    Reader,
    /// Also stores, appends and deletes.
    Writer,
    /// May do everything, also to queries and handles of others.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::Admin];

    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Its name in files and claims.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role, and the datasets that it applies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(super) role: Role,
    /// What may be read. An admin reads everything.
    pub(super) read: Patterns,
    /// What may be written, if the role may write. It may be read too: a writer sees schemas and versions in messages.
    pub(super) write: Patterns,
}

impl Rights {
    /// All rights.
    pub(super) fn all() -> Self {
        Self { role: Role::Admin, read: Patterns::all(), write: Patterns::all() }
    }

    /// Whether a caller of this name may do this.
    pub(super) fn allow(&self, caller: &str, action: Action, target: Target<'_>) -> bool {
        if self.role == Role::Admin {
            return true;
        }
        match target {
            Target::Dataset(name) => match action {
                Action::Write | Action::Delete => self.writes(name.as_str()),
                Action::Read | Action::Query | Action::Keep => self.reads(name.as_str()),
            },
            Target::Analytics { schema, table } => {
                matches!(action, Action::Read | Action::Query) && self.reads_analytics(schema, table)
            }
            Target::Handle { owner, .. } => owner == Some(caller),
            Target::RunningQuery { owner } => owner == caller,
            // They would reveal datasets that the caller may not see.
            Target::Statistics => self.read.are_all(),
            Target::Engine => true,
        }
    }

    fn writes(&self, name: &str) -> bool {
        self.role >= Role::Writer && self.write.match_name(name)
    }

    fn reads(&self, name: &str) -> bool {
        self.read.match_name(name) || self.writes(name)
    }

    /// Tables of the analytics database are matched by their names in SQL. A pattern may leave out the schema `main`.
    fn reads_analytics(&self, schema: &str, table: &str) -> bool {
        self.read.are_all()
            || self.read.match_name(&format!("analytics.{schema}.{table}"))
            || (schema == "main" && self.read.match_name(&format!("analytics.{table}")))
    }
}

#[cfg(test)]
mod tests {
    use polarway_core::DatasetName;

    use super::*;

    fn rights(role: Role, read: &[&str], write: &[&str]) -> Rights {
        let patterns = |texts: &[&str]| Patterns::parse(texts.iter().copied()).unwrap();
        Rights { role, read: patterns(read), write: patterns(write) }
    }

    /// What may be done to a dataset.
    fn of(rights: &Rights, name: &str) -> Vec<Action> {
        let name = DatasetName::new(name).unwrap();
        let all = [Action::Read, Action::Write, Action::Delete];
        all.into_iter().filter(|action| rights.allow("me", *action, Target::Dataset(&name))).collect()
    }

    #[test]
    fn a_reader_reads_what_its_patterns_match_and_writes_nothing() {
        let reader = rights(Role::Reader, &["sales_*"], &["*"]);
        assert_eq!(of(&reader, "sales_2026"), [Action::Read]);
        assert_eq!(of(&reader, "salaries"), []);
    }

    #[test]
    fn a_writer_reads_what_it_may_write() {
        let writer = rights(Role::Writer, &["sales_*"], &["staging_*"]);
        assert_eq!(of(&writer, "sales_2026"), [Action::Read]);
        assert_eq!(of(&writer, "staging_2026"), [Action::Read, Action::Write, Action::Delete]);
        assert_eq!(of(&writer, "salaries"), []);
    }

    #[test]
    fn an_admin_may_do_everything_whatever_the_patterns() {
        let admin = rights(Role::Admin, &[], &[]);
        assert_eq!(of(&admin, "salaries"), [Action::Read, Action::Write, Action::Delete]);
        assert!(admin.allow("me", Action::Delete, Target::RunningQuery { owner: "you" }));
        assert!(admin.allow("me", Action::Read, Target::Statistics));
    }

    #[test]
    fn queries_and_handles_are_their_owners_and_counters_of_all_are_for_those_who_read_all() {
        let some = rights(Role::Writer, &["sales_*"], &["*"]);
        for (owner, expect) in [("me", true), ("you", false)] {
            assert_eq!(some.allow("me", Action::Delete, Target::RunningQuery { owner }), expect);
            let id = "h_aaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
            assert_eq!(some.allow("me", Action::Read, Target::Handle { id, owner: Some(owner) }), expect);
            assert!(!some.allow("me", Action::Read, Target::Handle { id, owner: None }));
        }
        assert!(!some.allow("me", Action::Read, Target::Statistics));
        assert!(rights(Role::Reader, &["*"], &[]).allow("me", Action::Read, Target::Statistics));
    }

    #[test]
    fn tables_of_analytics_are_matched_by_their_names_in_sql() {
        let sees = |pattern: &str, schema: &str, table: &str| {
            rights(Role::Reader, &[pattern], &[]).allow(
                "me",
                Action::Read,
                Target::Analytics { schema, table },
            )
        };
        for pattern in ["*", "analytics.*", "analytics.main.*", "analytics.facts", "analytics.main.facts"] {
            assert!(sees(pattern, "main", "facts"), "{pattern}");
        }
        for pattern in ["facts", "main.facts", "analytics.fact", "analytics.other.facts", "sales_*"] {
            assert!(!sees(pattern, "main", "facts"), "{pattern}");
        }
        assert!(!sees("analytics.facts", "other", "facts"));
        assert!(sees("analytics.other.facts", "other", "facts"));
    }
}
