//! Signed answers that are kept, bounded in number and bytes. What leaves first is what came first: heights only go
//! up, so the oldest answer is the one least likely to be asked for again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use catenary_light_clients::Hash32;

/// A bounded map from the digest of a request to its answer.
#[derive(Debug)]
pub(super) struct Cache<T> {
    inner: Mutex<Inner<T>>,
    entries_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Inner<T> {
    answers: HashMap<Hash32, (Arc<T>, usize)>,
    order: VecDeque<Hash32>,
    bytes: usize,
}

impl<T> Cache<T> {
    /// An empty cache with its bounds.
    pub(super) fn new(entries_max: usize, bytes_max: usize) -> Self {
        let inner = Inner { answers: HashMap::new(), order: VecDeque::new(), bytes: 0 };
        Self { inner: Mutex::new(inner), entries_max, bytes_max }
    }

    /// The answer to a request, if it is kept.
    pub(super) fn get(&self, key: &Hash32) -> Option<Arc<T>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.answers.get(key).map(|(answer, _)| Arc::clone(answer))
    }

    /// Keeps an answer of about `bytes`, and drops the oldest ones that no longer fit.
    pub(super) fn insert(&self, key: Hash32, answer: Arc<T>, bytes: usize) {
        let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *guard;
        if let Some((_, old)) = inner.answers.insert(key, (answer, bytes)) {
            inner.bytes -= old;
        } else {
            inner.order.push_back(key);
        }
        inner.bytes += bytes;
        while inner.answers.len() > self.entries_max || inner.bytes > self.bytes_max {
            let Some(oldest) = inner.order.pop_front() else { break };
            if let Some((_, old)) = inner.answers.remove(&oldest) {
                inner.bytes -= old;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Hash32 {
        Hash32([number; 32])
    }

    /// Inserts (key, bytes) in order and checks which keys are kept.
    fn check(entries_max: usize, bytes_max: usize, inserts: &[(u8, usize)], expect: &[u8]) {
        let cache = Cache::new(entries_max, bytes_max);
        for (number, bytes) in inserts {
            cache.insert(key(*number), Arc::new(*number), *bytes);
        }
        let kept: Vec<u8> = (0..=u8::MAX).filter(|number| cache.get(&key(*number)).is_some()).collect();
        assert_eq!(kept, expect, "{inserts:?}");
    }

    #[test]
    fn the_oldest_answers_leave_first_when_a_bound_is_reached() {
        check(3, 100, &[(1, 10), (2, 10), (3, 10)], &[1, 2, 3]);
        check(3, 100, &[(1, 10), (2, 10), (3, 10), (4, 10)], &[2, 3, 4]);
        check(9, 30, &[(1, 10), (2, 10), (3, 10), (4, 20)], &[3, 4]);
        check(9, 30, &[(1, 10), (2, 31)], &[]);
        check(9, 30, &[(1, 10), (1, 10), (1, 10), (1, 10)], &[1]);
        check(2, 100, &[(1, 10), (1, 20), (2, 10)], &[1, 2]);
        check(0, 100, &[(1, 10)], &[]);
    }
}
