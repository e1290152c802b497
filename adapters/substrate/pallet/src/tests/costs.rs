//! What calls cost, by client type: the weight that is charged covers the signatures that are checked. With
//! `--nocapture` the table of `README.md` is printed; its times are of this machine and decide nothing.

use std::time::{Duration, Instant};

use frame_support::dispatch::GetDispatchInfo;

use super::chain::{RuntimeOrigin, Test, RELAYER};
use super::{grandpa, native, tendermint};
use crate::{Call, Message};

/// Microseconds in wasm of recovering one secp256k1 signer, as `weights` assumes them.
const RECOVER_US: u64 = 300;
/// Microseconds in wasm of checking one ed25519 signature, as `weights` assumes them.
const ED25519_US: u64 = 150;
/// Picoseconds in a microsecond.
const PICOSECONDS: u64 = 1_000_000;

fn call_of(message: Message) -> Call<Test> {
    match message {
        Message::UpdateClient(message) => Call::update_client { message },
        Message::RecvPacket(message) => Call::recv_packet { message },
        Message::Acknowledge(message) => Call::acknowledgement { message },
        Message::Timeout(message) => Call::timeout { message },
    }
}

/// Checks the weight of a call against its signatures, and prints its row.
fn check(what: &str, message: Message, signatures_us: u64, run: impl FnOnce(Call<Test>)) {
    let bytes = message.bytes();
    let call = call_of(message);
    let weight_us = call.get_dispatch_info().call_weight.ref_time() / PICOSECONDS;
    let start = Instant::now();
    run(call);
    let took: Duration = start.elapsed();
    println!("| {what} | {bytes} | {weight_us} | {} |", took.as_micros());
    assert!(weight_us >= signatures_us, "{what}: {weight_us} µs are charged, the signatures take {signatures_us} µs");
}

fn quorum(of: u64) -> u64 {
    of * 2 / 3 + 1
}

#[test]
fn the_weight_of_an_update_covers_its_signatures() {
    println!("| call | bytes | charged, µs | native, µs |");
    let relayer = || RuntimeOrigin::signed(RELAYER);
    for validators in [4_usize, 7, 22, 100] {
        let mut rig = native::Rig::new(validators);
        let packet = rig.packet(1);
        rig.commit(&packet);
        let update = Message::UpdateClient(native::Rig::update_of(vec![rig.block()]));
        let signatures_us = quorum(validators as u64) * RECOVER_US;
        check(&format!("QBFT update, {validators}"), update, signatures_us, |c| rig.run(relayer(), c).unwrap());
        let received = Message::RecvPacket(rig.recv_of(&packet));
        check(&format!("QBFT recv, {validators}"), received, 0, |c| rig.run(relayer(), c).unwrap());
    }
    for validators in [4_usize, 50, 100] {
        let mut rig = tendermint::Rig::new(validators);
        let update = rig.update_of(tendermint::parts(&rig.chain, 2).signed_header);
        // Each signature is checked twice: by the chain's own set, and by the trusted one.
        let signatures_us = 2 * validators as u64 * ED25519_US;
        check(&format!("CometBFT update, {validators}"), update, signatures_us, |c| rig.run(relayer(), c).unwrap());
        let received = rig.recv_of(&tendermint::packet());
        check(&format!("CometBFT recv, {validators}"), received, 0, |c| rig.run(relayer(), c).unwrap());
    }
    for authorities in [4_u64, 60] {
        let mut rig = grandpa::Rig::new(authorities);
        let packet = rig.sent(1);
        let tip = rig.chain.tip().number;
        let update = grandpa::Rig::update_of(vec![rig.chain.spec(tip, tip, grandpa::ANCHOR + 1).encode()]);
        let signatures_us = authorities * ED25519_US;
        check(&format!("GRANDPA update, {authorities}"), update, signatures_us, |c| rig.run(relayer(), c).unwrap());
        let received = rig.recv_of(&packet);
        check(&format!("GRANDPA recv, {authorities}"), received, 0, |c| rig.run(relayer(), c).unwrap());
    }
}
