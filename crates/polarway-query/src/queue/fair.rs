//! The queries that wait for a slot, so that their owners take turns.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::activity::Activity;
use super::threads::Job;

/// A query that waits.
pub(crate) struct Waiting {
    pub(crate) activity: Arc<Activity>,
    pub(crate) job: Job,
}

/// Waiting queries, by owner: those of one owner are served in the order in which they came, and the owners in turn.
#[derive(Default)]
pub(crate) struct FairQueue {
    /// Owners with waiting queries. The one that was served last is at the end.
    owners: VecDeque<(Arc<str>, VecDeque<Waiting>)>,
    count: usize,
    /// How many queries of each owner have begun and not ended.
    begun: HashMap<Arc<str>, usize>,
}

impl FairQueue {
    /// How many queries wait.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many queries of an owner have begun and not ended.
    pub(crate) fn begun_of(&self, owner: &str) -> usize {
        self.begun.get(owner).copied().unwrap_or(0)
    }

    /// How many queries of an owner wait.
    pub(crate) fn waiting_of(&self, owner: &str) -> usize {
        self.owners.iter().find(|(other, _)| **other == *owner).map_or(0, |(_, waiting)| waiting.len())
    }

    /// Counts a query that begins.
    pub(crate) fn begin(&mut self, owner: &Arc<str>) {
        *self.begun.entry(Arc::clone(owner)).or_default() += 1;
    }

    /// Counts a query that has ended.
    pub(crate) fn end(&mut self, owner: &str) {
        if let Some(begun) = self.begun.get_mut(owner) {
            *begun -= 1;
            if *begun == 0 {
                self.begun.remove(owner);
            }
        }
    }

    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.count += 1;
        let owner = &waiting.activity.owner;
        match self.owners.iter_mut().find(|(other, _)| other == owner) {
            Some((_, queue)) => queue.push_back(waiting),
            None => self.owners.push_back((Arc::clone(owner), VecDeque::from([waiting]))),
        }
    }

    /// The next query: of the owner with the fewest that have begun and, of several, of the one that was served longest ago.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        self.pop_of(|_| true)
    }

    /// The next query of an owner of whom none has begun.
    pub(crate) fn pop_first(&mut self) -> Option<Waiting> {
        self.pop_of(|begun| begun == 0)
    }

    fn pop_of(&mut self, may_begin: impl Fn(usize) -> bool) -> Option<Waiting> {
        let begun = self.owners.iter().map(|(owner, _)| self.begun_of(owner)).enumerate();
        let (place, _) = begun.filter(|(_, begun)| may_begin(*begun)).min_by_key(|(_, begun)| *begun)?;
        let (owner, mut queue) = self.owners.remove(place)?;
        let next = queue.pop_front();
        if !queue.is_empty() {
            self.owners.push_back((owner, queue));
        }
        self.count -= usize::from(next.is_some());
        next
    }

    /// Makes room for a query of an owner of whom fewer wait than of another: takes out the newest of the owner of whom most wait.
    pub(crate) fn pop_newest_of_others(&mut self, owner: &str) -> Option<Waiting> {
        let own = self.waiting_of(owner);
        let place = (0..self.owners.len()).max_by_key(|place| self.owners[*place].1.len())?;
        let (_, queue) = &mut self.owners[place];
        if queue.len() <= own + 1 {
            return None;
        }
        self.count -= 1;
        queue.pop_back()
    }

    /// Takes out all queries for which this is true.
    pub(crate) fn take_if(&mut self, mut is_wanted: impl FnMut(&Activity) -> bool) -> Vec<Waiting> {
        let mut taken = Vec::new();
        for (_, queue) in &mut self.owners {
            let (wanted, staying): (VecDeque<_>, VecDeque<_>) =
                std::mem::take(queue).into_iter().partition(|waiting| is_wanted(&waiting.activity));
            *queue = staying;
            taken.extend(wanted);
        }
        self.owners.retain(|(_, queue)| !queue.is_empty());
        self.count -= taken.len();
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::control::Control;

    fn waiting(owner: &str, sql: &str) -> Waiting {
        let control = Arc::new(Control::new(None, Box::new(|_| {})));
        Waiting { activity: Arc::new(Activity::new(sql, Arc::from(owner), control)), job: Box::new(|| {}) }
    }

    /// The texts of the queries in the order in which they begin.
    fn in_order(queue: &mut FairQueue) -> String {
        let begin = || {
            let next = queue.pop()?;
            queue.begin(&next.activity.owner);
            Some(next.activity.sql.to_string())
        };
        std::iter::from_fn(begin).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn owners_take_turns_and_each_ones_queries_keep_their_order() {
        let mut queue = FairQueue::default();
        for (owner, sql) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2")] {
            queue.push(waiting(owner, sql));
        }
        assert_eq!((queue.len(), queue.waiting_of("a"), queue.waiting_of("d")), (6, 3, 0));
        assert_eq!(in_order(&mut queue), "a1 b1 c1 a2 b2 a3");
        assert!(queue.is_empty());
    }

    #[test]
    fn who_has_fewer_queries_at_work_comes_first() {
        let mut queue = FairQueue::default();
        let a: Arc<str> = Arc::from("a");
        (0..3).for_each(|_| queue.begin(&a));
        for (owner, sql) in [("a", "a4"), ("b", "b1"), ("b", "b2"), ("b", "b3"), ("b", "b4")] {
            queue.push(waiting(owner, sql));
        }
        assert!(queue.pop_first().is_some_and(|first| &*first.activity.sql == "b1"));
        queue.begin(&Arc::from("b"));
        assert!(queue.pop_first().is_none());
        assert_eq!(in_order(&mut queue), "b2 b3 a4 b4");
        (0..4).for_each(|_| queue.end("a"));
        assert_eq!((queue.begun_of("a"), queue.begun_of("b")), (0, 4));
    }

    #[test]
    fn room_is_made_by_the_newest_of_whom_most_wait() {
        let mut queue = FairQueue::default();
        for (owner, sql) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
            queue.push(waiting(owner, sql));
        }
        let newest = |queue: &mut FairQueue, owner: &str| {
            queue.pop_newest_of_others(owner).map(|waiting| waiting.activity.sql.to_string())
        };
        assert_eq!(newest(&mut queue, "a"), None);
        assert_eq!(newest(&mut queue, "c").as_deref(), Some("a3"));
        assert_eq!(newest(&mut queue, "b"), None, "both would have two");
        assert_eq!(newest(&mut queue, "c").as_deref(), Some("a2"));
        assert_eq!(newest(&mut queue, "c"), None);
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.take_if(|activity| &*activity.sql == "b1").len(), 1);
        assert_eq!((queue.len(), queue.waiting_of("b")), (1, 0));
    }
}
