//! Random sequences of what users and relayers do, honest and careless: the sums hold after every step.
#![allow(missing_docs, reason = "tests name themselves")]

use std::collections::BTreeMap;

use alloy_primitives::Address;
use catenary_contract_tests::abi::{Packet, Router, Token};
use catenary_contract_tests::packet::{self, error_ack, lowercase, SUCCESS_ACK};
use catenary_contract_tests::world::{sent, On, World, ALICE, ALICE_TOKENS, BOB};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// One step. Numbers pick among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// Alice sends tokens of a chain, to Bob or to nobody who can be paid.
    Send { on: On, amount: u64, payable: bool },
    /// Bob sends vouchers home.
    Home { on: On, amount: u64, payable: bool },
    /// Someone delivers a packet, whether it is wanted or not.
    Recv(usize),
    /// Someone brings an acknowledgement, the right one or the other one.
    Ack(usize, bool),
    /// Someone times a packet out, whether it is late or not.
    Timeout(usize),
    /// Time passes.
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let on = || prop_oneof![Just(On::A), Just(On::B)];
    // Three receivers in four can be paid.
    let payable = || (0u8..4).prop_map(|n| n != 0);
    let step = prop_oneof![
        3 => (on(), 1..200u64, payable()).prop_map(|(on, amount, payable)| Step::Send { on, amount, payable }),
        3 => (on(), 1..100u64, payable()).prop_map(|(on, amount, payable)| Step::Home { on, amount, payable }),
        5 => any::<prop::sample::Index>().prop_map(|i| Step::Recv(i.index(1_000))),
        4 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(i, right)| Step::Ack(i.index(1_000), right)),
        2 => any::<prop::sample::Index>().prop_map(|i| Step::Timeout(i.index(1_000))),
        2 => (1..2_500u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..40)
}

/// What the test knows about a packet.
struct Known {
    from: On,
    packet: Packet,
    amount: u64,
    /// Tokens locked here, or vouchers burned here.
    locked: bool,
    /// The acknowledgement, once it arrived.
    ack: Option<Vec<u8>>,
    /// Acknowledged or timed out.
    ended: bool,
}

struct Model {
    world: World,
    known: Vec<Known>,
}

impl Model {
    fn step(&mut self, step: Step) {
        match step {
            Step::Send { on, amount, payable } => self.send(on, amount, payable, true),
            Step::Home { on, amount, payable } => self.send(on, amount, payable, false),
            Step::Recv(i) => self.recv(i),
            Step::Ack(i, right) => self.ack(i, right),
            Step::Timeout(i) => self.timeout(i),
            Step::Wait(seconds) => self.world.advance(seconds),
        }
    }

    /// The token of `on`, or on `on` the voucher of the other side's token.
    fn token(&self, on: On, native: bool) -> Address {
        let side = self.world.side(on);
        if native {
            side.token
        } else {
            side.voucher(&lowercase(self.world.side(on.other()).token))
        }
    }

    fn send(&mut self, on: On, amount: u64, payable: bool, native: bool) {
        let token = self.token(on, native);
        let (sender, receiver) = if native { (ALICE, BOB) } else { (BOB, ALICE) };
        if token == Address::ZERO {
            return;
        }
        let receiver = if payable { lowercase(receiver) } else { "nobody".to_owned() };
        let m = self.world.side(on).transfer_msg(token, amount, &receiver);
        let enough = self.world.side(on).balance(token, sender) >= amount;
        let outcome = self.world.side_mut(on).send_transfer(sender, m);
        assert_eq!(outcome.result.is_ok(), enough);
        if enough {
            let packet = sent(&outcome);
            self.known.push(Known { from: on, packet, amount, locked: native, ack: None, ended: false });
        }
    }

    fn pick(&self, i: usize) -> Option<(usize, On, Packet)> {
        let at = i.checked_rem(self.known.len())?;
        Some((at, self.known[at].from, self.known[at].packet.clone()))
    }

    fn recv(&mut self, i: usize) {
        let Some((at, from, packet)) = self.pick(i) else { return };
        let in_time = self.world.side(from.other()).chain.time_seconds < packet.timeoutTimestamp;
        let proven = !self.known[at].ended;
        let outcome = self.world.recv(from, &packet);
        assert_eq!(outcome.result.is_ok(), in_time && proven);
        for written in outcome.events::<Router::WriteAcknowledgement>() {
            assert!(self.known[at].ack.is_none(), "a packet is received once");
            self.known[at].ack = Some(written.acknowledgements[0].to_vec());
        }
    }

    fn ack(&mut self, i: usize, right: bool) {
        let Some((at, from, packet)) = self.pick(i) else { return };
        let ack = match (&self.known[at].ack, right) {
            (Some(ack), true) => ack.clone(),
            (Some(ack), false) if *ack == error_ack() => SUCCESS_ACK.to_vec(),
            _ => error_ack(),
        };
        let proven = self.known[at].ack.is_some() && right;
        let outcome = self.world.ack(from, &packet, &ack);
        assert_eq!(outcome.result.is_ok(), proven);
        self.known[at].ended |= proven;
    }

    fn timeout(&mut self, i: usize) {
        let Some((at, from, packet)) = self.pick(i) else { return };
        let late = self.world.side(from.other()).chain.time_seconds >= packet.timeoutTimestamp;
        let absent = self.known[at].ack.is_none();
        let outcome = self.world.timeout(from, &packet);
        assert_eq!(outcome.result.is_ok(), late && absent);
        self.known[at].ended |= late && absent;
    }

    /// What is locked on a side is what is out: as vouchers there, on the way, or on the way back.
    fn check(&self) {
        for on in [On::A, On::B] {
            let (here, there) = (self.world.side(on), self.world.side(on.other()));
            let escrow = here.escrow();
            let locked = if escrow == Address::ZERO { 0 } else { here.balance(here.token, escrow) };
            let voucher = there.voucher(&lowercase(here.token));
            let vouchers: u64 =
                if voucher == Address::ZERO { 0 } else { there.chain.view(voucher, &Token::totalSupplyCall {}).to() };
            assert_eq!(locked, vouchers + self.in_flight(on), "on {on:?}");
            let alice = here.balance(here.token, ALICE);
            let bob = here.balance(here.token, BOB);
            assert_eq!(alice + bob + locked, ALICE_TOKENS, "nothing is made or lost on {on:?}");
        }
    }

    /// Tokens of `on` that are in no account: sent out and not arrived, sent home and not released, or refused and
    /// not yet paid back.
    fn in_flight(&self, on: On) -> u64 {
        let out = |known: &&Known| {
            let arrived = known.ack.as_deref() == Some(SUCCESS_ACK);
            let of_this_token = (known.from == on) == known.locked;
            of_this_token && !arrived && !known.ended
        };
        self.known.iter().filter(out).map(|known| known.amount).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(2),
        ..ProptestConfig::default()
    })]

    #[test]
    fn escrow_is_what_is_outstanding(steps in steps()) {
        let mut model = Model { world: World::new(), known: Vec::new() };
        for step in steps {
            model.step(step);
            model.check();
        }
        // In the end everything ends: acknowledged, or paid back.
        model.world.advance(100_000);
        for i in 0..model.known.len() {
            if model.known[i].ack.is_some() { model.ack(i, true) } else { model.timeout(i) }
            model.check();
        }
        let mut open = BTreeMap::new();
        for known in &model.known {
            let stored = model.world.side(known.from).stored(&packet::commitment_path(&known.packet));
            open.insert((known.packet.sourceClient.clone(), known.packet.sequence), stored.is_zero());
        }
        prop_assert!(open.values().all(|ended| *ended));
        prop_assert_eq!(model.in_flight(On::A) + model.in_flight(On::B), 0);
    }
}
