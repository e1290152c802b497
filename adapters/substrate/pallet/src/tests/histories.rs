//! Random histories of two chains: whatever is sent, delivered, dropped, repeated or forged, and in whatever order, value
//! is neither lost nor doubled, and every packet ends once.

use catenary_protocol::{ics20, Acknowledgement, Packet};
use frame_support::traits::fungibles::Inspect;
use sp_core::crypto::AccountId32;

use super::chain::{Assets, Balances, RuntimeOrigin, ALICE, BOB, ED, FIRST_VOUCHER};
use super::rig::Rig;
use crate::{escrow_account, Call};

/// Steps of one history.
const STEPS: usize = 60;

/// A stream of numbers from a seed (SplitMix64): the same history each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// A packet on its way, and its acknowledgement once it has one.
struct Flight {
    from: usize,
    packet: Packet,
    acknowledgement: Option<Acknowledgement>,
}

struct History {
    rig: Rig,
    flights: Vec<Flight>,
    numbers: Numbers,
}

impl History {
    /// Alice on chain 0 sends native units, Bob on chain 1 sends vouchers of them home.
    fn send(&mut self) {
        let (side, amount) = (self.numbers.below(2) as usize, u128::from(self.numbers.below(50) + 1));
        let (who, to) = if side == 0 { (ALICE, BOB) } else { (BOB, ALICE) };
        let voucher = ics20::ibc_denom(&format!("transfer/{}/unit", self.rig.chains[1].client_id));
        let denom = if side == 0 { "unit" } else { voucher.as_str() };
        let mut transfer = self.rig.transfer_of(side, denom, amount, &to);
        if self.numbers.below(5) == 0 {
            transfer.receiver = super::rig::bytes("nobody");
        }
        let call = Call::transfer { transfer };
        if self.rig.run(side, RuntimeOrigin::signed(who), call).is_ok() {
            let packet = self.rig.take_sent(side);
            self.flights.push(Flight { from: side, packet, acknowledgement: None });
        }
    }

    /// Brings a packet, its acknowledgement or its timeout; some are too late, and some are brought for the second time.
    fn relay(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let chosen = self.numbers.below(self.flights.len() as u64) as usize;
        let (from, packet) = (self.flights[chosen].from, self.flights[chosen].packet.clone());
        match (self.numbers.below(3), self.flights[chosen].acknowledgement.clone()) {
            (0, _) => {
                self.rig.update(1 - from);
                let message = self.rig.recv_of(1 - from, &packet);
                if self.rig.relay(1 - from, message).is_ok() {
                    if let Some(written) = self.rig.take_written(1 - from) {
                        self.flights[chosen].acknowledgement = Some(written);
                    }
                }
            }
            (1, Some(acknowledgement)) => {
                self.rig.update(from);
                let message = self.rig.ack_of(from, &packet, &acknowledgement);
                self.rig.relay(from, message).unwrap();
            }
            _ => {
                let open = self.is_open(chosen);
                self.rig.update(from);
                let message = self.rig.timeout_of(from, &packet);
                let done = self.rig.relay(from, message);
                let received = self.flights[chosen].acknowledgement.is_some();
                assert!(!(received && open && done.is_ok()), "received and timed out");
            }
        }
    }

    fn is_open(&mut self, chosen: usize) -> bool {
        let Flight { from, ref packet, .. } = self.flights[chosen];
        let path = packet.commitment_path();
        self.rig.at(from, || {
            crate::Commitments::<super::chain::Test>::contains_key(crate::Raw::new(path.as_bytes()).unwrap())
        })
    }

    /// What is in escrow is what exists as vouchers, and what is in flight either way.
    fn check(&mut self) {
        let escrow = escrow_account(self.rig.chains[0].client_id);
        let escrowed = self.rig.at(0, || Balances::free_balance(&escrow)) - ED;
        let vouchers = self.rig.at(1, || <Assets as Inspect<AccountId32>>::total_issuance(FIRST_VOUCHER));
        let mut flying = 0;
        for chosen in 0..self.flights.len() {
            if !self.is_open(chosen) {
                continue;
            }
            let Flight { packet, acknowledgement, .. } = &self.flights[chosen];
            let data = ics20::Transfer::from_payload(&packet.payloads[0]).unwrap();
            let arrived = acknowledgement.as_ref().is_some_and(|ack| !ack.is_universal_error());
            // Arrived at chain 1 it is a voucher, arrived at chain 0 it has left the escrow; otherwise it is in escrow.
            if !arrived {
                flying += data.amount.parse::<u128>().unwrap();
            }
        }
        assert_eq!(escrowed, vouchers + flying);
    }
}

#[test]
fn value_is_kept_whatever_happens() {
    for seed in 0..12 {
        let mut history = History { rig: Rig::new(), flights: Vec::new(), numbers: Numbers(seed) };
        for _ in 0..STEPS {
            match history.numbers.below(8) {
                0..=2 => history.send(),
                3 => {
                    let seconds = history.numbers.below(40);
                    history.rig.wait(seconds);
                }
                _ => history.relay(),
            }
            history.check();
        }
        assert!(!history.flights.is_empty(), "seed {seed} sent nothing");
    }
}
