//! Makes the names of columns distinct.

use std::collections::{HashMap, HashSet};

/// Distinct names of columns: of several equal names the first one stays, and the others get a number that gives a name that no
/// column has. Names are equal if their `key` is, such as the name itself or its lower case.
///
/// ```
/// use polarway_table::distinct_names;
///
/// assert_eq!(distinct_names(["v", "v", "V"], str::to_owned), ["v", "v_1", "V"]);
/// assert_eq!(distinct_names(["v", "v", "V", "v_1"], str::to_lowercase), ["v", "v_2", "V_3", "v_1"]);
/// ```
pub fn distinct_names<'a>(
    names: impl IntoIterator<Item = &'a str> + Clone,
    key: impl Fn(&str) -> String,
) -> Vec<String> {
    // A number must not give the original name of another column.
    let given: HashSet<String> = names.clone().into_iter().map(&key).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut numbers: HashMap<String, u64> = HashMap::new();
    let distinct = names.into_iter().map(|name| {
        let name_key = key(name);
        if taken.insert(name_key.clone()) {
            return name.to_owned();
        }
        let number = numbers.entry(name_key).or_default();
        loop {
            *number += 1;
            let numbered = format!("{name}_{number}");
            let numbered_key = key(&numbered);
            if !given.contains(&numbered_key) && taken.insert(numbered_key) {
                return numbered;
            }
        }
    });
    distinct.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_once_is_never_changed() {
        let cases: [(&[&str], &[&str]); 5] = [
            (&["a", "b"], &["a", "b"]),
            (&["", ""], &["", "_1"]),
            (&["a", "a", "a_1"], &["a", "a_2", "a_1"]),
            (&["a_1", "a", "a"], &["a_1", "a", "a_2"]),
            (&["a", "A", "a"], &["a", "A_1", "a_2"]),
        ];
        for (given, expect) in cases {
            assert_eq!(distinct_names(given.iter().copied(), str::to_lowercase), expect, "{given:?}");
        }
    }

    #[test]
    fn many_columns_of_one_name_are_told_apart_in_time() {
        let names = distinct_names(vec!["v"; 20_000], str::to_owned);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    }
}
