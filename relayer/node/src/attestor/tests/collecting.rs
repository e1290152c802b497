//! The collector among honest members: heights, chunks, outages, packets that cannot be proven.

use std::sync::Arc;
use std::time::Duration;

use catenary_protocol::attestation::{recover, signing_digest, Statement};
use catenary_protocol::{PacketAttestation, StateAttestation};

use super::rig::{client, collector, metrics, received, sent, series, Operator, Served, World, HEAD};
use crate::attestor::{CollectError, Collector, CommitmentKind, Deadlines, Facts, Member, Reach, Server};
use crate::telemetry::Metrics;

const PACKET: CommitmentKind = CommitmentKind::Packet;

/// This node and two members on loopback, with their heads.
struct Consortium {
    operators: [Operator; 3],
    served: Vec<Served>,
    members: Vec<Member>,
    metrics: Arc<Metrics>,
}

impl Consortium {
    async fn new(heads: [u64; 3]) -> Self {
        let world = World::new();
        let operators =
            [Operator::at(&world, 1, heads[0]), Operator::at(&world, 2, heads[1]), Operator::at(&world, 3, heads[2])];
        let served = vec![operators[1].serve().await, operators[2].serve().await];
        let members = vec![
            operators[0].member("own", Reach::Local(Arc::clone(&operators[0].attestor))),
            operators[1].member("two", Reach::Remote(served[0].client())),
            operators[2].member("three", Reach::Remote(served[1].client())),
        ];
        Self { operators, served, members, metrics: metrics() }
    }

    fn collector(&self, threshold: usize) -> Collector {
        collector(self.members.clone(), threshold, &self.metrics).unwrap()
    }

    fn available(&self) -> Option<f64> {
        series(&self.metrics, r#"catenary_attestor_members_available{path="evm-simd",side="evm"}"#)
    }
}

#[tokio::test]
async fn exactly_m_signatures_ours_first_over_one_ordered_list() {
    let consortium = Consortium::new([HEAD; 3]).await;
    for threshold in 1..=3 {
        let collector = consortium.collector(threshold);
        let kinds = [
            (PACKET, vec![sent(3), sent(1), sent(2), sent(9), sent(4)]),
            (CommitmentKind::Ack, vec![received(4), received(2), received(1), received(3), received(8)]),
            (CommitmentKind::Receipt, (20..25).map(received).collect()),
        ];
        for (kind, packets) in kinds {
            let collected = collector.collect(5, kind, &packets, 2).await.unwrap();
            assert_eq!((collected.height, collected.left_out, collected.refused), (5, vec![], vec![]));
            assert_eq!(StateAttestation::decode(&collected.state.data).unwrap().height, 5);
            assert_eq!(collected.state.signatures.len(), threshold);
            let lists: Vec<_> = collected.chunks.iter().map(|chunk| chunk.indexes.clone()).collect();
            assert_eq!(lists, [vec![0, 1], vec![2, 3], vec![4]]);
            for chunk in &collected.chunks {
                assert_eq!(chunk.proof.signatures.len(), threshold);
                let digest = signing_digest(Statement::Packets, &chunk.proof.data);
                let first = recover(&digest, &chunk.proof.signatures[0]).unwrap();
                assert_eq!(first, consortium.operators[0].attestor.address());
                let attestation = PacketAttestation::decode(&chunk.proof.data).unwrap();
                assert_eq!(attestation, chunk.own.attestation);
                assert_eq!((attestation.height, attestation.entries.len()), (5, chunk.indexes.len()));
            }
        }
    }
}

#[tokio::test]
async fn a_state_can_be_collected_alone() {
    let consortium = Consortium::new([HEAD; 3]).await;
    let collected = consortium.collector(2).collect(4, PACKET, &[], 8).await.unwrap();
    assert_eq!((collected.chunks.len(), collected.own_state.header.height), (0, 4));
}

/// Heads of this node and the others, the threshold, the least height, and what is agreed: a height or a code.
type HeightRow<'a> = ([u64; 3], usize, u64, Result<u64, &'a str>);

async fn check_heights(rows: &[HeightRow<'_>]) {
    for (heads, threshold, min_height, expect) in rows {
        let consortium = Consortium::new(*heads).await;
        let got = consortium.collector(*threshold).agree_height(*min_height).await;
        let got = got.as_ref().map(|height| *height).map_err(CollectError::code);
        assert_eq!(got, *expect, "{heads:?}, m = {threshold}, at least {min_height}");
    }
}

#[tokio::test]
async fn the_agreed_height_is_one_that_m_members_have_ours_included() {
    check_heights(&[
        ([6, 6, 6], 2, 1, Ok(6)),
        ([6, 5, 3], 2, 4, Ok(5)),
        ([6, 5, 3], 3, 1, Ok(3)),
        ([6, 5, 3], 3, 4, Err("ATT-201")),
        ([6, 3, 3], 2, 4, Err("ATT-201")),
        // We cannot sign above our own head, whatever the others have.
        ([4, 6, 6], 2, 3, Ok(4)),
        ([4, 6, 6], 2, 5, Err("ATT-201")),
        ([6, 1, 1], 1, 0, Ok(6)),
    ])
    .await;
}

#[tokio::test]
async fn members_whose_last_signature_failed_choose_the_height_only_when_they_are_needed() {
    let consortium = Consortium::new([4, HEAD, HEAD]).await;
    let collector = consortium.collector(2);
    for operator in &consortium.operators[1..] {
        operator.signer.remember(StateAttestation { height: 3, timestamp_seconds: 1 });
    }
    let error = collector.collect(3, PACKET, &[], 8).await.unwrap_err();
    assert!(error.to_string().contains("ATT-106"), "{error}");
    // Both are needed now, and both are ahead of us: the height is still one that we can sign.
    assert_eq!(collector.agree_height(2).await.unwrap(), 4);
    collector.collect(4, PACKET, &[sent(1)], 8).await.unwrap();
}

#[tokio::test]
async fn members_that_are_down_are_missed_only_when_too_few_are_left() {
    let mut consortium = Consortium::new([HEAD; 3]).await;
    let (two, three) = (consortium.collector(2), consortium.collector(3));
    assert_eq!((two.probe().await.have, consortium.available()), (3, Some(3.0)));

    let stopped = consortium.served.pop().unwrap();
    let address = stopped.address;
    stopped.stop().await;
    assert_eq!(two.agree_height(HEAD).await.unwrap(), HEAD);
    assert_eq!(two.collect(HEAD, PACKET, &[sent(1)], 8).await.unwrap().chunks.len(), 1);
    let error = three.agree_height(HEAD).await.unwrap_err();
    let CollectError::NotEnough { have: 2, need: 3, left_out } = &error else { panic!("{error}") };
    assert_eq!((left_out[0].member.as_str(), left_out[0].code.code()), ("three", "ATT-101"));
    let availability = three.probe().await;
    assert_eq!((availability.have, availability.need, availability.is_enough()), (2, 3, false));
    assert_eq!((availability.missing[0].0.as_str(), consortium.available()), ("three", Some(2.0)));
    assert_eq!(three.collect(HEAD, PACKET, &[sent(1)], 8).await.unwrap_err().code(), "ATT-202");

    let listen = crate::attestor::Listen { address, tls: None };
    let again = Server::bind(Arc::clone(&consortium.operators[2].attestor), listen).await.unwrap();
    let _served = Served::start(again);
    assert_eq!(three.agree_height(HEAD).await.unwrap(), HEAD);
    assert_eq!(three.collect(HEAD, PACKET, &[sent(1)], 8).await.unwrap().chunks.len(), 1);
    assert_eq!((three.probe().await.have, consortium.available()), (3, Some(3.0)));
}

#[tokio::test]
async fn a_silent_member_holds_nobody_up() {
    let mut consortium = Consortium::new([HEAD; 3]).await;
    consortium.operators[2].prover.close_gate();
    // Were it waited for, this test would not end.
    let for_ever = Duration::from_secs(24 * 3600);
    let silent =
        client(consortium.served[1].address).with_deadlines(Deadlines { attestation: for_ever, head: for_ever });
    consortium.members[2].reach = Reach::Remote(silent);
    let collector = consortium.collector(2);
    for height in 2..=HEAD {
        assert_eq!(collector.agree_height(height).await.unwrap(), HEAD);
        let collected = collector.collect(height, PACKET, &[sent(1), sent(2)], 1).await.unwrap();
        assert_eq!(collected.chunks.len(), 2);
    }
}

#[tokio::test]
async fn packets_that_we_cannot_prove_are_named_and_the_others_go_on() {
    let consortium = Consortium::new([HEAD; 3]).await;
    let packets = [sent(70), sent(1), sent(71), sent(2)];
    let collected = consortium.collector(2).collect(HEAD, PACKET, &packets, 4).await.unwrap();
    let refused: Vec<_> = collected.refused.iter().map(|packet| (packet.index, packet.own, packet.code)).collect();
    assert_eq!(refused, [(0, true, "NODE-PRV-003"), (2, true, "NODE-PRV-003")]);
    assert_eq!(collected.chunks[0].indexes, [1, 3]);
    let Facts::Packets(facts) = &collected.chunks[0].own.facts else { panic!() };
    let proven: Vec<_> = facts.iter().map(|fact| fact.packet().sequence).collect();
    assert_eq!(proven, [1, 2]);

    let none = consortium.collector(2).collect(HEAD, PACKET, &[sent(70)], 4).await.unwrap();
    assert_eq!((none.chunks.len(), none.refused.len()), (0, 1));
}

#[tokio::test]
async fn packets_that_a_needed_member_cannot_prove_are_left_out_of_the_next_round() {
    let consortium = Consortium::new([HEAD; 3]).await;
    consortium.operators[1].prover.unproven.lock().unwrap().push(3);
    consortium.operators[2].prover.unproven.lock().unwrap().push(5);
    let packets = [sent(2), sent(3), sent(4), sent(5)];
    let collected = consortium.collector(3).collect(HEAD, PACKET, &packets, 8).await.unwrap();
    assert_eq!(collected.chunks[0].indexes, [0, 2]);
    let mut refused: Vec<_> = collected
        .refused
        .iter()
        .map(|packet| (packet.index, packet.member.as_str(), packet.own, packet.code))
        .collect();
    refused.sort_unstable();
    assert_eq!(refused, [(1, "two", false, "ATT-105"), (3, "three", false, "ATT-105")]);
    // Where the third member is not needed, nothing is left out.
    consortium.operators[1].prover.unproven.lock().unwrap().clear();
    let collected = consortium.collector(2).collect(HEAD, PACKET, &packets, 8).await.unwrap();
    assert_eq!((collected.chunks[0].indexes.as_slice(), collected.refused.len()), ([0, 1, 2, 3].as_slice(), 0));
}

#[tokio::test]
async fn one_list_that_nobody_can_complete_does_not_hold_up_another() {
    let consortium = Consortium::new([HEAD; 3]).await;
    consortium.operators[1].prover.unproven.lock().unwrap().push(3);
    let packets = [sent(2), sent(3), sent(4)];
    let collected = consortium.collector(3).collect(HEAD, PACKET, &packets, 1).await.unwrap();
    let lists: Vec<_> = collected.chunks.iter().map(|chunk| chunk.indexes.clone()).collect();
    assert_eq!(lists, [vec![0], vec![2]]);
    let error = consortium.collector(3).collect(HEAD, PACKET, &[sent(3)], 1).await.unwrap_err();
    assert_eq!(error.code(), "ATT-202");
}

#[tokio::test]
async fn our_own_refusal_ends_it_before_anybody_is_asked() {
    let consortium = Consortium::new([5, HEAD, HEAD]).await;
    let error = consortium.collector(2).collect(HEAD, PACKET, &[sent(1)], 8).await.unwrap_err();
    assert!(matches!(&error, CollectError::Own { source } if source.code() == "ATT-008"), "{error}");
    consortium.operators[0].prover.advance(HEAD);
    consortium.collector(2).collect(HEAD, PACKET, &[sent(1)], 8).await.unwrap();
}

#[tokio::test]
async fn sets_that_make_no_sense_are_refused() {
    let consortium = Consortium::new([HEAD; 3]).await;
    let refuse = |change: &dyn Fn(&mut Vec<Member>), threshold: usize, words: &str| {
        let mut members = consortium.members.clone();
        change(&mut members);
        let error = collector(members, threshold, &consortium.metrics).unwrap_err();
        assert_eq!(error.code(), "ATT-205");
        assert!(error.to_string().contains(words), "{words} in {error}");
    };
    refuse(&|_| {}, 0, "0 signatures");
    refuse(&|_| {}, 4, "4 signatures of 3");
    refuse(&|members| members[2].id = "two".into(), 2, "named twice");
    refuse(&|members| members[2].address = members[1].address, 2, "address of another");
    refuse(&|members| drop(members.remove(0)), 2, "this node");
    refuse(&|members| members[1].reach = members[0].reach.clone(), 2, "this node");
    refuse(&|members| members[0].address = [7; 20], 2, "attestor key");
}
