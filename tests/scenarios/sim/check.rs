//! The invariants. Each compares what members do or write down with the truth, which only the simulation knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use catenary_api::{PacketEvent, TxHash, TxReceipt};
use catenary_core::engine::{Entry, Key, Outcome, Side, State};
use catenary_core::record::{OutcomeResult, Record};
use catenary_light_clients::Hash32;
use catenary_protocol::handler::{escrow_account, Bank};
use catenary_protocol::ics20::{ibc_denom, Transfer};
use catenary_protocol::{Acknowledgement, Packet, PacketAttestation, StateAttestation};

use super::chain::Chain;
use super::operator::{key_account, CHAINS};
use super::plan::EndpointFaults;
use super::tx::{self, Relayed, Tx};
use super::world::{lock, World};

/// Milliseconds for which what is done may be sent again: requests that were on their way when it was done.
const WASTE_MS: u64 = 3_500;

/// How a packet stands in the canonical blocks of both chains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub(crate) packet: Option<Packet>,
    /// Heights of the source.
    pub(crate) sent: Vec<u64>,
    pub(crate) acknowledged: Vec<u64>,
    pub(crate) timed_out: Vec<u64>,
    /// Heights of the destination, with the acknowledgements.
    pub(crate) received: Vec<(u64, Acknowledgement)>,
}

impl Fate {
    /// Whether the source has let go of it, at this height or below.
    pub(crate) fn ended_by(&self, height: u64) -> bool {
        self.acknowledged.iter().chain(&self.timed_out).any(|at| *at <= height)
    }

    fn outcome(&self) -> Option<Outcome> {
        let rejected = self.received.iter().any(|(_, ack)| ack.is_universal_error());
        match (self.acknowledged.is_empty(), self.timed_out.is_empty()) {
            (false, true) if rejected => Some(Outcome::Rejected),
            (false, true) => Some(Outcome::Acknowledged),
            (true, false) => Some(Outcome::TimedOut),
            _ => None,
        }
    }
}

/// What is known of the decision to send something.
struct Decided {
    at_seconds: u64,
    /// The same was broadcast for its nonce before, for less.
    is_version: bool,
}

/// A nonce of a chain and key.
pub(crate) type Nonce = (String, String, u64);

/// How all packets stand, by source chain and sequence.
pub(crate) type Fates = BTreeMap<(usize, u64), Fate>;

pub(crate) const fn side_index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
    }
}

impl World {
    /// Every packet that was sent, by source chain and sequence.
    pub(crate) fn fates(&self) -> Arc<Fates> {
        let changes = [0, 1].map(|index| self.chain(index).changes);
        let mut known = lock(&self.known_fates);
        if let Some((at, fates)) = known.as_ref() {
            if *at == changes {
                return fates.clone();
            }
        }
        let fates = Arc::new(self.read_fates());
        *known = Some((changes, fates.clone()));
        fates
    }

    fn read_fates(&self) -> Fates {
        let mut fates = Fates::new();
        for index in [0, 1] {
            let chain = self.chain(index);
            for claim in chain.blocks.iter().flat_map(|block| &block.events) {
                let source = if matches!(claim.event, PacketEvent::WroteAck { .. }) { 1 - index } else { index };
                let fate = fates.entry((source, claim.event.packet().sequence)).or_default();
                match &claim.event {
                    PacketEvent::Sent(packet) => {
                        fate.packet = Some(packet.clone());
                        fate.sent.push(claim.height);
                    }
                    PacketEvent::WroteAck { acknowledgement, .. } => {
                        fate.received.push((claim.height, acknowledgement.clone()));
                    }
                    PacketEvent::Acknowledged(_) => fate.acknowledged.push(claim.height),
                    PacketEvent::TimedOut(_) => fate.timed_out.push(claim.height),
                }
            }
        }
        fates
    }

    /// No double effect, and value is kept: looked at after every block in which something happened.
    pub(crate) fn check_chains(&self) {
        let fates = self.fates();
        for ((chain, sequence), fate) in fates.as_ref() {
            let ends = fate.acknowledged.len() + fate.timed_out.len();
            if fate.sent.len() != 1 || fate.received.len() > 1 || ends > 1 {
                self.violated("double effect", format!("packet {sequence} of chain {chain}: {fate:?}"));
            }
            if !fate.timed_out.is_empty() && !fate.received.is_empty() {
                self.violated("received and refunded", format!("packet {sequence} of chain {chain}: {fate:?}"));
            }
        }
        for (home, base) in [(0, "uant"), (1, "ubee")] {
            self.check_value(home, base, &fates);
        }
        for index in [0, 1] {
            let chain = self.chain(index);
            let id = chain.spec.client_id;
            let state = catenary_protocol::handler::state::client_state(&chain.tip().snapshot.host, id);
            let frozen = state.ok().flatten().and_then(|any| {
                let state: catenary_protocol::proto::AttestationClientState =
                    prost::Message::decode(any.value.as_slice()).ok()?;
                Some(state.is_frozen)
            });
            if frozen != Some(false) {
                self.violated("on-chain client", format!("{id} on chain {index} is frozen or not readable"));
            }
        }
    }

    /// What is in escrow is what exists on the other side and what is on its way.
    fn check_value(&self, home: usize, base: &str, fates: &Fates) {
        let (here, there) = (self.chain(home), self.chain(1 - home));
        let trace = format!("transfer/{}/{base}", there.spec.client_id);
        let escrow = here.tip().snapshot.host.balance(&escrow_account(here.spec.client_id), base);
        let vouchers = there.tip().snapshot.host.supply(&ibc_denom(&trace));
        let mut on_the_way = 0u64;
        for ((source, _), fate) in fates {
            let Some(packet) = &fate.packet else { continue };
            let Some(transfer) = packet.payload().ok().and_then(|payload| Transfer::from_payload(payload).ok()) else {
                continue;
            };
            let denom = if *source == home { base } else { trace.as_str() };
            let arrived = fate.received.iter().any(|(_, ack)| !ack.is_universal_error());
            if transfer.denom == denom && !fate.ended_by(u64::MAX) && !arrived {
                on_the_way += transfer.amount.parse::<u64>().unwrap_or_default();
            }
        }
        let expected = vouchers + catenary_protocol::handler::Amount::from(on_the_way);
        if escrow != expected {
            let what = format!("{base}: {escrow} in escrow, {vouchers} vouchers and {on_the_way} on the way");
            self.violated("conservation of value", what);
        }
    }

    /// A fee is about to be spent: every message must say what is true, and have a use.
    pub(crate) fn check_broadcast(&self, member: usize, chain: usize, tx: &Tx) {
        let unverified = |what: String| {
            self.violated("unverified action", format!("member {member} sends to chain {chain}: {what}"));
        };
        // What was decided before a death is broadcast after it as it is, so waste is judged as of the decision.
        let Decided { at_seconds, is_version } = self.check_intent(member, chain, tx);
        let decided = at_seconds.min(Self::now_seconds());
        if !lock(&self.members[member].state).broadcast.insert(tx.hash.0) {
            return;
        }
        let fates = self.fates();
        let mut wasted = true;
        for message in tx.messages.iter().filter_map(tx::read) {
            let other = self.chain(1 - chain);
            let is_final = |height: u64| height <= other.final_height();
            match message {
                Relayed::Update(data) => self.check_statement(&other, &data, true, &unverified),
                Relayed::Recv(packet, height) => {
                    let held = other.value(height, packet.commitment_path().as_bytes());
                    if held.as_deref() != Some(packet.commitment().as_bytes().as_slice()) || !is_final(height) {
                        unverified(format!("packet {} at height {height}", packet.sequence));
                    }
                    let fate = fates.get(&(1 - chain, packet.sequence));
                    wasted &=
                        fate.is_some_and(|fate| self.is_old((chain, decided), fate.received.iter().map(|(at, _)| *at)));
                    let late = Self::now_seconds().saturating_sub(packet.timeout_timestamp_seconds);
                    if late > 60 {
                        self.violated(
                            "expired packet delivered",
                            format!("packet {} is {late} s late", packet.sequence),
                        );
                    }
                }
                Relayed::Ack(packet, commitment, height) => {
                    let held = other.value(height, packet.ack_path().as_bytes());
                    if held.as_deref() != Some(commitment.as_bytes().as_slice()) || !is_final(height) {
                        unverified(format!("acknowledgement of packet {} at height {height}", packet.sequence));
                    }
                    let fate = fates.get(&(chain, packet.sequence));
                    wasted &= fate.is_some_and(|fate| self.is_old((chain, decided), fate.acknowledged.iter().copied()));
                }
                Relayed::Timeout(packet, height) => {
                    let held = other.value(height, packet.receipt_path().as_bytes());
                    let seconds = other.block(height).map_or(0, |block| block.header.time_seconds);
                    if held.is_some() || seconds < packet.timeout_timestamp_seconds || !is_final(height) {
                        unverified(format!("timeout of packet {} at height {height}", packet.sequence));
                    }
                    let fate = fates.get(&(chain, packet.sequence));
                    wasted &= fate.is_some_and(|fate| self.is_old((chain, decided), fate.timed_out.iter().copied()));
                }
            }
        }
        // A replacement brings a decision of before into a block, since nothing else can use its nonce.
        if wasted && !is_version && self.is_waste_judged() {
            self.violated("wasted fee", format!("member {member} sends to chain {chain} what is done: {}", tx.hash));
        }
    }

    /// Endpoints that are slow, behind or lying are a reason to send what is done.
    fn is_waste_judged(&self) -> bool {
        let is_quick = |faults: EndpointFaults| {
            faults.latency_ms <= 100 && faults.loss == 0 && faults.down == 0 && faults.refuses == 0
        };
        self.plan.is_truthful() && self.plan.all_endpoints().all(is_quick)
    }

    fn is_old(&self, (chain, decided_seconds): (usize, u64), mut heights: impl Iterator<Item = u64>) -> bool {
        let chain_state = self.chain(chain);
        heights.any(|height| {
            let made = chain_state.block(height).map_or(u64::MAX, |block| block.header.time_seconds);
            made.saturating_mul(1_000).saturating_add(WASTE_MS) < decided_seconds.saturating_mul(1_000)
        })
    }

    /// What is broadcast is in the journal, so that it is known after a death; gives when it was decided.
    fn check_intent(&self, member: usize, chain: usize, tx: &Tx) -> Decided {
        let unknown = Decided { at_seconds: u64::MAX, is_version: false };
        let name = self.chain(chain).spec.name;
        let Some(ledger) = self.ledger(member) else { return unknown };
        let Some(known) = ledger.intent(name, &tx.hash.0).ok().flatten() else {
            self.violated("no intent", format!("member {member} sends {} to chain {chain}", tx.hash));
            return unknown;
        };
        let is_version = self.check_versions(member, &(name.to_owned(), known.key, tx.nonce), tx);
        Decided { at_seconds: known.at_seconds, is_version }
    }

    /// A member has signed a statement for another one.
    pub(crate) fn check_attestation(&self, member: usize, chain: usize, data: &[u8], is_state: bool) {
        let chain_state = self.chain(chain);
        self.check_statement(&chain_state, data, is_state, &|what| {
            self.violated("false attestation", format!("member {member} of chain {chain}: {what}"));
        });
    }

    fn check_statement(&self, chain: &Chain, data: &[u8], is_state: bool, wrong: &dyn Fn(String)) {
        if is_state {
            let Ok(state) = StateAttestation::decode(data) else { return wrong("undecodable state".into()) };
            let made = chain.block(state.height).map(|block| block.header.time_seconds);
            if made != Some(state.timestamp_seconds) || state.height > chain.final_height() {
                wrong(format!("height {} at {} s", state.height, state.timestamp_seconds));
            }
            return;
        }
        let Ok(attested) = PacketAttestation::decode(data) else { return wrong("undecodable packets".into()) };
        let Some(block) = chain.block(attested.height).filter(|_| attested.height <= chain.final_height()) else {
            return wrong(format!("height {} is not final", attested.height));
        };
        let held = block.state.by_hash(&block.snapshot.host);
        for entry in &attested.entries {
            let zero = Hash32([0; 32]);
            let truth = held.get(&entry.path).map_or(Some(zero), |value| Hash32::from_slice(value));
            if truth != Some(entry.commitment) {
                wrong(format!("path {} holds {}", entry.path, entry.commitment));
            }
        }
    }

    /// A key has signed a transaction: another one for the same nonce needs a release in the journal, or is a
    /// replacement of what was signed before.
    pub(crate) fn check_signature(&self, member: usize, nonce: &Nonce, digest: Hash32, is_replacement: bool) {
        let (digests, replacements) = {
            let mut state = lock(&self.members[member].state);
            let signed = state.signed.entry(nonce.clone()).or_default();
            let is_new = signed.digests.insert(digest);
            signed.replacements += usize::from(is_new && is_replacement);
            (signed.digests.len(), signed.replacements)
        };
        if is_replacement && digests < 2 {
            self.violated("two transactions for a nonce", format!("member {member} replaces nothing at {nonce:?}"));
        }
        if digests < 2 {
            return;
        }
        let Some(releases) = self.releases(member, nonce) else { return };
        if releases + replacements + 1 < digests {
            let what = format!(
                "member {member} signed {digests} at {nonce:?}, {releases} released, {replacements} replacements"
            );
            self.violated("two transactions for a nonce", what);
        }
    }

    /// How often a nonce was released, by the member's journal.
    fn releases(&self, member: usize, (chain, key, nonce): &Nonce) -> Option<usize> {
        let mut releases = 0;
        let count = |record| {
            if let Record::NonceReleased(released) = record {
                releases += usize::from(released.chain == *chain && released.key == *key && released.nonce == *nonce);
            }
        };
        self.ledger(member)?.replay(count).ok()?;
        Some(releases)
    }

    /// All versions of one nonce do the same, so that it does not matter which of them a block takes. Says whether this
    /// does what was broadcast for it before.
    fn check_versions(&self, member: usize, nonce: &Nonce, tx: &Tx) -> bool {
        let (is_version, effects) = {
            let mut state = lock(&self.members[member].state);
            let signed = state.signed.entry(nonce.clone()).or_default();
            (!signed.effects.insert(tx.effect()), signed.effects.len())
        };
        if effects > 1 && self.releases(member, nonce).is_some_and(|releases| releases + 1 < effects) {
            let what = format!("member {member} broadcast {effects} that do different things at {nonce:?}");
            self.violated("two transactions for a nonce", what);
        }
        is_version
    }

    /// What a member wrote down of its transactions is what became of them: the last it wrote, since what was refused may
    /// be built once more to the byte. When a replacement was written off, the version that a block took was not.
    pub(crate) fn check_outcomes(&self, member: usize) {
        let Some(ledger) = self.ledger(member).filter(|_| self.plan.is_truthful()) else { return };
        let (mut outcomes, mut versions) = (BTreeMap::new(), BTreeMap::<Nonce, Vec<(u32, Hash32)>>::new());
        let told = ledger.replay(|record| match record {
            Record::Intent(intent) => {
                let nonce = (intent.chain, intent.key, intent.nonce);
                versions.entry(nonce).or_default().push((intent.replacement, intent.tx_hash));
            }
            Record::Outcome(outcome) => drop(outcomes.insert(outcome.tx_hash, outcome)),
            _ => {}
        });
        if let Err(error) = told {
            self.violated("store check", format!("member {member}: {error}"));
        }
        for outcome in outcomes.values() {
            let truth = self.receipt(&outcome.chain, outcome.tx_hash);
            let is_true = match (&outcome.result, &truth) {
                (OutcomeResult::Included { height, success, fee, .. }, Some(truth)) => {
                    (*height, *success, fee) == (truth.height, truth.success, &truth.fee)
                }
                (OutcomeResult::Included { .. }, None) => false,
                (OutcomeResult::Dropped | OutcomeResult::Refused { .. }, truth) => truth.is_none(),
            };
            if !is_true {
                let what = format!("member {member}: {} {:?}, truth {truth:?}", outcome.tx_hash, outcome.result);
                self.violated("false outcome", what);
            }
        }
        for (nonce, versions) in versions {
            let is_written_off =
                |hash: &Hash32| outcomes.get(hash).is_some_and(|outcome| outcome.result == OutcomeResult::Dropped);
            let is_done = versions.iter().any(|(replacement, hash)| *replacement > 0 && is_written_off(hash));
            let forgotten = |hash: &Hash32| !outcomes.contains_key(hash) && self.receipt(&nonce.0, *hash).is_some();
            if let Some((_, hash)) = versions.iter().find(|(_, hash)| is_done && forgotten(hash)) {
                self.violated(
                    "false outcome",
                    format!("member {member}: {hash} at {nonce:?} is included and forgotten"),
                );
            }
        }
    }

    fn receipt(&self, chain: &str, hash: Hash32) -> Option<TxReceipt> {
        self.chain(usize::from(chain == CHAINS[1])).receipt(&TxHash(hash), u64::MAX)
    }

    /// A nonce is to be signed for again: nothing that was signed for it may be waiting or be in a block. An endpoint
    /// that lies or is behind is a reason to believe otherwise.
    pub(crate) fn check_release(&self, member: usize, (chain, key, nonce): &Nonce, reason: &str) {
        let index = usize::from(chain == CHAINS[1]);
        self.note(format!("member {member} releases nonce {nonce} of {key}: {reason}"));
        let account = key_account(member, key);
        if self.plan.is_truthful() && self.chain(index).holds(&account, *nonce) {
            self.violated("false release", format!("member {member}: nonce {nonce} of {key} is in use"));
        }
    }

    /// A member writes down that a packet entered a stage.
    pub(crate) fn check_entered(&self, member: usize, key: Key, entry: &Entry) {
        let source = side_index(key.source);
        self.note(format!("member {member} packet {source}/{} {}", key.sequence, name(&entry.state)));
        self.waits.fetch_add(u64::from(entry.waits_for().is_some()), std::sync::atomic::Ordering::Relaxed);
        let fates = self.fates();
        let fate = fates.get(&(source, key.sequence));
        let is_true = match &entry.state {
            State::Sent => fate.is_some_and(|fate| fate.packet.as_ref() == Some(&entry.packet)),
            State::Received => {
                let upto = self.chain(1 - source).final_height();
                let ack = entry.acknowledgement.as_ref();
                fate.is_some_and(|fate| fate.received.iter().any(|(at, got)| *at <= upto && Some(got) == ack))
            }
            State::Closing | State::Parked(_) => true,
        };
        if !is_true {
            let what = format!("member {member}: packet {} of chain {source} {}", key.sequence, name(&entry.state));
            self.violated("false stage", what);
        }
    }

    /// A member writes down that a packet ended.
    pub(crate) fn check_ended(&self, member: usize, source: Option<usize>, entry: &Entry, outcome: Outcome) {
        let Some(source) = source else { return };
        let sequence = entry.packet.sequence;
        self.note(format!("member {member} packet {source}/{sequence} {}", outcome.name()));
        let upto = self.chain(source).final_height();
        let fates = self.fates();
        let truth = fates.get(&(source, sequence)).filter(|fate| fate.ended_by(upto)).and_then(Fate::outcome);
        if truth != Some(outcome) {
            let what = format!("member {member}: packet {sequence} of chain {source} {outcome:?}, truth {truth:?}");
            self.violated("false end", what);
        }
    }
}

fn name(state: &State) -> String {
    match state {
        State::Sent => "sent".into(),
        State::Received => "received".into(),
        State::Closing => "closing".into(),
        State::Parked(reason) => format!("parked {}", reason.code),
    }
}
