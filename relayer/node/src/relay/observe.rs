//! What the drivers tell of, carried to metrics, health and the journal.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use catenary_api::{Account, ClientClaim};
use catenary_core::engine::{Entry, JobKind, Key, Outcome, ParkReason, Side, State};
use catenary_core::record::{IntentKind, MisbehaviourSeen, Record, TrustedState};
use catenary_core::Stage;
use catenary_light_clients::{Class, Family, Rejection, Status, Timestamp};

use super::job::{ClientUpdate, OnChainClient, PathObserver};
use super::material::MaterialError;
use super::send::{Corridor, SendObserver, TxEvent};
use super::sweep::Swept;
use crate::attestor::Availability;
use crate::chain::{ChainObserver, Stop};
use crate::failpoint::failpoint;
use crate::platform;
use crate::store::Ledger;
use crate::telemetry::metrics::{
    BlockedReason, Check, CheckVerdict, Client, ClientStatus, ClientUpdateOutcome, EndToEnd, Metrics,
    MisbehaviourStage, PacketKind, SweepFinding, Task, Terminal, TxOutcome,
};
use crate::telemetry::{AttestorHealth, Health, Reason};

/// Heights between two saves of a light client: a restart verifies at most this many headers again.
const SAVE_HEIGHTS: u64 = 100;
/// Seconds without a round of the follower after which it counts as dead: all endpoints of a chain may be silent for
/// their deadlines, one after the other, and it still goes on.
const ROUND_SECONDS_MAX: u64 = 600;

/// Watches one chain.
pub struct ChainWatch {
    /// Chain's name.
    pub chain: String,
    /// Its family.
    pub family: Family,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub health: Arc<Health>,
    /// Journal and store; `None` in tools that keep nothing.
    pub ledger: Option<Arc<Ledger>>,
    /// Height of the last save.
    pub saved_height: AtomicU64,
}

impl std::fmt::Debug for ChainWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainWatch").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl ChainWatch {
    fn save(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>) {
        let Some(ledger) = &self.ledger else { return };
        let bytes = saved();
        let state = TrustedState {
            chain: self.chain.clone(),
            instance: status.instance.digest(),
            height: status.trusted_height,
            hash: status.trusted_hash,
            digest: catenary_light_clients::Hash32::sha256(&[&bytes]),
        };
        failpoint("client.save");
        match platform::block_in_place(|| ledger.save_client(state, &bytes)) {
            Ok(()) => self.saved_height.store(status.trusted_height, Ordering::Relaxed),
            Err(error) => tracing::error!(chain = self.chain, code = error.code(), "{error}"),
        }
    }
}

impl ChainObserver for ChainWatch {
    fn checked(&self, check: &'static str, outcome: Result<(), &Rejection>, took: Duration) {
        let check = match check {
            "membership" => Check::Membership,
            "absence" => Check::Absence,
            _ => Check::Header,
        };
        let verdict = if outcome.is_ok() { CheckVerdict::Verified } else { CheckVerdict::Rejected };
        self.metrics.verified(self.family, check, verdict, took.as_secs_f64());
        let Err(rejection) = outcome else { return };
        self.metrics.rejection(self.family, rejection.code);
        if rejection.class == Class::Misbehaviour {
            self.metrics.misbehaviour(&self.chain, MisbehaviourStage::Detected);
        }
        tracing::warn!(chain = self.chain, code = rejection.code, class = rejection.class.name(), "{rejection}");
    }

    fn advanced(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>) {
        let light = Client::Light(&self.chain);
        self.metrics.head(&self.chain, status.provable_height, status.trusted_timestamp);
        self.metrics.client_trusted(light, status.trusted_height);
        self.metrics.client_expiry(&self.chain, status.expires_at);
        self.turned();
        self.health.chain(&self.chain, |health| {
            health.started = true;
            health.head_timestamp = Some(status.trusted_timestamp);
        });
        let last = self.saved_height.load(Ordering::Relaxed);
        if status.trusted_height >= last.saturating_add(SAVE_HEIGHTS) || last == 0 {
            self.save(status, saved);
        }
    }

    fn froze(&self, status: &Status, saved: &dyn Fn() -> Vec<u8>) {
        self.save(status, saved);
    }

    fn misbehaved(&self, seen: MisbehaviourSeen) {
        let Some(ledger) = &self.ledger else { return };
        // On a full disk it waits: what comes after it acts on the freeze.
        let recorded = platform::block_in_place(|| ledger.record_patiently(vec![Record::MisbehaviourSeen(seen)]));
        if let Err(error) = recorded {
            tracing::error!(chain = self.chain, code = error.code(), "misbehaviour is not journaled: {error}");
        }
    }

    fn stopped(&self, reason: Option<&Stop>) {
        let status = match reason.map(|stop| stop.code) {
            Some("NODE-CHN-002") => ClientStatus::Expired,
            Some("NODE-CHN-003") => ClientStatus::Frozen,
            _ => ClientStatus::Active,
        };
        self.metrics.client_status(Client::Light(&self.chain), status);
        self.health.chain(&self.chain, |health| {
            let next = reason.map(|stop| Reason::new(stop.code, stop.message.clone()));
            if health.stopped != next {
                match &next {
                    Some(reason) => tracing::error!(chain = self.chain, code = reason.code, "{}", reason.message),
                    None => tracing::info!(chain = self.chain, "goes on"),
                }
                health.stopped = next;
            }
        });
    }

    fn endpoint_failed(&self, code: &'static str) {
        tracing::debug!(chain = self.chain, code, "endpoint failed");
    }

    fn turned(&self) {
        let now = platform::now();
        self.metrics.progress(Task::Chain(&self.chain), now);
        self.health.progress(&format!("chain/{}", self.chain), now, ROUND_SECONDS_MAX);
    }
}

/// Watches paths and senders.
pub struct PathWatch {
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub health: Arc<Health>,
    /// Fee asset of each chain.
    pub assets: BTreeMap<String, String>,
}

/// What a parked packet waits for.
fn blocked_by(reason: &ParkReason) -> BlockedReason {
    match (reason.client, reason.code) {
        (None, _) => BlockedReason::Poison,
        (Some(_), MaterialError::EXPIRED_CODE) => BlockedReason::ExpiredClient,
        (Some(_), _) => BlockedReason::ClientFrozen,
    }
}

const fn stage_of(state: &State) -> Option<Stage> {
    match state {
        State::Sent => Some(Stage::Sent),
        State::Received => Some(Stage::Received),
        State::Parked(_) => Some(Stage::Parked),
        State::Closing => None,
    }
}

impl std::fmt::Debug for PathWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PathWatch").field("assets", &self.assets).finish_non_exhaustive()
    }
}

impl PathWatch {
    /// Sets or clears the one reason of a path that starts with a prefix.
    fn reason(&self, path: &str, prefix: &str, outcome: Result<(), (&'static str, String)>) {
        self.health.path(path, |health| {
            health.reasons.retain(|reason| !reason.message.starts_with(prefix));
            if let Err((code, message)) = outcome {
                health.reasons.push(Reason::new(code, format!("{prefix}{message}")));
            }
        });
    }
}

impl PathObserver for PathWatch {
    fn scanned(&self, chain: &str, height: u64) {
        self.metrics.scanned(chain, height);
    }

    fn endpoint_failed(&self, chain: &str, code: &'static str) {
        tracing::debug!(chain, code, "endpoint failed");
    }

    fn packets(&self, path: &str, packets: &mut dyn Iterator<Item = (&Key, &Entry)>) {
        let mut stages: BTreeMap<Stage, (usize, Option<Timestamp>)> = BTreeMap::new();
        let parked = [BlockedReason::Poison, BlockedReason::ClientFrozen, BlockedReason::ExpiredClient];
        let mut waits = parked.map(|reason| (reason, 0));
        for (_, entry) in packets {
            if let State::Parked(reason) = &entry.state {
                let why = blocked_by(reason);
                waits.iter_mut().filter(|(reason, _)| *reason == why).for_each(|(_, count)| *count += 1);
            }
            let Some(stage) = stage_of(&entry.state) else { continue };
            let (count, oldest) = stages.entry(stage).or_default();
            *count += 1;
            *oldest = Some(oldest.map_or(entry.seen_at, |old| old.min(entry.seen_at)));
        }
        for stage in [Stage::Sent, Stage::Received, Stage::Parked] {
            let (count, oldest) = stages.get(&stage).copied().unwrap_or_default();
            self.metrics.packets_in_stage(path, stage, count, oldest);
        }
        for (reason, count) in waits {
            self.metrics.blocked(path, reason, count);
            if reason == BlockedReason::Poison {
                self.health.path(path, |health| health.parked = count);
            }
        }
        self.metrics.progress(Task::Path(path), platform::now());
    }

    fn entered(&self, path: &str, key: Key, entry: &Entry) {
        let Some(stage) = stage_of(&entry.state) else { return };
        let kind = if stage == Stage::Received { PacketKind::Ack } else { PacketKind::Send };
        self.metrics.packet(path, kind, stage);
        if let State::Parked(reason) = &entry.state {
            if reason.client.is_some() {
                // Said once a job, and by the readiness: all packets of a path may wait for one client.
                let (side, sequence) = (key.source.name(), key.sequence);
                tracing::debug!(path, side, sequence, code = reason.code, "packet waits: {}", reason.message);
                return;
            }
            tracing::error!(
                path,
                side = key.source.name(),
                sequence = key.sequence,
                code = reason.code,
                "packet parked, run `catenary packet retry` once the cause is gone: {}",
                reason.message
            );
        }
    }

    fn ended(&self, path: &str, entry: &Entry, outcome: Outcome, now: Timestamp) {
        let seconds = now.nanos.saturating_sub(entry.seen_at.nanos) as f64 / 1e9;
        let (kind, stage, terminal, end) = match outcome {
            Outcome::Acknowledged => (PacketKind::Ack, Stage::Acknowledged, Terminal::Acked, EndToEnd::Acked),
            Outcome::Rejected => (PacketKind::Refund, Stage::Refunded, Terminal::Rejected, EndToEnd::Refunded),
            Outcome::TimedOut => (PacketKind::Refund, Stage::Refunded, Terminal::Refunded, EndToEnd::Refunded),
        };
        self.metrics.packet(path, kind, stage);
        self.metrics.terminal(path, terminal);
        if !entry.delivered_by_us {
            self.metrics.terminal(path, Terminal::DoneByOther);
        }
        self.metrics.end_to_end(path, end, seconds);
    }

    fn served(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>) {
        self.metrics.blocked(path, BlockedReason::Attestors, usize::from(outcome.is_err()));
        self.reason(path, &format!("side {}: ", side.name()), outcome);
    }

    fn scanning(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>) {
        self.metrics.blocked(path, BlockedReason::NoProof, usize::from(outcome.is_err()));
        self.reason(path, &format!("scan of side {}: ", side.name()), outcome);
    }

    fn available(&self, path: &str, side: Side, chain: &str, availability: &Availability) {
        let missing = availability.missing.iter().map(|(member, code)| match code {
            Some(code) => format!("{member} ({})", code.code()),
            None => member.clone(),
        });
        let next = AttestorHealth {
            chain: chain.to_owned(),
            have: availability.have,
            need: availability.need,
            missing: missing.collect(),
        };
        self.health.path(path, |health| match health.attestors.iter_mut().find(|known| known.chain == next.chain) {
            Some(known) => *known = next,
            None => health.attestors.push(next),
        });
        if availability.is_enough() {
            self.served(path, side, Ok(()));
        }
    }

    fn on_chain_client(&self, path: &str, chain: &str, client_id: &str, claim: &ClientClaim) {
        // How a native client stands is told with its trust, below.
        if claim.native.is_some() {
            return;
        }
        let client = Client::OnChain { chain, client_id };
        self.metrics.client_trusted(client, claim.latest_height);
        self.metrics.client_status(client, if claim.frozen { ClientStatus::Frozen } else { ClientStatus::Active });
        let name = format!("{chain}/{client_id}");
        self.health.path(path, |health| {
            let known = health.frozen.contains(&name);
            if claim.frozen && !known {
                tracing::error!(path, client = name, "the on-chain client is frozen, says an endpoint");
                health.frozen.push(name);
            } else if !claim.frozen && known {
                health.frozen.retain(|frozen| *frozen != name);
            }
        });
    }

    fn swept(&self, path: &str, source: Side, chain: &str, outcome: Result<&Swept, (&'static str, String)>) {
        let complaint = match outcome {
            Ok(swept) => {
                self.metrics.scan_gaps(chain, swept.gaps);
                self.metrics.sweep_found(path, SweepFinding::Packet, swept.found);
                self.metrics.sweep_found(path, SweepFinding::Ack, swept.acknowledged);
                self.metrics.sweep_found(path, SweepFinding::End, swept.ended);
                let missing = swept.missing.len().saturating_add(swept.missing_acks.len());
                self.metrics.swept(path, chain, missing, platform::now());
                // What is missing is told by the readiness, and not again in every round.
                if swept.found + swept.acknowledged + swept.ended > 0 {
                    tracing::info!(path, chain, ?swept, "the sweep found what no event had told of");
                }
                swept.complaint(chain)
            }
            Err(reason) => Some(reason),
        };
        self.reason(path, &format!("sweep of side {}: ", source.name()), complaint.map_or(Ok(()), Err));
    }

    fn client_update(&self, chain: &str, client_id: &str, outcome: ClientUpdate) {
        let outcome = match outcome {
            ClientUpdate::Submitted => ClientUpdateOutcome::Submitted,
            ClientUpdate::Confirmed => ClientUpdateOutcome::Confirmed,
            ClientUpdate::Skipped => ClientUpdateOutcome::Skipped,
            ClientUpdate::Failed => ClientUpdateOutcome::Failed,
        };
        self.metrics.client_update(Client::OnChain { chain, client_id }, outcome);
    }

    fn misbehaviour_shown(&self, chain: &str, accepted: bool) {
        let stage = if accepted { MisbehaviourStage::Confirmed } else { MisbehaviourStage::Submitted };
        self.metrics.misbehaviour(chain, stage);
    }

    fn client_stopped(&self, path: &str, side: Side, outcome: Result<(), (&'static str, String)>) {
        self.reason(path, &format!("client of side {}: ", side.name()), outcome);
    }

    fn client_stands(&self, path: &str, side: Side, client: &OnChainClient) {
        let id = Client::OnChain { chain: &client.chain, client_id: &client.client };
        let code = client.stopped.as_ref().map(|(code, _)| *code);
        let status = match code {
            Some(MaterialError::FROZEN_CODE) => ClientStatus::Frozen,
            Some(MaterialError::EXPIRED_CODE) => ClientStatus::Expired,
            _ => ClientStatus::Active,
        };
        let (expires_at, period_seconds) = client.expires.unwrap_or_default();
        self.metrics.client_trusted(id, client.latest_height);
        self.metrics.on_chain_expiry(id, expires_at, period_seconds);
        self.metrics.client_status(id, status);
        let outcome = client.stopped.clone().map_or(Ok(()), Err);
        self.reason(path, &format!("client of side {}: ", side.name()), outcome);
        self.health.path(path, |health| {
            let name = format!("{}/{}", client.chain, client.client);
            health.frozen.retain(|known| *known != name);
            if status == ClientStatus::Frozen {
                health.frozen.push(name);
            }
        });
    }

    fn batch(&self, chain: &str, kind: JobKind, messages: usize, bytes: usize) {
        self.metrics.batch(chain, messages, bytes);
        tracing::info!(chain, kind = kind.name(), messages, bytes, "batch delivered");
    }

    fn retried(&self, path: &str, class: Class, code: &'static str) {
        self.metrics.retry(path, class);
        tracing::debug!(path, code, "tried again");
    }
}

impl SendObserver for PathWatch {
    fn transaction(&self, event: &TxEvent<'_>) {
        let TxEvent { chain, key, note, outcome, receipt, corridors } = *event;
        let label = match outcome {
            "included" => TxOutcome::Included,
            "reverted" => TxOutcome::Reverted,
            "unknown" => TxOutcome::Expired,
            "replaced" => TxOutcome::Replaced,
            _ => TxOutcome::Dropped,
        };
        self.metrics.tx(chain, key, label);
        if let (Some(receipt), Some(asset)) = (receipt, self.assets.get(chain)) {
            let fee = receipt.fee.parse().unwrap_or(0.0);
            self.metrics.fee_spent(chain, asset, fee);
            let kind = match note.kind {
                IntentKind::Recv => Some(PacketKind::Send),
                IntentKind::Ack => Some(PacketKind::Ack),
                IntentKind::Timeout => Some(PacketKind::Timeout),
                IntentKind::Update | IntentKind::Upkeep | IntentKind::Mixed | IntentKind::Call => None,
            };
            if let Some(kind) = kind {
                // Packets of one transaction bear its fee in equal parts.
                let share = fee / corridors.len().max(1) as f64;
                for Corridor { source, asset } in corridors {
                    let corridor = (note.path.as_str(), source.as_str(), asset.as_deref());
                    self.metrics.corridor_fee_spent(corridor, (chain, kind), share);
                }
            }
        }
    }

    fn in_flight(&self, chain: &str, key: &str, count: usize) {
        self.metrics.in_flight(chain, key, count);
    }

    fn account(&self, chain: &str, key: &str, account: &Account, next: u64) {
        self.metrics.nonces(chain, key, next, account.nonce);
        if let Some(asset) = self.assets.get(chain) {
            self.metrics.balance(chain, key, asset, account.balance.parse().unwrap_or(0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::telemetry::{MetricsScope, PathHealth};

    #[test]
    fn a_frozen_on_chain_client_is_named_until_it_is_active_again() {
        let paths = BTreeMap::from([("p".to_owned(), PathHealth::default())]);
        let health = Arc::new(Health::new(BTreeMap::new(), paths));
        let watch = PathWatch {
            metrics: Metrics::new(&MetricsScope::default()),
            health: health.clone(),
            assets: BTreeMap::new(),
        };
        let check = |frozen: bool, expect: &[&str]| {
            let claim = ClientClaim {
                attestors: Vec::new(),
                min_required_sigs: 1,
                latest_height: 7,
                frozen,
                counterparty: None,
                location: String::new(),
                native: None,
            };
            watch.on_chain_client("p", "evm", "client-0", &claim);
            let readiness = health.path_ready("p", Timestamp::default()).unwrap();
            let codes: Vec<_> = readiness.reasons.iter().map(|reason| reason.code).collect();
            assert_eq!(codes, expect, "{readiness:?}");
        };
        check(false, &[]);
        check(true, &["NODE-HLT-007"]);
        check(true, &["NODE-HLT-007"]);
        check(false, &[]);
    }
}
