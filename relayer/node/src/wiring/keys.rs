//! Which of a chain's keys sends what, and how patiently.

use std::time::Duration;

use catenary_light_clients::Hash32;

use crate::config::{AdapterConfig, Chain};
use crate::relay::{limits, SendPolicy};

/// How the keys of a chain send: a Cosmos chain takes the next sequence before the last one is included; on EVM one
/// transaction of a key is on its way, and is replaced at a higher fee when no block takes it.
#[must_use]
pub fn send_policy(chain: &Chain) -> SendPolicy {
    match &chain.adapter {
        AdapterConfig::Evm(evm) => SendPolicy {
            replace_after: Duration::from_secs(evm.replacing.after_seconds),
            replacements_max: evm.replacing.most,
            ..SendPolicy::default()
        },
        AdapterConfig::Cosmos(_) => SendPolicy { in_flight_max: limits::PIPELINED, ..SendPolicy::default() },
    }
}

/// The place of the key that a path sends with: each path keeps its key, keys have equally many paths, and a path more or
/// less moves few of the others. In the order of their names, each path takes the key that it has the highest score for
/// among those that have room.
pub(super) fn key_of(path: &str, paths: &[&str], keys: &[&str]) -> Option<usize> {
    let mut paths = paths.to_vec();
    paths.sort_unstable();
    let room = paths.len().div_ceil(keys.len().max(1));
    let mut taken = vec![0; keys.len()];
    for name in paths {
        let score = |key: &str| Hash32::sha256(&[&Hash32::sha256(&[name.as_bytes()]).0, key.as_bytes()]);
        let free = keys.iter().enumerate().filter(|(index, _)| taken.get(*index).is_some_and(|count| *count < room));
        let (index, _) = free.max_by_key(|(_, key)| score(key))?;
        if name == path {
            return Some(index);
        }
        if let Some(count) = taken.get_mut(index) {
            *count += 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn spread(paths: &[&str], keys: &[&str]) -> BTreeMap<String, usize> {
        paths.iter().filter_map(|path| Some(((*path).to_owned(), key_of(path, paths, keys)?))).collect()
    }

    #[test]
    fn paths_keep_their_key_and_keys_share_the_paths() {
        let names: Vec<String> = (0..12).map(|number| format!("path-{number}")).collect();
        let paths: Vec<&str> = names.iter().map(String::as_str).collect();
        let check = |keys: &[&str], most: usize| {
            let chosen = spread(&paths, keys);
            assert_eq!(chosen.len(), paths.len(), "every path has a key");
            for index in 0..keys.len() {
                let count = chosen.values().filter(|place| **place == index).count();
                assert_eq!(count, most, "{keys:?}: key {index} of {chosen:?}");
            }
            let mut turned = paths.clone();
            turned.reverse();
            assert_eq!(spread(&turned, keys), chosen, "the order in the configuration does not matter");
        };
        check(&["k0"], 12);
        check(&["k0", "k1"], 6);
        check(&["k0", "k1", "k2"], 4);
        check(&["k0", "k1", "k2", "k3"], 3);
        assert_eq!(key_of("path-0", &paths, &[]), None);
        assert_eq!(key_of("elsewhere", &paths, &["k0"]), None);
        // One path more moves few of the others.
        let keys = ["k0", "k1", "k2"];
        let (before, mut more) = (spread(&paths, &keys), paths.clone());
        more.push("path-x");
        let after = spread(&more, &keys);
        let moved = before.iter().filter(|(path, place)| after.get(*path) != Some(place)).count();
        assert!(moved <= 3, "{moved} of 12 moved");
    }
}
