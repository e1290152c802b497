//! A relayer who is no member: asks two members for their signatures and delivers a packet with a key of its own.

use catenary_api::{Call, TxBody};
use catenary_protocol::proto::{
    Any, AttestationProof, Height, MsgRecvPacket, MsgUpdateClient, Packet as ProtoPacket, ATTESTATION_PROOF,
};
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::ProstCodec;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

use super::moves::{one_by_one, outcome};
use super::{chain_error, Consortium};
use crate::localnet::{wait_until, Account, LocalnetError};

/// How long the members may take to see the packet, in seconds.
const SEEN_SECONDS: u64 = 60;

#[derive(Clone, PartialEq, Message)]
struct HeightRequest {
    #[prost(uint64, tag = "1")]
    height: u64,
}

#[derive(Clone, PartialEq, Message)]
struct PacketsRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    packets: Vec<Vec<u8>>,
    #[prost(uint64, tag = "2")]
    height: u64,
    #[prost(int32, tag = "3")]
    commitment_type: i32,
}

#[derive(Clone, PartialEq, Message)]
struct LatestHeight {
    #[prost(uint64, tag = "1")]
    height: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Attested {
    #[prost(message, optional, tag = "1")]
    attestation: Option<Attestation>,
}

#[derive(Clone, PartialEq, Message)]
struct Attestation {
    #[prost(uint64, tag = "1")]
    height: u64,
    #[prost(uint64, optional, tag = "2")]
    timestamp: Option<u64>,
    #[prost(bytes = "vec", tag = "3")]
    attested_data: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    signature: Vec<u8>,
}

impl Consortium {
    /// Delivers a packet from the EVM chain with the stranger's key and the signatures of two members; false when a
    /// member was faster.
    ///
    /// # Errors
    /// When the members do not sign, or the chain refuses it.
    pub fn deliver_as_stranger(&mut self, key: &str, members: [usize; 2]) -> Result<bool, LocalnetError> {
        let passage = self.passages()?.remove(key).ok_or_else(|| LocalnetError::answer("a packet", key))?;
        let sent = passage.sent.ok_or_else(|| LocalnetError::answer("a packet that was sent", key))?;
        let ports = members.map(|member| self.shared.ports[member].attestors[0]);
        let deadline = std::time::Duration::from_secs(SEEN_SECONDS);
        let height = wait_until("the members' view of the packet", deadline, || {
            let heads = ports.map(|port| self.runtime.block_on(latest(port)));
            let [Ok(a), Ok(b)] = heads else { return Ok(None) };
            Ok(Some(a.min(b)).filter(|height| *height >= sent.height))
        })?;
        let packet = passage.packet;
        let stranger = stranger();
        let calls = self.runtime.block_on(async {
            let state: HeightRequest = HeightRequest { height };
            let state = signed(ports, "StateAttestation", &state).await?;
            let packets = PacketsRequest { packets: vec![packet.abi_encode()], height, commitment_type: 0 };
            let packets = signed(ports, "PacketAttestation", &packets).await?;
            let update = MsgUpdateClient {
                client_id: self.clients.cosmos.clone(),
                client_message: Some(Any { type_url: ATTESTATION_PROOF.to_owned(), value: state }),
                signer: stranger.cosmos_address.clone(),
            };
            let recv = MsgRecvPacket {
                packet: Some(ProtoPacket::decode(packet.proto_encode().as_slice()).map_err(chain_error)?),
                proof_commitment: packets,
                proof_height: Some(Height { revision_number: 0, revision_height: height }),
                signer: stranger.cosmos_address.clone(),
            };
            let call = |type_url: &str, data: Vec<u8>| Call {
                to: None,
                type_url: type_url.to_owned(),
                data,
                summary: "a stranger's delivery".to_owned(),
            };
            Ok::<_, LocalnetError>(vec![
                call("/ibc.core.client.v1.MsgUpdateClient", update.encode_to_vec()),
                call("/ibc.core.channel.v2.MsgRecvPacket", recv.encode_to_vec()),
            ])
        })?;
        let delivered = self.runtime.block_on(async {
            let sent = one_by_one(&self.cosmos, &stranger, vec![TxBody::Call(calls)]).await?;
            let last = sent.last().ok_or_else(|| LocalnetError::answer("a stranger's delivery", "nothing was sent"))?;
            outcome(&self.cosmos, last).await
        });
        match delivered {
            Ok(_) => Ok(true),
            // The chain refuses a transaction of which every message is done.
            Err(LocalnetError::Answer { answer, .. }) if answer.to_lowercase().contains("redundant") => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The stranger's account.
#[must_use]
pub fn stranger() -> Account {
    Account::named("user-3")
}

async fn ask<Q, A>(port: u16, method: &str, request: Q) -> Result<A, LocalnetError>
where
    Q: Message + Send + Sync + 'static,
    A: Message + Default + Send + Sync + 'static,
{
    let url = format!("http://127.0.0.1:{port}");
    let channel: Channel = Endpoint::from_shared(url).map_err(chain_error)?.connect().await.map_err(chain_error)?;
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(chain_error)?;
    let path = format!("/ibc_attestor.AttestationService/{method}");
    let path = PathAndQuery::try_from(path).map_err(chain_error)?;
    let answer = client.unary(tonic::Request::new(request), path, ProstCodec::<Q, A>::default()).await;
    Ok(answer.map_err(chain_error)?.into_inner())
}

async fn latest(port: u16) -> Result<u64, LocalnetError> {
    let answer: LatestHeight = ask(port, "LatestHeight", HeightRequest::default()).await?;
    Ok(answer.height)
}

/// Both members' signatures over the same bytes, as the on-chain client takes them.
async fn signed<Q>(ports: [u16; 2], method: &str, request: &Q) -> Result<Vec<u8>, LocalnetError>
where
    Q: Message + Clone + Send + Sync + 'static,
{
    let mut proof = AttestationProof::default();
    for port in ports {
        let answer: Attested = ask(port, method, request.clone()).await?;
        let attestation = answer.attestation.ok_or_else(|| LocalnetError::answer(method, "no attestation"))?;
        proof.attestation_data = attestation.attested_data;
        proof.signatures.push(attestation.signature);
    }
    Ok(proof.encode_to_vec())
}
