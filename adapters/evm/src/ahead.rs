//! What is asked along with the head, so that a look at a chain on which nothing happens costs one request: the newest block
//! is the next header, and the logs of the block that is scanned next come in the same batch.
//!
//! It is one endpoint's answer like any other, and nothing is kept beyond the next look: what turned out to be wrong is
//! asked for again. The newest block is given once; the logs to every path of the chain.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// What the last look at the head brought.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Highest block whose logs were asked for.
    scanned: Option<u64>,
    block: Option<(u64, Value)>,
    logs: Option<(u64, Value)>,
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs up to a block were given.
    pub(crate) fn scanned(&self, to: u64) {
        let mut state = self.state();
        state.scanned = Some(state.scanned.map_or(to, |before| before.max(to)));
    }

    /// The block whose logs are asked for next, if any were.
    pub(crate) fn next(&self) -> Option<u64> {
        self.state().scanned.and_then(|to| to.checked_add(1))
    }

    /// A look was made; what the one before it brought is forgotten.
    pub(crate) fn looked(&self, block: (u64, Value), logs: Option<(u64, Value)>) {
        let mut state = self.state();
        (state.block, state.logs) = (Some(block), logs);
    }

    /// The block of a height, if the last look brought it and nobody has taken it.
    pub(crate) fn take_block(&self, height: u64) -> Option<Value> {
        self.state().block.take_if(|(known, _)| *known == height).map(|(_, block)| block)
    }

    /// The logs of a height, if the last look brought them.
    pub(crate) fn logs(&self, height: u64) -> Option<Value> {
        self.state().logs.as_ref().filter(|(known, _)| *known == height).map(|(_, logs)| logs.clone())
    }

    /// What was brought is of no use.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        (state.block, state.logs) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_look_brings_is_given_for_its_height_until_the_next_look() {
        let ahead = Ahead::default();
        assert_eq!((ahead.next(), ahead.take_block(7), ahead.logs(7)), (None, None, None));
        ahead.scanned(6);
        ahead.scanned(4);
        assert_eq!(ahead.next(), Some(7), "a look back changes nothing");
        ahead.looked((7, json!("block")), Some((7, json!("logs"))));
        assert_eq!((ahead.take_block(8), ahead.logs(8)), (None, None));
        assert_eq!((ahead.logs(7), ahead.logs(7)), (Some(json!("logs")), Some(json!("logs"))), "every path");
        assert_eq!((ahead.take_block(7), ahead.take_block(7)), (Some(json!("block")), None), "once");
        ahead.looked((8, json!("block")), None);
        assert_eq!(ahead.logs(7), None);
        ahead.forget();
        assert_eq!(ahead.take_block(8), None);
        ahead.scanned(u64::MAX);
        assert_eq!(ahead.next(), None);
    }
}
