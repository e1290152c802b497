//! A thousand transfers through the devnet: sent in batches over the wire, committed, and every packet proven to the
//! light client.
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use catenary_adapter_cosmos::setup;
use catenary_api::{Broadcast, ChainSink, ChainSource, PacketEvent, TxBody};
use catenary_light_clients::LightClient;
use catenary_protocol::{StateAttestation, VerifiedPacket};

#[path = "cometbft/support.rs"]
mod support;
use support::*;

const TRANSFERS: usize = 1_000;
const A_TRANSACTION: usize = 25;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_transfers_are_committed_and_proven() {
    let mut rig = Rig::start(config()).await;
    let counterparty = Counterparty::new(vec![state(b"x".to_vec(), b"y".to_vec())]);
    rig.create_path(StateAttestation::of(&counterparty.header(1))).await;
    let user = User::new("user");
    let deadline = rig.adapter.head().await.unwrap().timestamp.seconds() + 3_600;
    let transfer = setup::Transfer {
        client_id: OURS.into(),
        denom: "stake".into(),
        amount: "3".into(),
        receiver: EVM_USER.into(),
        timeout_seconds: deadline,
        memo: String::new(),
    };
    let first = rig.devnet.height();
    let account = rig.adapter.account(&user.key).await.unwrap();
    for nonce in 0..(TRANSFERS / A_TRANSACTION) as u64 {
        let calls = vec![setup::transfer(&user.address, &transfer).unwrap(); A_TRANSACTION];
        let signed = rig.sign_as(&user, &TxBody::Call(calls), &account, nonce).await;
        assert_eq!(rig.adapter.broadcast(&signed).await, Broadcast::Accepted);
        if nonce % 10 == 9 {
            rig.devnet.mine(1).unwrap();
        }
    }
    let last = rig.devnet.height();
    let claims = rig.adapter.events(first + 1, last).await.unwrap();
    assert_eq!(claims.len(), TRANSFERS);
    assert_eq!(rig.adapter.next_sequence(OURS).await.unwrap(), Some(TRANSFERS as u64 + 1));
    let escrow = catenary_protocol::handler::escrow_account(OURS);
    let escrow = bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("cosmos").unwrap(), &escrow).unwrap();
    assert_eq!(rig.devnet.balance(&escrow, "stake").as_deref(), Some("3000"));

    rig.follow(last).await;
    let sent: Vec<_> = claims
        .into_iter()
        .map(|claim| match claim.event {
            PacketEvent::Sent(packet) => packet,
            other => panic!("only sent packets are expected: {other:?}"),
        })
        .collect();
    for packets in sent.chunks(50) {
        let paths: Vec<Vec<u8>> = packets.iter().map(|packet| packet.commitment_path().into_bytes()).collect();
        let proofs = rig.adapter.proofs(last, &paths).await.unwrap();
        for ((packet, path), claim) in packets.iter().zip(&paths).zip(proofs) {
            let fact = rig.client.membership(last, path, &claim.value.unwrap(), &claim.proof).unwrap();
            VerifiedPacket::new(packet.clone(), fact).unwrap();
        }
    }
}
