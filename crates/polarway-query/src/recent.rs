//! A bounded map that forgets what was not used for long.

use std::collections::HashMap;

/// Two generations: a full young one becomes the old one, and the old one is forgotten. What is used moves to
/// the young one, so at least the `capacity` most recently used entries are there, and at most twice as many.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    young: HashMap<String, V>,
    old: HashMap<String, V>,
    capacity: usize,
}

impl<V: Clone> Recent<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), capacity }
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
        if self.capacity == 0 {
            return;
        }
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
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
    fn without_capacity_nothing_is_kept() {
        let mut recent = Recent::new(0);
        recent.insert("a".to_owned(), 1);
        assert_eq!(recent.get("a"), None);
    }
}
