//! A bounded map that forgets entries that were not used for long.

use std::collections::HashMap;

/// The most bytes of all keys in a generation; their values are of similar size.
const KEY_BYTES: usize = 8 << 20;

/// A longer key is not stored: it would take the space of many.
const LONGEST_KEY: usize = KEY_BYTES / 32;

/// Two generations: when the young one is full, it becomes the old one, and the old one is dropped. Used entries move to the
/// young one, so it holds the most recently used: `capacity` of them if they are short, at most twice as many in all.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    young: HashMap<String, V>,
    young_bytes: usize,
    old: HashMap<String, V>,
    capacity: usize,
}

impl<V: Clone> Recent<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), young_bytes: 0, old: HashMap::new(), capacity }
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: String, value: V) {
        if self.capacity == 0 || key.len() > LONGEST_KEY {
            return;
        }
        if self.young.len() >= self.capacity || self.young_bytes + key.len() > KEY_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += key.len();
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut recent = Recent::new(2);
        recent.insert("used".to_owned(), 0);
        for round in 1..10 {
            recent.insert(format!("entry {round}"), round);
            assert_eq!(recent.get("used"), Some(0));
        }
        assert_eq!(recent.get("entry 1"), None);
        assert!(recent.young.len() + recent.old.len() <= 4);
    }

    #[test]
    fn long_texts_are_remembered_by_their_bytes_and_not_by_their_number() {
        let mut recent = Recent::new(1_000);
        let text = |number: usize| format!("{number}{}", "x".repeat(200_000));
        (0..600).for_each(|number| recent.insert(text(number), number));
        let kept: usize = recent.young.keys().chain(recent.old.keys()).map(String::len).sum();
        assert!(kept <= 2 * KEY_BYTES, "{kept}");
        assert_eq!(recent.get(&text(599)), Some(599));
        recent.insert("x".repeat(1_000_000), 0);
        assert_eq!(recent.get(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn without_capacity_nothing_is_kept() {
        let mut recent = Recent::new(0);
        recent.insert("a".to_owned(), 1);
        assert_eq!(recent.get("a"), None);
    }
}
