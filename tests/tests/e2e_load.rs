//! Many transfers on the real nodes, and under stress: members that are killed, attestors that are missing, crashes at
//! the worst moments. Every packet ends once, counted from the chains. One consortium walks all the steps.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use catenary_tests::consortium::{stranger, Asset, Consortium, ConsortiumOptions, Deliveries, End, Kind, Order, PATH};
use catenary_tests::localnet::wait_until;

/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(300);
/// Transfers of each direction in the load step.
const EACH_WAY: usize = 150;
/// Destination blocks before the next in turn sends, as by default.
const TURN_BLOCKS: u64 = 6;
/// Blocks after its turn within which the next member delivers.
const LATE_BLOCKS: u64 = 2;
/// Transfers sent after the leader was killed, one after the other: the machine of this test runs both networks and
/// all members on the cores that CI has, so the bound holds for most of them.
const LATE_TRIES: usize = 5;

/// Transfers that a stranger may lose the race for.
const STRANGER_TRIES: usize = 8;
/// Far below what a loop of retries would reach.
const RETRIES_MAX: f64 = 100.0;

/// Sends in both directions at once and gives the packets.
fn both_ways(consortium: &Consortium, each: usize) -> Vec<String> {
    let orders = vec![Order::of(3); each];
    let evm = consortium.broadcast(Asset::Erc20, &orders).unwrap();
    let cosmos = consortium.broadcast(Asset::Native, &orders).unwrap();
    let mut keys = consortium.included(evm).unwrap();
    keys.extend(consortium.included(cosmos).unwrap());
    keys
}

/// Waits until all have ended, and that the chains show one delivery and one acknowledgement of each.
fn acknowledged_once(consortium: &mut Consortium, step: &str, keys: &[String]) {
    let start = Instant::now();
    let stages = consortium.wait_ended(keys, DEADLINE).unwrap();
    assert!(stages.iter().all(|stage| stage == "acknowledged"), "{step}: {stages:?}");
    let passages = consortium.passages().unwrap();
    for key in keys {
        let passage = &passages[key];
        let taken: Vec<bool> = passage.received.iter().map(|(_, taken)| *taken).collect();
        let ends: Vec<End> = passage.ended.iter().map(|(_, end)| *end).collect();
        assert_eq!((taken, ends), (vec![true], vec![End::Acknowledged]), "{step}: {key}");
    }
    consortium.conserved().unwrap_or_else(|error| panic!("{step}: {error}"));
    eprintln!("{step}: {} packets acknowledged once each, {} s", keys.len(), start.elapsed().as_secs());
}

#[test]
fn many_transfers_and_every_packet_ends_once_whatever_dies() {
    if !catenary_tests::localnet::nodes_are_here("e2e_load::many_transfers_and_every_packet_ends_once_whatever_dies") {
        return;
    }
    let options = ConsortiumOptions { turn_delay_blocks: Some(TURN_BLOCKS), ..ConsortiumOptions::default() };
    let mut consortium = Consortium::start(&options).unwrap();
    load(&mut consortium);
    leader_killed(&mut consortium);
    delivered_by_a_stranger(&mut consortium);
    attestors_missing(&mut consortium);
    killed_mid_traffic(&mut consortium);
    for failpoint in ["journaled", "broadcast"] {
        crash_at(&mut consortium, failpoint);
    }
    for operator in &consortium.operators {
        let parked = operator.metric("catenary_packets_in_stage", &[("stage", "parked")]).unwrap();
        assert_eq!(parked, 0.0, "{}", operator.id);
    }
}

/// 300 transfers in both directions at once.
fn load(consortium: &mut Consortium) {
    let keys = both_ways(consortium, EACH_WAY);
    acknowledged_once(consortium, "load", &keys);
    let deliveries = consortium.deliveries().unwrap();
    let (messages, redundant) = (deliveries.messages(), deliveries.redundant());
    eprintln!("{messages} messages in {} transactions, {redundant} redundant", deliveries.0.len());
    eprintln!("by signer: {:?}", deliveries.by_signer());
    describe(&deliveries);
    assert!(redundant * 100 <= messages, "{redundant} of {messages} deliveries are redundant, 1 % is allowed");
    assert!(deliveries.by_signer().len() >= 4, "the members take turns: {:?}", deliveries.by_signer());
    let batches = deliveries.0.iter().filter(|delivery| delivery.messages.len() > 1).count();
    assert!(batches > 0, "batches are used");
}

/// What deliveries cost, by chain and kind.
fn describe(deliveries: &Deliveries) {
    for chain in catenary_tests::consortium::CHAINS {
        for kind in [Kind::Recv, Kind::Ack] {
            let of =
                deliveries.0.iter().filter(|d| d.chain == chain && d.messages.first().is_some_and(|m| m.0 == kind));
            let (mut txs, mut messages, mut gas, mut bytes) = (0, 0, 0, 0);
            for delivery in of {
                txs += 1;
                messages += delivery.messages.len();
                gas += delivery.gas_used;
                bytes += delivery.bytes;
            }
            let per = messages.max(1);
            eprintln!(
                "{chain} {kind:?}: {messages} messages in {txs} transactions, {} gas and {} bytes a packet",
                gas / per as u64,
                bytes / per
            );
        }
    }
}

/// Kills whoever delivers now; the next in turn delivers within its turn and [`LATE_BLOCKS`]. The turn begins where the
/// member that delivers saw the packet ready, at a height that it had verified; the delivery's height is the chain's.
fn leader_killed(consortium: &mut Consortium) {
    let deliveries = consortium.deliveries().unwrap();
    let receives = deliveries.0.iter().filter(|d| d.chain == "quorum" && d.messages[0].0 == Kind::Recv);
    let last = receives.max_by_key(|d| d.messages.iter().map(|message| message.1).max()).unwrap();
    let leader = consortium.member_of_signer(&last.signer).unwrap();
    consortium.operators[leader].kill();
    let mut waited: Vec<u64> = (0..LATE_TRIES).map(|_| blocks_waited(consortium)).collect();
    consortium.operators[leader].restart(DEADLINE).unwrap();
    waited.sort_unstable();
    eprintln!("leader killed: delivered {waited:?} blocks after ready, of which the turn is {TURN_BLOCKS}");
    let usual = waited[LATE_TRIES / 2];
    assert!(usual <= TURN_BLOCKS + LATE_BLOCKS, "{waited:?} blocks, {TURN_BLOCKS} + {LATE_BLOCKS} allowed");
    assert!(waited[LATE_TRIES - 1] >= TURN_BLOCKS, "neighbouring sequences have the same leader: {waited:?}");
}

/// Blocks of the destination from ready to delivered, for one transfer to the EVM chain.
fn blocks_waited(consortium: &mut Consortium) -> u64 {
    let key = consortium.send(Asset::Native, Order::of(2)).unwrap();
    acknowledged_once(consortium, "leader killed", std::slice::from_ref(&key));
    let passages = consortium.passages().unwrap();
    let (passage, received) = (&passages[&key], passages[&key].received[0].0.clone());
    let deliveries = consortium.deliveries().unwrap();
    let tx = deliveries.0.iter().find(|d| d.chain == "quorum" && d.height == received.height).unwrap();
    let member = consortium.member_of_signer(&tx.signer).unwrap();
    let ready = consortium.operators[member].ready_height("quorum", passage.packet.sequence).unwrap();
    let ready = ready.unwrap_or_else(|| panic!("the log of {} lacks {key}", consortium.operators[member].id));
    received.height.saturating_sub(ready)
}

/// A stranger delivers first, with a key that is no member's: counted as done by another, without a storm of retries.
fn delivered_by_a_stranger(consortium: &mut Consortium) {
    let last_recv = |d: &&catenary_tests::consortium::Delivery| d.chain == "simd" && d.messages[0].0 == Kind::Recv;
    let deliveries = consortium.deliveries().unwrap();
    let last = deliveries.0.iter().rev().find(last_recv).unwrap();
    let leader = consortium.member_of_signer(&last.signer).unwrap();
    // With its leader away the others wait their turn, which leaves the stranger the time to come first.
    consortium.operators[leader].kill();
    let others = [(leader + 1) % 3, (leader + 2) % 3];
    let retries = |consortium: &Consortium, other: usize| {
        consortium.operators[other].metric("catenary_retries_total", &[("path", PATH)]).unwrap()
    };
    let before = others.map(|other| retries(consortium, other));
    let mut first = 0;
    let mut keys = Vec::new();
    while first == 0 {
        assert!(keys.len() < STRANGER_TRIES, "the stranger never came first in {STRANGER_TRIES} transfers");
        let key = consortium.send(Asset::Erc20, Order::of(3)).unwrap();
        let accepted = consortium.deliver_as_stranger(&key, others).unwrap();
        eprintln!("a stranger's delivery of {key}: accepted {accepted}");
        let seen = consortium.deliveries().unwrap().by_signer();
        first = seen.get(&stranger().cosmos_address).copied().unwrap_or_default();
        keys.push(key);
    }
    acknowledged_once(consortium, "delivered by a stranger", &keys);
    for (other, before) in others.into_iter().zip(before) {
        let retries = retries(consortium, other) - before;
        eprintln!("retries of {}: {retries}", consortium.operators[other].id);
        assert!(retries < RETRIES_MAX, "{retries} retries");
    }
    consortium.operators[leader].restart(DEADLINE).unwrap();
}

/// One of three attestors missing: it goes on. Two missing: it waits and says why. One returns: it goes on.
fn attestors_missing(consortium: &mut Consortium) {
    consortium.operators[2].kill();
    let keys = both_ways(consortium, 2);
    acknowledged_once(consortium, "one attestor missing", &keys);

    consortium.operators[1].kill();
    let keys = both_ways(consortium, 2);
    let alpha = &consortium.operators[0];
    let waits = || {
        let ready = alpha.ready(Some(PATH))?;
        let available = alpha.metric("catenary_attestor_members_available", &[("path", PATH)])?;
        let says_why = ready.text.contains("beta") && ready.text.contains("gamma");
        Ok((!ready.ready && says_why && available < 4.0).then_some(ready))
    };
    let ready = wait_until("that alpha says why it waits", DEADLINE, waits).unwrap();
    eprintln!("two attestors missing: {}", ready.text);
    let open = |packets: Vec<serde_json::Value>| {
        keys.iter().all(|key| packets.iter().all(|p| p["key"] != key.as_str() || p["stage"] == "sent"))
    };
    assert!(open(alpha.packets().unwrap()), "nothing is delivered on one signature of two");
    consortium.operators[1].restart(DEADLINE).unwrap();
    acknowledged_once(consortium, "one attestor back", &keys);
    consortium.operators[2].restart(DEADLINE).unwrap();
}

/// Each member in turn is killed while transfers are under way, and started again.
fn killed_mid_traffic(consortium: &mut Consortium) {
    let mut keys = Vec::new();
    for member in 0..consortium.operators.len() {
        keys.extend(both_ways(consortium, 8));
        consortium.operators[member].kill();
        keys.extend(both_ways(consortium, 2));
        consortium.operators[member].restart(DEADLINE).unwrap();
    }
    acknowledged_once(consortium, "killed mid-traffic", &keys);
}

/// Gamma is down, and alpha aborts at the failpoint when it has to send: after a start without it every packet ends.
fn crash_at(consortium: &mut Consortium, failpoint: &str) {
    consortium.operators[2].kill();
    consortium.operators[0].kill();
    consortium.operators[0].start(Some(failpoint)).unwrap();
    consortium.operators[0].wait_ready(DEADLINE).unwrap();
    let mut keys = Vec::new();
    // Beta attests and may lead as well: transfers are sent until alpha had to send one.
    let end = Instant::now() + DEADLINE;
    while consortium.operators[0].check().is_ok() {
        assert!(Instant::now() < end, "alpha never reached the failpoint {failpoint}");
        keys.extend(both_ways(consortium, 1));
    }
    consortium.operators[0].wait_dead(DEADLINE).unwrap();
    consortium.operators[0].restart(DEADLINE).unwrap();
    acknowledged_once(consortium, &format!("crash at {failpoint}"), &keys);
    consortium.operators[2].restart(DEADLINE).unwrap();
}
