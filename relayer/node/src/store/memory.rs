//! The store in memory: for tests, and to fold a journal anew when a store is checked against it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use catenary_core::store::Entry;
use catenary_core::{Store, StoreError, StoreOp, Tree};

type Map = BTreeMap<(Tree, String), Vec<u8>>;

/// A sorted map behind a lock.
#[derive(Debug, Default)]
pub struct MemoryStore {
    map: RwLock<Map>,
}

impl Store for MemoryStore {
    fn apply(&self, batch: &[StoreOp]) -> Result<(), StoreError> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for op in batch {
            match op {
                StoreOp::Put { tree, key, value } => {
                    map.insert((*tree, key.clone()), value.clone());
                }
                StoreOp::Delete { tree, key } => {
                    map.remove(&(*tree, key.clone()));
                }
            }
        }
        Ok(())
    }

    fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        Ok(map.get(&(tree, key.into())).cloned())
    }

    fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded((tree, after.into())),
            _ => Bound::Included((tree, prefix.into())),
        };
        let entries = map
            .range((start, Bound::Unbounded))
            .take_while(|((at, key), _)| *at == tree && key.starts_with(prefix))
            .take(limit)
            .map(|((_, key), value)| (key.clone(), value.clone()));
        Ok(entries.collect())
    }
}
