//! Random histories of two chains against a model of what may happen: value is conserved, and no packet ends twice.
//!
//! The relayer here is as bad as one can be: it delivers twice, late, out of order, brings acknowledgements that were
//! never written and times out what was received. All proofs are true, so that only the handler's own rules stand
//! between it and the value.

use std::collections::BTreeMap;

use catenary_protocol::handler::{Event, Outcome};
use catenary_protocol::{ics20, Acknowledgement, Packet};
use proptest::prelude::*;

use super::rig::{result, written, Rig};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A side sends an own token, or, if it has any, a voucher home; to an address that exists or to none.
    Send { side: usize, own: bool, amount: u64, good: bool },
    /// Some packet is delivered, whatever its state.
    Recv { pick: usize },
    /// Some packet's acknowledgement is brought home; a false one when `lie`, or when there is none.
    Ack { pick: usize, lie: bool },
    /// Some packet is timed out, whatever its state.
    Timeout { pick: usize },
    /// Time passes.
    Wait { seconds: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_packet = 0..1_000_usize;
    let step = prop_oneof![
        4 => (0..2_usize, any::<bool>(), 1..60_u64, prop::bool::weighted(0.8))
            .prop_map(|(side, own, amount, good)| Step::Send { side, own, amount, good }),
        5 => any_packet.clone().prop_map(|pick| Step::Recv { pick }),
        4 => (any_packet.clone(), prop::bool::weighted(0.2)).prop_map(|(pick, lie)| Step::Ack { pick, lie }),
        3 => any_packet.prop_map(|pick| Step::Timeout { pick }),
        2 => (1..40_u64).prop_map(|seconds| Step::Wait { seconds }),
    ];
    prop::collection::vec(step, 1..60)
}

/// How far a packet is.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Stage {
    Sent,
    Received(Acknowledgement),
    Acknowledged,
    TimedOut,
}

/// A packet and what the model knows of it.
struct Known {
    side: usize,
    packet: Packet,
    /// The amount, and whether it left into escrow (an own token) rather than being burned (a voucher).
    amount: u64,
    own: bool,
    good: bool,
    stage: Stage,
}

struct World {
    rig: Rig,
    packets: Vec<Known>,
    /// How often each packet ended, by (side, sequence).
    ended: BTreeMap<(usize, u64), u32>,
}

const OWN: [&str; 2] = ["stake", "gold"];
const USERS: [&str; 2] = ["alice", "bob"];
const FUNDS: u64 = 1_000;

impl World {
    fn new() -> Self {
        let mut rig = Rig::new();
        for side in [0, 1] {
            rig.fund(side, USERS[side], OWN[side], FUNDS);
        }
        Self { rig, packets: Vec::new(), ended: BTreeMap::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send { side, own, amount, good } => self.send(side, own, (amount, good)),
            Step::Wait { seconds } => self.rig.wait(seconds),
            _ if self.packets.is_empty() => {}
            Step::Recv { pick } => self.recv(pick % self.packets.len()),
            Step::Ack { pick, lie } => self.ack(pick % self.packets.len(), lie),
            Step::Timeout { pick } => self.time_out(pick % self.packets.len()),
        }
        self.check();
    }

    fn send(&mut self, side: usize, own: bool, (amount, good): (u64, bool)) {
        let denom = if own { OWN[side].to_owned() } else { self.rig.voucher(side, OWN[1 - side]) };
        let receiver = if good { USERS[1 - side] } else { "no" };
        let before = self.rig.balance(side, USERS[side], &denom);
        let message = self.rig.transfer_message(side, (&denom, amount), (USERS[side], receiver));
        let sent = self.rig.transfer(side, &message);
        // A voucher that never came here has no trace; otherwise the balance alone decides.
        assert_eq!(sent.is_ok(), before >= amount, "{sent:?} of {before}");
        if let Ok(packet) = sent {
            let count = self.packets.iter().filter(|known| known.side == side).count();
            assert_eq!(packet.sequence, u64::try_from(count).unwrap() + 1, "sequences have no gaps");
            self.packets.push(Known { side, packet, amount, own, good, stage: Stage::Sent });
        }
    }

    fn recv(&mut self, index: usize) {
        let (side, packet) = (self.packets[index].side, self.packets[index].packet.clone());
        let late = self.rig.now_seconds >= packet.timeout_timestamp_seconds;
        let outcome = self.rig.recv(1 - side, &packet);
        let known = &mut self.packets[index];
        match (&known.stage, outcome) {
            (_, Err(error)) if late => assert_eq!(error.code(), "PR-HND-020"),
            (Stage::Sent, Ok(outcome)) => {
                assert!(!late);
                assert_eq!(result(&outcome), 2);
                let ack = written(&outcome);
                assert_eq!(ack.is_universal_error(), !known.good);
                known.stage = Stage::Received(ack);
            }
            (Stage::Received(_) | Stage::Acknowledged, Ok(outcome)) => noop(&outcome),
            (stage, outcome) => panic!("{stage:?}: {outcome:?}"),
        }
    }

    fn ack(&mut self, index: usize, lie: bool) {
        let Known { side, packet, stage, .. } = &self.packets[index];
        let (side, packet) = (*side, packet.clone());
        let success = Acknowledgement { app_acknowledgements: vec![ics20::SUCCESS_ACK.to_vec()] };
        let ack = match stage {
            Stage::Received(ack) if !lie => ack.clone(),
            Stage::Received(ack) if *ack == success => Acknowledgement::universal_error(),
            Stage::Received(_) => success,
            _ if lie => success,
            _ => Acknowledgement::universal_error(),
        };
        let outcome = self.rig.ack(side, &packet, &ack);
        match (stage, outcome) {
            (Stage::Acknowledged | Stage::TimedOut, Ok(outcome)) => noop(&outcome),
            (Stage::Received(written), Ok(outcome)) => {
                assert_eq!((written, result(&outcome)), (&ack, 2));
                self.end(index, Stage::Acknowledged);
            }
            (Stage::Sent, Err(error)) => assert_eq!(error.code(), "PR-HND-018"),
            (Stage::Received(written), Err(error)) => {
                assert_ne!(*written, ack);
                assert_eq!(error.code(), "PR-HND-018");
            }
            (stage, outcome) => panic!("{stage:?}: {outcome:?}"),
        }
    }

    fn time_out(&mut self, index: usize) {
        let Known { side, packet, stage, .. } = &self.packets[index];
        let early = self.rig.now_seconds < packet.timeout_timestamp_seconds;
        let (side, packet) = (*side, packet.clone());
        let outcome = self.rig.timeout(side, &packet);
        match (stage, outcome) {
            (_, Err(error)) if early => assert_eq!(error.code(), "PR-HND-022"),
            (Stage::Sent, Ok(outcome)) => {
                assert_eq!(result(&outcome), 2);
                self.end(index, Stage::TimedOut);
            }
            (Stage::Received(_), Err(error)) => assert_eq!(error.code(), "PR-HND-019"),
            (Stage::Acknowledged | Stage::TimedOut, Ok(outcome)) => noop(&outcome),
            (stage, outcome) => panic!("{stage:?}: {outcome:?}"),
        }
    }

    fn end(&mut self, index: usize, stage: Stage) {
        let known = &mut self.packets[index];
        known.stage = stage;
        *self.ended.entry((known.side, known.packet.sequence)).or_default() += 1;
    }

    /// Escrow = vouchers + what is on its way, and nothing is made or lost.
    fn check(&self) {
        for side in [0, 1] {
            let other = 1 - side;
            let voucher = self.rig.voucher(other, OWN[side]);
            let vouchers = self.rig.chains[other].host.supply(&voucher).to::<u64>();
            let escrowed = self.rig.escrowed(side, OWN[side]);
            // On its way out: sent and not received, or refused and not yet refunded. On its way home: burned there.
            let under_way: u64 =
                self.packets.iter().filter(|known| known.is_under_way(side)).map(|known| known.amount).sum();
            assert_eq!(escrowed, vouchers + under_way, "escrow of side {side}");
            assert_eq!(self.rig.balance(side, USERS[side], OWN[side]) + escrowed, FUNDS);
            assert_eq!(self.rig.chains[side].host.supply(OWN[side]).to::<u64>(), FUNDS);
        }
        assert!(self.ended.values().all(|times| *times == 1), "a packet ended twice");
    }

    /// An honest relayer finishes everything.
    fn finish(&mut self) {
        for index in 0..self.packets.len() {
            self.recv(index);
            if self.packets[index].stage == Stage::Sent {
                self.time_out(index);
            } else {
                self.ack(index, false);
            }
            self.check();
        }
        assert_eq!(self.ended.len(), self.packets.len());
        let open = self.packets.iter().any(|known| known.is_under_way(0) || known.is_under_way(1));
        assert!(!open);
    }
}

impl Known {
    /// Whether it holds value of this side's own token that is neither with a user nor a voucher.
    fn is_under_way(&self, side: usize) -> bool {
        let token_side = if self.own { self.side } else { 1 - self.side };
        let refused = matches!(&self.stage, Stage::Received(ack) if ack.is_universal_error());
        token_side == side && (self.stage == Stage::Sent || refused)
    }
}

fn noop(outcome: &Outcome) {
    assert_eq!((result(outcome), outcome.events.as_slice()), (1, &[] as &[Event]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn value_is_conserved_and_packets_end_once(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.finish();
    }
}
