//! Names like one that is not there.

/// The names near one that is not there, best first.
pub(crate) fn near_names<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let length = wanted.chars().count();
    let most_edits = (length / 3).max(1);
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| {
            let candidate = name.to_lowercase();
            let shares_start = wanted.len() >= 3 && candidate.starts_with(&wanted);
            // Each letter more or less is an edit: most names need not be compared.
            if candidate.chars().count().abs_diff(length) > most_edits && !shares_start {
                return None;
            }
            let edits = strsim::damerau_levenshtein(&wanted, &candidate);
            (edits <= most_edits || shares_start).then_some((edits, name))
        })
        .collect();
    near.sort();
    near.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_stranger_finds_nothing() {
        let names = ["flights", "airlines", "airports", "weather"];
        assert_eq!(near_names("fligths", names), ["flights"]);
        assert_eq!(near_names("FLIGHTS", names), ["flights"]);
        assert_eq!(near_names("air", names), ["airlines", "airports"]);
        assert!(near_names("orders", names).is_empty());
    }
}
