//! What is found by asking all endpoints: which network each serves, where its head is, who is ahead.

use catenary_api::{Error, Head, Result};
use catenary_light_clients::Class;
use futures::future::join_all;

use super::score::Call;
use super::{Endpoints, LeftOut, BEHIND_CODE, NETWORK_CODE};

impl Endpoints {
    /// Endpoints that may be compared now: those that answer, and those whose pause is over.
    #[must_use]
    pub fn comparable(&self) -> Vec<usize> {
        let now_ms = self.now_ms();
        let board = self.board();
        let may = board.records.iter().enumerate().filter(|(_, record)| record.is_comparable(now_ms));
        may.map(|(at, _)| at).collect()
    }

    /// Asks one endpoint for its head, and notes how far it is behind.
    ///
    /// # Errors
    /// It failed.
    pub async fn head_of(&self, at: usize, verified: u64) -> Result<Head> {
        let head = self.ask(at, Call::Head, |endpoint| endpoint.source.head()).await?;
        self.claimed(at, head.height, verified);
        Ok(head)
    }

    /// Notes the head that an endpoint claims against the verified one.
    pub fn claimed(&self, at: usize, head: u64, verified: u64) {
        self.note(at, |record, _| record.claims(head, verified, BEHIND_CODE));
    }

    /// The serving endpoint that claims the highest head above `height`, with that head.
    #[must_use]
    pub fn ahead_of(&self, height: u64) -> Option<(usize, u64)> {
        let now_ms = self.now_ms();
        let board = self.board();
        let serving = board
            .records
            .iter()
            .enumerate()
            .filter(|(_, record)| record.claimed > height && record.tier(now_ms) == super::Tier::Serves);
        serving.map(|(at, record)| (at, record.claimed)).max_by_key(|(_, claimed)| *claimed)
    }

    /// Forgets what an endpoint claimed: it did not have it.
    pub fn forget_claim(&self, at: usize) {
        self.note(at, |record, _| record.claimed = 0);
    }

    /// An endpoint that was compared again is still wrong.
    pub fn refused_again(&self, at: usize, code: &'static str, message: &str) {
        let why = LeftOut { code, message: message.to_owned() };
        self.observer.disagreed(self.name(at), &why);
        self.note(at, |record, now_ms| record.refused_again(why, now_ms));
    }

    /// Compares the network that an endpoint says it serves with the expected one; once it was right, not again.
    ///
    /// # Errors
    /// It failed, or serves another network, which leaves it out.
    pub async fn identify(&self, at: usize, expected: &str) -> Result<()> {
        if self.board().records.get(at).is_some_and(|record| record.identified) {
            return Ok(());
        }
        let identity = self.ask(at, Call::Identity, |endpoint| endpoint.source.identity()).await?;
        if identity.chain_id == expected {
            self.note(at, |record, _| record.identified = true);
            return Ok(());
        }
        let message = format!(
            "chain {}: {} serves chain id {}, the configuration says {expected}; correct chain_id, or the endpoint",
            self.chain,
            self.name(at),
            identity.chain_id
        );
        self.refused_again(at, NETWORK_CODE, &message);
        Err(Error { code: NETWORK_CODE, class: Class::Config, message })
    }

    /// Identifies all endpoints at once; those that do not answer are identified when they do.
    ///
    /// # Errors
    /// One serves another network, or none answered.
    pub async fn identify_all(&self, expected: &str) -> Result<()> {
        let all = join_all((0..self.count()).map(|at| self.identify(at, expected))).await;
        if let Some(wrong) = all.iter().find_map(|one| one.as_ref().err().filter(|error| error.code == NETWORK_CODE)) {
            return Err(wrong.clone());
        }
        one_of(all).unwrap_or_else(|| Err(self.none_left()))
    }

    /// The same, where one that serves the right network is enough; another one is left out.
    ///
    /// # Errors
    /// None does: what one of them serves, or that none answered.
    pub async fn identify_any(&self, expected: &str) -> Result<()> {
        let mut all = join_all((0..self.count()).map(|at| self.identify(at, expected))).await;
        // What answers says more than what does not.
        all.sort_by_key(|one| one.as_ref().is_err_and(|error| error.code != NETWORK_CODE));
        one_of(all).unwrap_or_else(|| Err(self.none_left()))
    }
}

/// Right if any is, else the first failure; nothing of nothing.
fn one_of(all: Vec<Result<()>>) -> Option<Result<()>> {
    if all.iter().any(Result::is_ok) {
        return Some(Ok(()));
    }
    all.into_iter().next()
}
