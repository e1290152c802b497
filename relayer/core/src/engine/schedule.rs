//! When each open packet has to be looked at again, so that a look costs by what has changed and not by what is open.
//!
//! A packet without a job stands in at most three places: among those that are due for a kind of job, or under a
//! height to wait for, or among those that wait for an on-chain client, and under a time at which what it needs changes.
//! An event settles the packets that it touches; a head settles those that waited for it.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{JobKind, Key, Lane, Side};

/// Where one packet stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Due for this kind of job to this side, in this lane, after those that were refused fewer times.
    pub(super) due: Option<((JobKind, Side, Lane), u32)>,
    /// To be looked at when this side has reached this height.
    pub(super) height: Option<(Side, u64)>,
    /// To be looked at when this side has reached this time, in seconds.
    pub(super) seconds: Option<(Side, u64)>,
    /// Waits until something can be proven through this side's on-chain client.
    pub(super) client: Option<Side>,
}

/// All places.
#[derive(Debug, Clone, Default)]
pub(super) struct Schedule {
    due: BTreeMap<(JobKind, Side, Lane), BTreeSet<(u32, Key)>>,
    heights: BTreeMap<Side, BTreeSet<(u64, Key)>>,
    seconds: BTreeMap<Side, BTreeSet<(u64, Key)>>,
    clients: BTreeMap<Side, BTreeSet<Key>>,
}

impl Schedule {
    pub(super) fn put(&mut self, key: Key, place: Place) {
        if let Some((job, refusals)) = place.due {
            self.due.entry(job).or_default().insert((refusals, key));
        }
        if let Some((side, height)) = place.height {
            self.heights.entry(side).or_default().insert((height, key));
        }
        if let Some((side, seconds)) = place.seconds {
            self.seconds.entry(side).or_default().insert((seconds, key));
        }
        if let Some(side) = place.client {
            self.clients.entry(side).or_default().insert(key);
        }
    }

    pub(super) fn remove(&mut self, key: Key, place: Place) {
        if let Some((job, refusals)) = place.due {
            self.due.entry(job).or_default().remove(&(refusals, key));
        }
        if let Some((side, height)) = place.height {
            self.heights.entry(side).or_default().remove(&(height, key));
        }
        if let Some((side, seconds)) = place.seconds {
            self.seconds.entry(side).or_default().remove(&(seconds, key));
        }
        if let Some(side) = place.client {
            self.clients.entry(side).or_default().remove(&key);
        }
    }

    /// Those that are due for a job, those that were refused fewer times first, and then in order. A leader may have made progress since: look before it is taken.
    pub(super) fn due(&self, job: (JobKind, Side, Lane)) -> impl Iterator<Item = Key> + '_ {
        self.due.get(&job).into_iter().flatten().map(|(_, key)| *key)
    }

    /// Those that waited for this height or this time of a side.
    pub(super) fn woken(&self, side: Side, height: u64, seconds: u64) -> BTreeSet<Key> {
        let upto = |waiting: Option<&BTreeSet<(u64, Key)>>, bound: u64| {
            let reached = waiting.into_iter().flatten().take_while(move |(at, _)| *at <= bound);
            reached.map(|(_, key)| *key).collect::<Vec<_>>()
        };
        let mut keys = BTreeSet::from_iter(upto(self.heights.get(&side), height));
        keys.extend(upto(self.seconds.get(&side), seconds));
        keys
    }

    /// Those that wait for a side's on-chain client.
    pub(super) fn waiting_for_client(&self, side: Side) -> impl Iterator<Item = Key> + '_ {
        self.clients.get(&side).into_iter().flatten().copied()
    }

    /// How many places are taken.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let waiting = self.heights.values().chain(self.seconds.values()).map(BTreeSet::len);
        let clients = self.clients.values().map(BTreeSet::len);
        waiting.chain(clients).chain(self.due.values().map(BTreeSet::len)).sum()
    }
}

#[cfg(test)]
impl super::Engine {
    /// How many places the open packets say that they take.
    pub(super) fn schedule_of_packets(&self) -> usize {
        let places = self.packets.values().map(|entry| entry.place);
        places
            .map(|p| [p.due.is_some(), p.height.is_some(), p.seconds.is_some(), p.client.is_some()])
            .map(|taken| taken.into_iter().filter(|taken| *taken).count())
            .sum()
    }
}
