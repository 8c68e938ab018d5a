//! SQL as a tree, so that a text that shows a difference can be made smaller.

use super::types::Type;

/// A piece of SQL.
#[derive(Debug, Clone)]
pub(super) struct Form {
    kind: Kind,
    /// With `{}` where the parts stand; of a list, what stands between them.
    text: String,
    parts: Vec<Form>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Value(Type),
    /// Another piece that must stay.
    Piece,
    /// A piece that may be left out.
    Clause,
    List,
}

impl Form {
    pub(super) fn value(of: Type, text: impl Into<String>, parts: Vec<Form>) -> Self {
        Self { kind: Kind::Value(of), text: text.into(), parts }
    }

    pub(super) fn piece(text: impl Into<String>, parts: Vec<Form>) -> Self {
        Self { kind: Kind::Piece, text: text.into(), parts }
    }

    pub(super) fn clause(text: impl Into<String>, parts: Vec<Form>) -> Self {
        Self { kind: Kind::Clause, text: text.into(), parts }
    }

    pub(super) fn nothing() -> Self {
        Self::clause("", Vec::new())
    }

    pub(super) fn list(separator: &str, parts: Vec<Form>) -> Self {
        Self { kind: Kind::List, text: separator.to_owned(), parts }
    }

    pub(super) fn sql(&self) -> String {
        let mut parts = self.parts.iter().map(Self::sql);
        if self.kind == Kind::List {
            return parts.collect::<Vec<_>>().join(&self.text);
        }
        if self.parts.is_empty() {
            return self.text.clone();
        }
        let pieces: Vec<_> = self.text.split("{}").collect();
        assert_eq!(pieces.len(), self.parts.len() + 1, "{}", self.text);
        pieces.iter().fold(String::new(), |sql, piece| sql + piece + &parts.next().unwrap_or_default())
    }

    /// The smallest text that can be reached by steps for each of which `shows` is true.
    pub(super) fn shrunk(self, shows: impl Fn(&str) -> bool) -> Self {
        let mut smallest = self;
        let mut tries = 600;
        loop {
            let mut smaller = smallest.smaller();
            let length = smallest.sql().len();
            smaller.retain(|form| form.sql().len() < length);
            smaller.sort_by_key(|form| form.sql().len());
            let found = smaller.into_iter().find(|form| {
                tries -= 1;
                tries > 0 && shows(&form.sql())
            });
            match found {
                Some(form) => smallest = form,
                None => return smallest,
            }
        }
    }

    /// The same with one change.
    fn smaller(&self) -> Vec<Self> {
        let mut found = Vec::new();
        match self.kind {
            Kind::Value(of) => {
                self.values_of(of, &mut found);
                if !self.parts.is_empty() {
                    found.push(Self::value(of, format!("CAST(NULL AS {of})"), Vec::new()));
                }
            }
            Kind::Clause => found.push(Self::nothing()),
            Kind::List if self.parts.len() > 1 => {
                for place in 0..self.parts.len() {
                    let mut fewer = self.clone();
                    fewer.parts.remove(place);
                    found.push(fewer);
                }
            }
            Kind::List | Kind::Piece => {}
        }
        for (place, part) in self.parts.iter().enumerate() {
            for smaller in part.smaller() {
                let mut changed = self.clone();
                changed.parts[place] = smaller;
                found.push(changed);
            }
        }
        found
    }

    fn values_of(&self, of: Type, found: &mut Vec<Self>) {
        for part in &self.parts {
            if part.kind == Kind::Value(of) {
                found.push(part.clone());
            }
            part.values_of(of, found);
        }
    }
}
