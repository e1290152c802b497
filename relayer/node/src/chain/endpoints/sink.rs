//! The writing side. Whatever an endpoint says of a transaction, the same bytes are all that is ever handed in here.
//!
//! A broadcast that was not accepted goes on to the next endpoint: the same bytes cannot take effect twice. After
//! an unknown outcome only an acceptance is news, since a refusal by the next endpoint may mean that the first one took
//! the transaction. A no frees a nonce, so it is given only when everyone who was asked says so, and nobody else may
//! hold the transaction; an endpoint that was down before it was made does not. A failed receipt is what an endpoint can park a packet with, so it is believed when another
//! endpoint confirms it, or when none contradicts it for a while.

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, Error, Message, PublicKey, ReplacingSink, Result, SignedTx,
    SinkLimits, TxHash, TxReceipt, UnsignedTx,
};
use catenary_core::bugs::{self, Bug};
use catenary_light_clients::Class;

use super::score::{Call, LeftOut, Tier};
use super::{limits, Endpoints};

/// Two endpoints say different things of one transaction.
const RECEIPTS_CODE: &str = "NODE-END-005";

/// What was asked of a transaction so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TxMemory {
    hash: TxHash,
    broadcasts: usize,
    /// Endpoints that were handed it and did not say no to it since.
    holders: Vec<usize>,
    looks: u32,
    /// When an endpoint first said that it failed.
    failed_at_ms: Option<u64>,
}

impl Endpoints {
    /// Changes what is remembered of a transaction; the oldest is forgotten when there are too many, which costs no more
    /// than a second look.
    fn remember<T>(&self, hash: &TxHash, change: impl FnOnce(&mut TxMemory) -> T) -> T {
        let mut board = self.board();
        if let Some(known) = board.transactions.iter_mut().find(|known| known.hash == *hash) {
            return change(known);
        }
        if board.transactions.len() >= limits::REMEMBERED_MAX {
            board.transactions.pop_front();
        }
        let mut fresh = TxMemory { hash: *hash, broadcasts: 0, holders: Vec::new(), looks: 0, failed_at_ms: None };
        let out = change(&mut fresh);
        board.transactions.push_back(fresh);
        out
    }

    async fn broadcast_at(&self, at: usize, tx: &SignedTx) -> Broadcast {
        // Only silence counts against an endpoint: what it thinks of a transaction is no failure of its own.
        let told = self.ask(at, Call::Broadcast, |endpoint| async move {
            match endpoint.sink.broadcast(tx).await {
                Broadcast::Unknown(error) => Err(Error { class: Class::Transient, ..error }),
                said => Ok(said),
            }
        });
        told.await.unwrap_or_else(Broadcast::Unknown)
    }

    /// Hands a transaction to one endpoint, and remembers whether it may hold it from here on.
    async fn hand_to(&self, at: usize, tx: &SignedTx) -> Broadcast {
        let holds = |known: &mut TxMemory| {
            known.holders.retain(|holder| *holder != at);
            known.holders.push(at);
        };
        // Before, since nobody may be left to hear the answer.
        self.remember(&tx.hash, holds);
        let said = self.broadcast_at(at, tx).await;
        if !matches!(said, Broadcast::Accepted | Broadcast::Unknown(_)) {
            self.remember(&tx.hash, |known| known.holders.retain(|holder| *holder != at));
        }
        said
    }

    /// Endpoints beyond `order` whose word on a transaction counts: those that may hold it, and those that are left out but
    /// answer.
    fn others(&self, order: &[usize], holders: &[usize]) -> Vec<usize> {
        let now_ms = self.now_ms();
        let board = self.board();
        let answers = |at: usize| board.records.get(at).is_some_and(|record| record.tier(now_ms) != Tier::Down);
        let rest = (0..self.list.len()).filter(|at| !order.contains(at));
        rest.filter(|at| holders.contains(at) || answers(*at)).collect()
    }

    async fn receipt_at(&self, at: usize, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let hash = *hash;
        self.ask(at, Call::Receipt, |endpoint| async move { endpoint.sink.receipt(&hash).await }).await
    }

    /// Whether another endpoint than `by` contradicts a failed receipt: its receipt if so. What nobody confirms is
    /// doubted for a while.
    async fn doubted(&self, by: usize, failed: TxReceipt, hash: &TxHash) -> Option<TxReceipt> {
        if self.count() < 2 {
            return Some(failed);
        }
        // None of the others may serve now: then it is doubted all the same, for as long.
        let others = self.order(Call::Receipt, &[by]);
        let mut confirmed = false;
        for at in others.into_iter().take(limits::ATTEMPTS_MAX) {
            match self.receipt_at(at, hash).await {
                Ok(Some(other)) if other.success => {
                    let message = format!(
                        "transaction {hash}: {} says that it failed, {} that it took effect",
                        self.name(by),
                        self.name(at)
                    );
                    // Which of the two is wrong shows in what is proven later, so neither is left out for it.
                    self.observer.disagreed(self.name(by), &LeftOut { code: RECEIPTS_CODE, message });
                    return Some(other);
                }
                Ok(Some(_)) => confirmed = true,
                Ok(None) | Err(_) => {}
            }
        }
        let now_ms = self.now_ms();
        let since_ms = self.remember(hash, |known| *known.failed_at_ms.get_or_insert(now_ms));
        (confirmed || now_ms.saturating_sub(since_ms) >= limits::DOUBT_MS).then_some(failed)
    }
}

/// What several endpoints' answers to one broadcast come to.
fn together(first: Option<Broadcast>, next: Broadcast) -> Broadcast {
    match (first, next) {
        (None, next) => next,
        (Some(_), Broadcast::Accepted) => Broadcast::Accepted,
        (Some(first @ (Broadcast::Accepted | Broadcast::Unknown(_))), _) => first,
        (Some(_), Broadcast::Unknown(error)) => Broadcast::Unknown(error),
        (Some(Broadcast::Refused(first)), Broadcast::Refused(_)) => Broadcast::Refused(first),
        (Some(Broadcast::NonceMismatch(first)), Broadcast::NonceMismatch(_)) => Broadcast::NonceMismatch(first),
        (Some(Broadcast::Redundant | Broadcast::Refused(_)), Broadcast::Redundant)
        | (Some(Broadcast::Redundant), Broadcast::Refused(_)) => Broadcast::Redundant,
        // One refuses, and the other finds the nonce taken: by this very transaction, perhaps.
        (Some(Broadcast::NonceMismatch(error)), _) | (Some(_), Broadcast::NonceMismatch(error)) => {
            Broadcast::Unknown(error)
        }
    }
}

#[async_trait]
impl ChainSink for Endpoints {
    async fn account(&self, key: &PublicKey) -> Result<Account> {
        let key = *key;
        let told =
            self.read(Call::State, &[], move |endpoint| Box::pin(async move { endpoint.sink.account(&key).await }));
        Ok(told.await?.answer)
    }

    fn address(&self, key: &PublicKey) -> Result<String> {
        let first = self.list.first().ok_or_else(|| self.none_left())?;
        first.sink.address(key)
    }

    /// That it would revert is asked of a second endpoint, if there is one: on the word of one, a packet would wait for
    /// a person.
    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let mut failure: Option<Error> = None;
        for at in self.order(Call::Estimate, &[]).into_iter().take(limits::ATTEMPTS_MAX) {
            let copy = request.clone();
            let built = self.ask(at, Call::Estimate, |endpoint| async move { endpoint.sink.build(copy).await }).await;
            match (built, failure.take()) {
                (Ok(unsigned), _) => return Ok(unsigned),
                (Err(error), _) if error.class == Class::Bug => return Err(error),
                // Two say so.
                (Err(error), Some(first)) if error.class == Class::Permanent && first.class == Class::Permanent => {
                    return Err(first);
                }
                // A refusal says more than a failure to answer.
                (Err(error), Some(first)) if first.class != Class::Permanent => failure = Some(error),
                (Err(_), Some(first)) => failure = Some(first),
                (Err(error), None) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.none_left()))
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
        let first = self.list.first().ok_or_else(|| self.none_left())?;
        first.sink.finish(unsigned, signature)
    }

    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        let mut order = self.order(Call::Broadcast, &[]);
        if order.is_empty() {
            return Broadcast::Unknown(self.none_left());
        }
        let (before, holders) = self.remember(&tx.hash, |known| {
            known.broadcasts = known.broadcasts.wrapping_add(1);
            (known.broadcasts.wrapping_sub(1), known.holders.clone())
        });
        // Handed in again, it goes to another one first: the one before may have kept it to itself.
        let turn = before % order.len();
        order.rotate_left(turn);
        let others = self.others(&order, &holders);
        order.extend(others);
        let mut said: Option<Broadcast> = None;
        for at in order.into_iter().take(limits::ATTEMPTS_MAX) {
            match together(said.take(), self.hand_to(at, tx).await) {
                Broadcast::Accepted => return Broadcast::Accepted,
                no @ Broadcast::Refused(_) if bugs::on(Bug::BelieveOneNo) => return no,
                other => said = Some(other),
            }
        }
        let is_held = self.remember(&tx.hash, |known| !known.holders.is_empty());
        match said {
            // Another one than those may hold it.
            Some(Broadcast::Refused(error) | Broadcast::NonceMismatch(error)) if is_held => Broadcast::Unknown(error),
            Some(said) if !is_held || matches!(said, Broadcast::Unknown(_)) => said,
            _ => Broadcast::Unknown(self.none_left()),
        }
    }

    async fn receipt(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let looks = self.remember(hash, |known| {
            known.looks = known.looks.saturating_add(1);
            known.looks
        });
        let order = self.order(Call::Receipt, &[]);
        // One that says "none" for long is not the only one that is believed.
        let enough = if looks > limits::RECEIPT_LOOKS { limits::ATTEMPTS_MAX } else { 1 };
        let mut answered = 0;
        let mut failure = None;
        for at in order.into_iter().take(limits::ATTEMPTS_MAX) {
            match self.receipt_at(at, hash).await {
                Ok(Some(receipt)) if receipt.success => return Ok(Some(receipt)),
                Ok(Some(failed)) => return Ok(self.doubted(at, failed, hash).await),
                Ok(None) => answered += 1,
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
            if answered >= enough {
                break;
            }
        }
        match failure {
            Some(error) if answered == 0 => Err(error),
            None if answered == 0 => Err(self.none_left()),
            _ => Ok(None),
        }
    }

    fn size_bytes(&self, message: &Message) -> usize {
        self.list.first().map_or(usize::MAX, |first| first.sink.size_bytes(message))
    }

    fn limits(&self) -> SinkLimits {
        let none = SinkLimits { tx_bytes_max: 0, gas_max: 0, messages_max: 0 };
        self.list.first().map_or(none, |first| first.sink.limits())
    }
}

/// Which endpoint names the price does not matter, since it has a bound and all else is copied from the signed bytes; so
/// the best one is asked, and the next when it cannot say.
#[async_trait]
impl ReplacingSink for Endpoints {
    async fn replacement(&self, previous: &SignedTx) -> Result<Option<UnsignedTx>> {
        let mut failure = None;
        for at in self.order(Call::Estimate, &[]).into_iter().take(limits::ATTEMPTS_MAX) {
            let priced = self.ask(at, Call::Estimate, |endpoint| async move {
                match &endpoint.replacer {
                    Some(replacer) => replacer.replacement(previous).await,
                    None => Ok(None),
                }
            });
            match priced.await {
                // What one endpoint says of the price or of itself is no word of the others. A bug is ours.
                Err(error) if error.class != Class::Bug => failure = Some(error),
                answered => return answered,
            }
        }
        Err(failure.unwrap_or_else(|| self.none_left()))
    }
}
