//! Who is told of new blocks, logs and waiting transactions.
//!
//! What a client can grow: [`SUBSCRIBERS_MAX`] subscriptions, each with the bounded channel of its connection. One
//! that falls behind is dropped.

use alloy_primitives::{Address, Log, B256};
use serde_json::{json, Value};
use tokio::sync::mpsc;

use super::block::Block;
use super::fault::Branch;
use super::fork::Fork;
use crate::wire::EVENTS_MAX;

/// Most subscriptions of one chain.
pub(super) const SUBSCRIBERS_MAX: usize = 256;

/// Which logs are asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct LogFilter {
    /// Any of these contracts; any contract when empty.
    pub(super) addresses: Vec<Address>,
    /// For each position any of these topics; anything where empty.
    pub(super) topics: Vec<Vec<B256>>,
}

impl LogFilter {
    /// Whether a log is asked for.
    pub(super) fn matches(&self, log: &Log) -> bool {
        let topics = log.topics();
        let wanted = |(index, any): (usize, &Vec<B256>)| match topics.get(index) {
            Some(topic) => any.is_empty() || any.contains(topic),
            None => false,
        };
        (self.addresses.is_empty() || self.addresses.contains(&log.address))
            && self.topics.iter().enumerate().all(wanted)
    }
}

/// What a subscriber is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Topic {
    Heads,
    Logs(LogFilter),
    Waiting,
}

struct Subscriber {
    branch: Branch,
    topic: Topic,
    sender: mpsc::Sender<Value>,
}

impl Subscriber {
    /// Sends all, or says that the subscriber is lost.
    fn tell(&self, events: impl IntoIterator<Item = Value>) -> bool {
        events.into_iter().all(|event| self.sender.try_send(event).is_ok()) && !self.sender.is_closed()
    }
}

/// All subscribers of a chain.
#[derive(Default)]
pub(super) struct Subscribers {
    all: Vec<Subscriber>,
    ids: u64,
}

impl Subscribers {
    /// One more; its id and its events, or `None` when there are too many.
    pub(super) fn open(&mut self, branch: Branch, topic: Topic) -> Option<(String, mpsc::Receiver<Value>)> {
        self.all.retain(|subscriber| !subscriber.sender.is_closed());
        if self.all.len() >= SUBSCRIBERS_MAX {
            return None;
        }
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        self.all.push(Subscriber { branch, topic, sender });
        self.ids += 1;
        Some((format!("{:#034x}", self.ids), events))
    }

    /// Tells of a block.
    pub(super) fn new_block(&mut self, branch: Branch, fork: Fork, block: &Block) {
        self.all.retain(|subscriber| {
            if subscriber.branch != branch {
                return true;
            }
            match &subscriber.topic {
                Topic::Heads => subscriber.tell([Value::Object(block.header_json(fork))]),
                Topic::Logs(filter) => {
                    let logs = block.logs().filter(|(_, _, log)| filter.matches(log));
                    subscriber.tell(logs.map(|log| block.log_json(log)))
                }
                Topic::Waiting => true,
            }
        });
    }

    /// Tells of a waiting transaction.
    pub(super) fn waiting(&mut self, hash: B256) {
        self.all.retain(|subscriber| subscriber.topic != Topic::Waiting || subscriber.tell([json!(hash)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_passes_the_filters_that_ask_for_it() {
        let word = B256::repeat_byte;
        let log = Log::new_unchecked(Address::repeat_byte(1), vec![word(1), word(2)], Vec::new().into());
        let check = |addresses: &[u8], topics: &[&[u8]], expect: bool| {
            let filter = LogFilter {
                addresses: addresses.iter().map(|byte| Address::repeat_byte(*byte)).collect(),
                topics: topics.iter().map(|any| any.iter().map(|byte| word(*byte)).collect()).collect(),
            };
            assert_eq!(filter.matches(&log), expect, "{filter:?}");
        };
        check(&[], &[], true);
        check(&[1], &[], true);
        check(&[2, 1], &[], true);
        check(&[2], &[], false);
        check(&[], &[&[1]], true);
        check(&[], &[&[]], true);
        check(&[], &[&[], &[2]], true);
        check(&[], &[&[3, 1], &[2]], true);
        check(&[], &[&[2]], false);
        check(&[], &[&[1], &[1]], false);
        check(&[], &[&[], &[], &[]], false);
    }

    #[test]
    fn subscribers_that_fall_behind_or_are_gone_make_room() {
        let mut subscribers = Subscribers::default();
        let (_, slow) = subscribers.open(Branch::Main, Topic::Waiting).unwrap_or_else(|| panic!("there is room"));
        for _ in 0..=EVENTS_MAX {
            subscribers.waiting(B256::ZERO);
        }
        assert_eq!((subscribers.all.len(), slow.len()), (0, EVENTS_MAX));
        let open: Vec<_> = (0..SUBSCRIBERS_MAX).map(|_| subscribers.open(Branch::Main, Topic::Heads)).collect();
        assert!(open.iter().all(Option::is_some) && subscribers.open(Branch::Main, Topic::Heads).is_none());
        drop(open);
        assert!(subscribers.open(Branch::Main, Topic::Heads).is_some());
    }
}
