//! The sweep: finds what no event told of. At the start and then from time to time both chains are asked, with proofs,
//! what they hold of the path's packets, and the difference to what is known becomes claims as any scan's.
//!
//! A packet whose commitment is proven and which nobody here knows is a gap of the scan: its event was withheld, or the
//! history that held it is gone. Its body is looked for on its source, then where it was received, and is taken only when
//! it is the one that is committed. An acknowledgement that no event showed is one of the two that transfers know, or is
//! looked for likewise. That a packet has ended is proven once more by the job that confirms it.
//!
//! A round proves at heads that are newer than all that is known: none begins before the source's head has a time from
//! after the start, since a light client begins at a state that it kept, and a state from before a packet was sent would
//! show that packet as ended. Before it looks for a body it waits for the scan to have
//! passed them, for what the scan is about to bring is no gap; but not for ever, since a scan that has a long way to go
//! would keep new packets from being found.
//!
//! # What an attacker can grow
//!
//! Nothing: a round asks for a bounded number of proofs ([`catenary_core::sweep`]) and makes a bounded number of
//! searches ([`limits::SWEEP_WINDOWS`]). An endpoint that withholds a body is named with the sequence, and others are asked.

mod bodies;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use catenary_api::{EventClaim, PacketEvent, SearchKind, TxHash};
use catenary_core::engine::{Engine, Key, Side};
use catenary_core::sweep::{Difference, Known, Proven, Round, Sweep};
use catenary_light_clients::{Hash32, Membership, Timestamp, Verified};
use catenary_protocol::path::Kind;
use catenary_protocol::{ics20, Acknowledgement, Packet, Path, VerifiedPacket};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::bodies::Walk;
use super::job::{PathContext, PathSide};
use super::limits;
use super::scan::ClaimBatch;
use crate::chain::{Fact, ProveError, Prover};
use crate::failpoint::failpoint;
use crate::platform;

/// Bodies of packets are missing.
const PACKETS_MISSING: &str = "NODE-SWP-001";
/// Bodies of acknowledgements are missing.
const ACKS_MISSING: &str = "NODE-SWP-002";

/// What a round found of the packets from one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Packets whose events the scan had passed without seeing them, and that are known now.
    pub gaps: usize,
    /// Packets that are known now.
    pub found: usize,
    /// Open packets that were found to have ended.
    pub ended: usize,
    /// Acknowledgements that are known now.
    pub acknowledged: usize,
    /// Sequences that are committed and whose bodies no endpoint has shown yet.
    pub missing: Vec<u64>,
    /// Sequences that are acknowledged and whose acknowledgements no endpoint has shown yet.
    pub missing_acks: Vec<u64>,
}

impl Swept {
    /// What is missing, with a code and what to do.
    #[must_use]
    pub fn complaint(&self, chain: &str) -> Option<(&'static str, String)> {
        let next = "an endpoint withholds it or has pruned its history; add one that has it";
        let first = |all: &[u64]| all.iter().take(8).map(u64::to_string).collect::<Vec<_>>().join(", ");
        if !self.missing.is_empty() {
            let (count, first) = (self.missing.len(), first(&self.missing));
            let text = format!("packet body missing: {count} committed on {chain}, sequences {first}; {next}");
            return Some((PACKETS_MISSING, text));
        }
        let (count, first) = (self.missing_acks.len(), first(&self.missing_acks));
        let text = format!("acknowledgement missing: {count} for packets of {chain}, sequences {first}; {next}");
        (count > 0).then_some((ACKS_MISSING, text))
    }
}

/// What the sweep asks the runner, who owns the engine.
pub(super) enum Ask {
    /// What is known.
    Known(oneshot::Sender<View>),
    /// The bodies of open packets.
    Packets(Vec<Key>, oneshot::Sender<BTreeMap<Key, Packet>>),
}

/// What is known, and how far the scans have come.
pub(super) struct View {
    known: [Known; 2],
    cursors: [u64; 2],
}

impl Ask {
    /// Answers from the engine; one that is not waited for any more is dropped.
    pub(super) fn answer(self, engine: &Engine, cursors: [u64; 2]) {
        match self {
            Self::Known(reply) => {
                let known = [Side::A, Side::B].map(|side| Known::of(engine, side));
                let _ = reply.send(View { known, cursors });
            }
            Self::Packets(keys, reply) => {
                let packet = |key: Key| Some((key, engine.packet(&key)?.packet.clone()));
                let _ = reply.send(keys.into_iter().filter_map(packet).collect());
            }
        }
    }
}

/// What is remembered of the packets from one side.
struct Direction {
    source: Side,
    sweep: Sweep,
    /// Looks for bodies where they were sent, and where they were received.
    sent: Walk,
    received: Walk,
    /// Looks for acknowledgements.
    acks: Walk,
}

impl Direction {
    fn new(source: Side) -> Self {
        Self {
            source,
            sweep: Sweep::default(),
            sent: Walk::new(SearchKind::Sent),
            received: Walk::new(SearchKind::WroteAck),
            acks: Walk::new(SearchKind::WroteAck),
        }
    }
}

/// The task.
pub(super) struct Sweeper {
    context: Arc<PathContext>,
    every: Duration,
    asks: mpsc::Sender<Ask>,
    claims: mpsc::Sender<ClaimBatch>,
    started: Timestamp,
}

/// What was proven in a round, with the facts themselves.
struct Facts {
    proven: Proven,
    committed: BTreeMap<u64, Verified<Membership>>,
    acks: BTreeMap<u64, Verified<Membership>>,
    heights: Heights,
    refused: Option<ProveError>,
}

/// Heights that a round proves at.
#[derive(Clone, Copy)]
struct Heights {
    source: u64,
    destination: u64,
}

/// The runner has stopped, and so does the sweep.
struct Stopped;

impl Sweeper {
    pub(super) fn new(
        context: Arc<PathContext>,
        every: Duration,
        asks: mpsc::Sender<Ask>,
        claims: mpsc::Sender<ClaimBatch>,
    ) -> Self {
        Self { context, every, asks, claims, started: platform::now() }
    }

    /// Sweeps until cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut directions = [Side::A, Side::B].map(Direction::new);
        loop {
            let mut pause = self.every;
            for direction in &mut directions {
                match self.round(direction).await {
                    Ok(next) => pause = pause.min(next),
                    Err(Stopped) => return,
                }
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = platform::sleep(pause) => {}
            }
        }
    }

    /// One round over the packets from one side; says when the next one should follow at the latest.
    async fn round(&self, direction: &mut Direction) -> Result<Duration, Stopped> {
        let (soon, retry) =
            (Duration::from_millis(limits::SWEEP_PAUSE_MS), Duration::from_millis(limits::SWEEP_RETRY_MS));
        let source = direction.source;
        let (here, there) = (self.context.side(source), self.context.side(source.other()));
        let (known, _) = self.known(source).await?;
        // Heads from after that: all that is known has happened in their states. The time first: heads only go up.
        let time = here.chain.watch().borrow().timestamp;
        let heights = Heights { source: here.chain.head(), destination: there.chain.head() };
        if heights.source == 0 || heights.destination == 0 || !is_from_after(time, self.started) {
            // Nothing can be proven yet, or not now.
            return Ok(soon);
        }
        let round = direction.sweep.round(&known, self.said(here).await);
        let facts = match self.facts(source, &round, heights).await {
            Ok(facts) => facts,
            Err(error) => {
                self.refused(source, &error);
                return Ok(retry);
            }
        };
        failpoint("sweep.proven");
        let mut difference = direction.sweep.difference(&known, &round, &facts.proven);
        let mut swept = Swept::default();
        self.tell_ended(source, &difference, &facts, &mut swept).await?;
        if !difference.missed.is_empty() || !difference.acknowledged.is_empty() {
            let (known, scanned) = self.passed(source, heights).await?;
            difference = direction.sweep.left(&known, difference);
            self.tell_missed(direction, (&difference, scanned), &facts, &mut swept).await?;
            self.tell_acknowledged(direction, &difference, &facts, &mut swept).await?;
        }
        match &facts.refused {
            Some(error) => self.refused(source, error),
            None => self.context.observer.swept(&self.context.name, source, here.chain.name(), Ok(&swept)),
        }
        Ok(if difference.more {
            soon
        } else if facts.refused.is_some() || swept.complaint(here.chain.name()).is_some() {
            retry
        } else {
            self.every
        })
    }

    fn refused(&self, source: Side, error: &ProveError) {
        let name = self.context.side(source).chain.name();
        tracing::warn!(path = self.context.name, chain = name, code = error.code(), "not swept: {error}");
        let reason = (error.code(), error.to_string());
        self.context.observer.swept(&self.context.name, source, name, Err(reason));
    }

    /// What is known of the packets from a side, and how far the scans of it and of the other side have come.
    async fn known(&self, source: Side) -> Result<(Known, [u64; 2]), Stopped> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Known(reply)).await.map_err(|_| Stopped)?;
        let View { known: [a, b], cursors: [at_a, at_b] } = answer.await.map_err(|_| Stopped)?;
        Ok(match source {
            Side::A => (a, [at_a, at_b]),
            Side::B => (b, [at_b, at_a]),
        })
    }

    /// The same once the scans have passed some heights, or have had their time; and how far the source's has come.
    async fn passed(&self, source: Side, heights: Heights) -> Result<(Known, u64), Stopped> {
        let mut looks = 0;
        loop {
            let (known, [here, there]) = self.known(source).await?;
            looks += 1;
            let passed = here >= heights.source && there >= heights.destination;
            if passed || looks >= limits::SWEEP_WAITS_MAX {
                return Ok((known, here));
            }
            platform::sleep(Duration::from_millis(limits::SWEEP_PAUSE_MS)).await;
        }
    }

    /// How many packets the chain says that the client has sent. Nothing depends on it but how far to look.
    async fn said(&self, here: &PathSide) -> Option<u64> {
        match here.chain.source().search()?.last_sequence(&here.client_id).await {
            Ok(said) => said,
            Err(error) => {
                self.context.observer.endpoint_failed(here.chain.name(), error.code);
                None
            }
        }
    }

    async fn facts(&self, source: Side, round: &Round, heights: Heights) -> Result<Facts, ProveError> {
        let (here, there) = (self.context.side(source), self.context.side(source.other()));
        let asked: Vec<u64> = round.unknown.iter().chain(&round.open).copied().collect();
        let path = |kind, client: &str| {
            let client = client.to_owned();
            move |sequence: &u64| Path::new(kind, &client, *sequence)
        };
        let paths = asked.iter().map(path(Kind::Commitment, &here.client_id)).collect();
        let commitments = here.chain.facts(heights.source, paths).await?;
        let paths = round.unacknowledged.iter().map(path(Kind::Acknowledgement, &there.client_id)).collect();
        let acks = there.chain.facts(heights.destination, paths).await?;
        let mut facts = Facts {
            proven: Proven { height: heights.source, ..Proven::default() },
            committed: BTreeMap::new(),
            acks: BTreeMap::new(),
            heights,
            refused: None,
        };
        for (sequence, fact) in asked.into_iter().zip(commitments) {
            let held = match fact {
                Ok(Fact::Holds(fact)) => Some(fact),
                Ok(Fact::Nothing(_)) => None,
                Err(error) => {
                    facts.refused = Some(error);
                    continue;
                }
            };
            facts.proven.committed.insert(sequence, held.is_some());
            facts.committed.extend(held.map(|fact| (sequence, fact)));
        }
        for (sequence, fact) in round.unacknowledged.iter().zip(acks) {
            match fact {
                Ok(Fact::Holds(fact)) => {
                    facts.proven.acknowledged.insert(*sequence);
                    facts.acks.insert(*sequence, fact);
                }
                Ok(Fact::Nothing(_)) => {}
                Err(error) => facts.refused = Some(error),
            }
        }
        Ok(facts)
    }

    async fn packets(&self, source: Side, sequences: &[u64]) -> Result<BTreeMap<Key, Packet>, Stopped> {
        if sequences.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys = sequences.iter().map(|sequence| Key { source, sequence: *sequence }).collect();
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask::Packets(keys, reply)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    async fn claim(&self, side: Side, claims: Vec<EventClaim>) -> Result<(), Stopped> {
        if claims.is_empty() {
            return Ok(());
        }
        // No cursor moves by it.
        self.claims.send(ClaimBatch { side, from: 0, upto: 0, claims }).await.map_err(|_| Stopped)
    }

    /// Open packets whose commitments are proven gone: a job confirms how they ended.
    async fn tell_ended(
        &self,
        source: Side,
        difference: &Difference,
        facts: &Facts,
        swept: &mut Swept,
    ) -> Result<(), Stopped> {
        let packets = self.packets(source, &difference.ended).await?;
        swept.ended = packets.len();
        let height = facts.heights.source;
        let claims = packets.into_values().map(|packet| seen(height, PacketEvent::Acknowledged(packet)));
        self.claim(source, claims.collect()).await
    }

    /// Committed packets that nobody here knows: what was found of them becomes known.
    async fn tell_missed(
        &self,
        direction: &mut Direction,
        (difference, scanned): (&Difference, u64),
        facts: &Facts,
        swept: &mut Swept,
    ) -> Result<(), Stopped> {
        let Direction { source, sweep, sent, received, .. } = direction;
        let (here, there) = (self.context.side(*source), self.context.side(source.other()));
        let mut wanted: BTreeSet<u64> = difference.missed.iter().copied().collect();
        let mut claims = Vec::new();
        for (side, walk, top) in [(here, sent, facts.heights.source), (there, received, facts.heights.destination)] {
            let found = self.look(side, walk, &wanted, top).await;
            for claim in found {
                let packet = claim.event.packet();
                let sequence = packet.sequence;
                let Some(fact) = facts.committed.get(&sequence).filter(|_| wanted.contains(&sequence)) else {
                    continue;
                };
                match usable(packet, fact, &there.client_id) {
                    Ok(true) => {
                        sweep.found(sequence);
                        swept.gaps += usize::from(walk_is_of_source(side, here) && claim.height <= scanned);
                        claims.push(sent_by(facts.heights.source, &claim));
                    }
                    Ok(false) => sweep.leave_out(sequence),
                    Err(error) => {
                        let chain = side.chain.name();
                        tracing::warn!(chain, sequence, code = error.code(), "not what is committed: {error}");
                        self.context.observer.endpoint_failed(chain, error.code());
                        continue;
                    }
                }
                wanted.remove(&sequence);
            }
        }
        swept.found = claims.len();
        swept.missing = wanted.into_iter().collect();
        self.claim(*source, claims).await
    }

    /// Open packets whose acknowledgements no event has shown.
    async fn tell_acknowledged(
        &self,
        direction: &mut Direction,
        difference: &Difference,
        facts: &Facts,
        swept: &mut Swept,
    ) -> Result<(), Stopped> {
        let (source, top) = (direction.source, facts.heights.destination);
        let there = self.context.side(source.other());
        let packets = self.packets(source, &difference.acknowledged).await?;
        let (mut claims, mut wanted) = (Vec::new(), BTreeMap::new());
        for (key, packet) in packets {
            let Some(fact) = facts.acks.get(&key.sequence) else { continue };
            match well_known(fact) {
                Some(acknowledgement) => claims.push(seen(top, PacketEvent::WroteAck { packet, acknowledgement })),
                None => drop(wanted.insert(key.sequence, (packet, fact))),
            }
        }
        let sequences = wanted.keys().copied().collect();
        let found = self.look(there, &mut direction.acks, &sequences, top).await;
        for claim in found {
            let PacketEvent::WroteAck { packet, acknowledgement } = claim.event else { continue };
            let Some((ours, fact)) = wanted.remove(&packet.sequence) else { continue };
            if acknowledgement.validate().is_ok() && fact.value == acknowledgement.commitment().as_bytes() {
                let height = claim.height.min(top);
                let event = PacketEvent::WroteAck { packet: ours, acknowledgement };
                claims.push(EventClaim { height, tx: claim.tx, event });
            } else {
                wanted.insert(packet.sequence, (ours, fact));
            }
        }
        swept.acknowledged = claims.len();
        swept.missing_acks = wanted.into_keys().collect();
        self.claim(source.other(), claims).await
    }

    /// Looks for bodies on a side's chain; what an endpoint fails to answer is looked for in the next round.
    async fn look(&self, side: &PathSide, walk: &mut Walk, wanted: &BTreeSet<u64>, top: u64) -> Vec<EventClaim> {
        let (found, failed) = walk.look(side.chain.source().as_ref(), &side.client_id, wanted, top).await;
        if let Some(error) = failed {
            self.context.observer.endpoint_failed(side.chain.name(), error.code);
        }
        found
    }
}

/// Whether a head is from after the start, whichever clock is ahead: all that was known then has happened before it.
fn is_from_after(head: Timestamp, start: Timestamp) -> bool {
    head.seconds() > start.seconds().saturating_add(limits::SWEEP_DRIFT_SECONDS)
}

fn walk_is_of_source(side: &PathSide, source: &PathSide) -> bool {
    std::ptr::eq(side, source)
}

fn seen(height: u64, event: PacketEvent) -> EventClaim {
    EventClaim { height, tx: TxHash(Hash32([0; 32])), event }
}

/// A packet that was found, as sent by the height of the source at which its commitment was proven. The height that came
/// with the body is an endpoint's word, and of the destination where that is where it was found: were it taken, a state
/// from before the sending could show the packet as ended.
fn sent_by(proven_height: u64, found: &EventClaim) -> EventClaim {
    EventClaim { height: proven_height, tx: found.tx, event: PacketEvent::Sent(found.event.packet().clone()) }
}

/// Whether a packet is the one that is committed, and whether the path can carry it.
fn usable(packet: &Packet, fact: &Verified<Membership>, destination: &str) -> Result<bool, catenary_protocol::Error> {
    if let Err(refusal) = VerifiedPacket::new(packet.clone(), fact.clone()) {
        // What an odd application has committed is proven as any packet is, and breaks a rule all the same.
        let committed = packet.commitment_path().as_bytes() == fact.path.as_slice()
            && packet.commitment().as_bytes() == fact.value.as_slice();
        return if committed { Ok(false) } else { Err(refusal) };
    }
    Ok(packet.destination_client == destination)
}

/// The acknowledgement that is committed, if it is one that needs no event to be known.
fn well_known(fact: &Verified<Membership>) -> Option<Acknowledgement> {
    let success = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
    let known = [success, Acknowledgement::universal_error()];
    known.into_iter().find(|acknowledgement| fact.value == acknowledgement.commitment().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_from_before_the_start_is_not_asked() {
        let check = |head: u64, start: u64, expect: bool| {
            let after = is_from_after(Timestamp::from_seconds(head), Timestamp::from_seconds(start));
            assert_eq!(after, expect, "head {head}, start {start}");
        };
        check(900, 1_000, false);
        check(1_000, 1_000, false);
        check(1_000 + limits::SWEEP_DRIFT_SECONDS, 1_000, false);
        check(1_001 + limits::SWEEP_DRIFT_SECONDS, 1_000, true);
        check(0, u64::MAX / 1_000_000_000, false);
    }

    /// Found in review: the height at which a body was found, of the other chain or an endpoint's word, was taken for the
    /// one at which the packet was sent.
    #[test]
    fn a_found_packet_is_sent_by_the_height_that_is_proven() {
        let packet = Packet {
            sequence: 7,
            source_client: "client-0".into(),
            destination_client: "client-1".into(),
            timeout_timestamp_seconds: 9_000,
            payloads: Vec::new(),
        };
        let acknowledgement = Acknowledgement::universal_error();
        let events =
            [PacketEvent::Sent(packet.clone()), PacketEvent::WroteAck { packet: packet.clone(), acknowledgement }];
        for event in events {
            for height in [1, 500, u64::MAX] {
                let found = EventClaim { height, tx: TxHash(Hash32([3; 32])), event: event.clone() };
                let expect = EventClaim { height: 500, event: PacketEvent::Sent(packet.clone()), ..found.clone() };
                assert_eq!(sent_by(500, &found), expect, "found at {height}");
            }
        }
    }
}
