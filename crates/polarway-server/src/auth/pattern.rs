//! Patterns of names.

/// The longest pattern, in characters. Names have 128 at most.
const MOST_CHARACTERS: usize = 256;

/// The most patterns of one list. Each name in a list of datasets is compared with all of them.
const MOST_PATTERNS: usize = 100;

/// Patterns, of which one must match. `*` stands for any number of characters, also none, and `?` for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patterns(Vec<String>);

impl Patterns {
    /// One that matches everything.
    pub(super) fn all() -> Self {
        Self(vec!["*".to_owned()])
    }

    /// These patterns.
    ///
    /// # Errors
    /// The reason why they are invalid, with the invalid one.
    pub(super) fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let texts: Vec<&str> = texts.into_iter().collect();
        if texts.len() > MOST_PATTERNS {
            return Err(format!("{} patterns are too many: {MOST_PATTERNS} are allowed", texts.len()));
        }
        if let Some(wrong) = texts.iter().find(|text| !is_pattern(text)) {
            return Err(format!(
                "{wrong:?} is not a pattern of names: use letters, digits, `_`, `.`, `-`, `*` for any characters and `?` for one"
            ));
        }
        Ok(Self(texts.into_iter().map(str::to_owned).collect()))
    }

    /// Whether they match every name.
    pub(super) fn are_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// Whether one of them matches.
    pub(super) fn match_name(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
    }
}

fn is_pattern(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-*?".contains(&byte);
    (1..=MOST_CHARACTERS).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Whether a pattern matches a whole name. It goes back only to the last `*`: what an earlier one matched need not change.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // The position after the last `*`, and where in the name its characters end so far.
    let mut star = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at + 1, seen));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((behind, taken)) => {
                    star = Some((behind, taken + 1));
                    (at, seen) = (behind, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name, expect) in [
            ("sales", "sales", true),
            ("sales", "sales_2026", false),
            ("sales", "my_sales", false),
            ("Sales", "sales", false),
            ("*", "eu.trades", true),
            ("sales_*", "sales_", true),
            ("sales_*", "sales_2026", true),
            ("*_2026", "sales_2026", true),
            ("*_2026", "sales_2026_2025", false),
            ("*_2026", "sales_2026_2026", true),
            ("s*s_*6", "sales_2026", true),
            ("s*x*6", "sales_2026", false),
            ("s?les", "sales", true),
            ("s?les", "sles", false),
            ("?", "", false),
            ("**", "x", true),
            ("a*b*c", "abbcbc", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_long_time() {
        let pattern = "a*".repeat(60) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(128).as_bytes()));
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_name() {
        for wrong in ["", "a b", "größe", "[ab]", "a/b", "{a,b}", &"x".repeat(257)] {
            let error = Patterns::parse([wrong]).unwrap_err();
            assert!(error.contains(&format!("{wrong:?}")), "{error}");
        }
        assert!(Patterns::parse(vec!["x"; 101]).is_err());
        assert!(!Patterns::parse([]).unwrap().match_name("x"));
    }
}
