//! Texts that strangers may send as SQL, see `data/attacks.sql`.

/// The form of this file stands in its first lines.
const FILE: &str = include_str!("../data/attacks.sql");

/// A text that tries to read, change or break what it should not.
#[derive(Clone, Debug)]
pub struct Attack {
    /// The line of the file where it stands, for whoever looks for it.
    pub line: usize,
    /// What the attacks around it have in common.
    pub theme: &'static str,
    /// The reasons with which it may be refused; `OK` where it may be answered.
    pub reasons: Vec<&'static str>,
    /// The text, with names in braces for what only the one who attacks knows.
    template: String,
}

impl Attack {
    /// The text to send, each `{name}` of `values` replaced by its value.
    pub fn text(&self, values: &[(&str, &str)]) -> String {
        let named = values
            .iter()
            .fold(self.template.clone(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        with_characters(&named)
    }

    /// Whether only its deadline may end it.
    pub fn is_endless(&self) -> bool {
        self.reasons.contains(&"DEADLINE_EXCEEDED")
    }

    /// Whether it may be answered.
    pub fn is_harmless(&self) -> bool {
        self.reasons.contains(&"OK")
    }
}

/// All attacks, in the order of the file.
pub fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    let (mut theme, mut reasons) = ("", Vec::new());
    let mut entry: Option<Attack> = None;
    for (index, line) in FILE.lines().enumerate() {
        if let Some(attack) = entry.as_mut().filter(|_| !line.is_empty()) {
            attack.template.push('\n');
            attack.template.push_str(line);
            continue;
        }
        attacks.extend(entry.take());
        if let Some(heading) = line.strip_prefix("--# ") {
            theme = heading;
        } else if let Some(list) = line.strip_prefix("--> ") {
            reasons = list.split_whitespace().collect();
        } else if !line.is_empty() && !theme.is_empty() {
            let reasons = reasons.clone();
            entry = Some(Attack { line: index + 1, theme, reasons, template: line.to_owned() });
        }
    }
    attacks.extend(entry);
    attacks
}

/// Puts characters in the place of their codes: `{U+200B}`.
fn with_characters(text: &str) -> String {
    let mut parts = text.split("{U+");
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (code, rest) = part.split_once('}').unwrap();
        replaced.extend(char::from_u32(u32::from_str_radix(code, 16).unwrap()));
        replaced.push_str(rest);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attack_has_a_text_a_theme_and_reasons() {
        let attacks = attacks();
        assert!(attacks.len() > 400, "{}", attacks.len());
        for attack in attacks {
            assert!(!attack.theme.is_empty() && !attack.reasons.is_empty(), "{attack:?}");
            assert!(!attack.text(&[]).contains("{U+"), "{attack:?}");
        }
    }

    #[test]
    fn lines_of_one_entry_stay_together_and_names_are_replaced() {
        let attacks = attacks();
        let attack = attacks.iter().find(|attack| attack.text(&[]).contains("-- flights\n")).unwrap();
        assert_eq!(attack.text(&[("secret", "/x")]), "SELECT * FROM -- flights\n'/x'");
        assert!(attacks.iter().any(|attack| attack.text(&[]).contains('\0')));
    }
}
