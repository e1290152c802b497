//! One request of a channel at a time, for tests of what lies below the collector.

use catenary_protocol::attestation::{Address, Statement};
use catenary_protocol::Packet;

use super::judge::{judge, Expected};
use super::peer::{Ask, Failure, PeerClient};
use crate::attestor::exclusion::ExclusionCode;
use crate::attestor::service::CommitmentKind;
use crate::attestor::wire::Attestation;

fn words(failure: Failure) -> (ExclusionCode, String) {
    (failure.code, failure.detail)
}

/// The peer's head.
pub(in crate::attestor) async fn ask_head(peer: &PeerClient) -> Result<u64, (ExclusionCode, String)> {
    peer.latest_height().await.map_err(words)
}

/// Whether the peer attests packets.
pub(in crate::attestor) async fn ask_packets(
    peer: &PeerClient,
    height: u64,
    packets: &[Packet],
) -> Result<(), (ExclusionCode, String)> {
    let packets = packets.iter().map(Packet::abi_encode).collect();
    let ask = Ask::Packets { height, kind: CommitmentKind::Packet, packets };
    peer.attest(&ask).await.map(drop).map_err(words)
}

/// What becomes of an answer of `member`, where `data` at `height` is what we signed ourselves and `set` are all members.
pub(in crate::attestor) fn judged(
    statement: Statement,
    (height, data): (u64, &[u8]),
    (member, set): (&Address, &[Address]),
    answer: Option<Attestation>,
) -> Result<[u8; 65], ExclusionCode> {
    let expected = Expected { statement, height, data: data.to_vec(), set: set.to_vec() };
    judge(&expected, member, answer).map_err(|failure| failure.code)
}
