//! What is asked along with the head, so that a look at a chain on which nothing happens costs one request: the commit of the
//! next header and the results of the block that is scanned next come in the same batch.
//!
//! It is one endpoint's answer like any other, and nothing is kept beyond the next look: what turned out to be wrong is
//! asked for again. The commit is given once; the results to every path of the chain.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tendermint::block::Height;
use tendermint_rpc::endpoint::commit;

use crate::answers::BlockResults;

/// What the last look at the head brought.
#[derive(Debug, Default)]
pub(crate) struct Ahead(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Highest header that was given.
    followed: Option<u64>,
    /// Highest block whose events were given.
    scanned: Option<u64>,
    commit: Option<(u64, commit::Response)>,
    results: Option<(u64, BlockResults)>,
}

fn next(known: Option<u64>) -> Option<Height> {
    known.and_then(|height| Height::try_from(height.checked_add(1)?).ok())
}

impl Ahead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Headers up to a height were given.
    pub(crate) fn followed(&self, to: u64) {
        let mut state = self.state();
        state.followed = Some(state.followed.map_or(to, |before| before.max(to)));
    }

    /// Events up to a block were given.
    pub(crate) fn scanned(&self, to: u64) {
        let mut state = self.state();
        state.scanned = Some(state.scanned.map_or(to, |before| before.max(to)));
    }

    /// The header and the block whose events are asked for next, as far as any were.
    pub(crate) fn next(&self) -> (Option<Height>, Option<Height>) {
        let state = self.state();
        (next(state.followed), next(state.scanned))
    }

    /// A look was made; what the one before it brought is forgotten.
    pub(crate) fn looked(&self, commit: Option<commit::Response>, results: Option<BlockResults>) {
        let mut state = self.state();
        state.commit = commit.map(|commit| (commit.signed_header.header.height.value(), commit));
        state.results = results.map(|results| (results.height.value(), results));
    }

    /// The commit of a height, if the last look brought it and nobody has taken it.
    pub(crate) fn take_commit(&self, height: u64) -> Option<commit::Response> {
        self.state().commit.take_if(|(known, _)| *known == height).map(|(_, commit)| commit)
    }

    /// The results of a block, if the last look brought them.
    pub(crate) fn results(&self, height: u64) -> Option<BlockResults> {
        self.state().results.as_ref().filter(|(known, _)| *known == height).map(|(_, results)| results.clone())
    }

    /// What was brought is of no use.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        (state.commit, state.results) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use tendermint_rpc::response::Response as _;

    use super::*;

    #[test]
    fn what_a_look_brings_is_given_for_its_height_until_the_next_look() {
        let commit = || {
            let recorded = include_str!("../../../tests/vectors/cosmos-rpc/commit_1.json");
            commit::Response::from_string(recorded).unwrap()
        };
        let results =
            |height: u32| BlockResults { height: Height::from(height), txs_results: None, finalize_block_events: None };
        let height = commit().signed_header.header.height.value();
        let ahead = Ahead::default();
        assert_eq!(ahead.next(), (None, None));
        ahead.followed(6);
        ahead.followed(4);
        ahead.scanned(5);
        assert_eq!(ahead.next(), (Some(Height::from(7_u32)), Some(Height::from(6_u32))), "a look back changes nothing");
        ahead.looked(Some(commit()), Some(results(6)));
        let taken = |height: u64| ahead.take_commit(height).map(|commit| commit.signed_header.header.height.value());
        assert_eq!((taken(height + 1), ahead.results(7)), (None, None));
        assert_eq!((ahead.results(6), ahead.results(6)), (Some(results(6)), Some(results(6))), "every path");
        assert_eq!((taken(height), taken(height)), (Some(height), None), "once");
        ahead.looked(Some(commit()), None);
        assert_eq!(ahead.results(6), None);
        ahead.forget();
        assert_eq!(taken(height), None);
        ahead.followed(u64::MAX);
        ahead.scanned(i64::MAX as u64);
        assert_eq!(ahead.next(), (None, None));
    }
}
