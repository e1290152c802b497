//! Transactions of the simulated chains: protobuf messages, a nonce, and a recoverable signature over both.

use catenary_api::plain::{BodyView, MessageView};
use catenary_api::TxHash;
use catenary_light_clients::crypto::{keccak256, secp256k1};
use catenary_light_clients::Hash32;
use catenary_protocol::{proto, Packet};
use prost::Message;

/// An account: the address of a key.
pub(crate) type Account = [u8; 20];

/// What a transaction does, in order, all or nothing.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Body {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) account: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) nonce: u64,
    #[prost(message, repeated, tag = "3")]
    pub(crate) messages: Vec<proto::Any>,
    #[prost(uint64, tag = "4")]
    pub(crate) price: u64,
}

/// A transaction whose signature holds.
#[derive(Clone, Debug)]
pub(crate) struct Tx {
    pub(crate) account: Account,
    pub(crate) nonce: u64,
    pub(crate) messages: Vec<proto::Any>,
    /// What it pays; blocks ask for more at times.
    pub(crate) price: u64,
    pub(crate) hash: TxHash,
}

/// The address of a compressed public key.
pub(crate) fn account_of(key: &[u8; 33]) -> Option<Account> {
    use k256::elliptic_curve::sec1::ToEncodedPoint;
    let point = k256::PublicKey::from_sec1_bytes(key).ok()?.to_encoded_point(false);
    let hash = keccak256(&[&point.as_bytes()[1..]]);
    hash.0[12..].try_into().ok()
}

/// An address as the chain writes it.
pub(crate) fn text(account: &Account) -> String {
    format!("0x{}", hex::encode(account))
}

/// What is signed.
pub(crate) fn digest(body: &[u8]) -> Hash32 {
    keccak256(&[b"simulated transaction", body])
}

/// The body with its signature behind it.
pub(crate) fn sign(body: &[u8], signature: &[u8; 65]) -> (Vec<u8>, TxHash) {
    let bytes = [body, signature].concat();
    let hash = TxHash(keccak256(&[&bytes]));
    (bytes, hash)
}

impl Tx {
    /// What it does, whoever pays how much for it: the same in all versions of one nonce.
    pub(crate) fn effect(&self) -> Hash32 {
        let encoded: Vec<Vec<u8>> = self.messages.iter().map(Message::encode_to_vec).collect();
        let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
        Hash32::sha256(&parts)
    }

    /// A transaction from its bytes, if its signature is its account's.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, signature) = bytes.split_at_checked(bytes.len().checked_sub(65)?)?;
        let signer = secp256k1::recover(digest(body).as_bytes(), signature.try_into().ok()?).ok()?;
        let Body { account, nonce, messages, price } = Body::decode(body).ok()?;
        let account: Account = account.try_into().ok()?;
        (signer.0 == account).then(|| Self { account, nonce, messages, price, hash: TxHash(keccak256(&[bytes])) })
    }
}

fn any(type_url: &str, message: &impl Message) -> proto::Any {
    proto::Any { type_url: type_url.into(), value: message.encode_to_vec() }
}

fn at(height: u64) -> Option<proto::Height> {
    Some(proto::Height { revision_number: 0, revision_height: height })
}

/// The messages of a body, signed by `signer`.
pub(crate) fn messages(body: &BodyView<'_>, signer: &str) -> Vec<proto::Any> {
    let BodyView::Deliver(messages) = body else { return Vec::new() };
    messages.iter().map(|message| encode(message, signer)).collect()
}

/// One message.
pub(crate) fn encode(message: &MessageView<'_>, signer: &str) -> proto::Any {
    let signer = signer.to_owned();
    match message {
        MessageView::UpdateClient { client_id, proof } => {
            let client_message =
                Some(proto::Any { type_url: proto::ATTESTATION_PROOF.into(), value: proof.proto_encode() });
            let message = proto::MsgUpdateClient { client_id: (*client_id).to_owned(), client_message, signer };
            any(proto::MSG_UPDATE_CLIENT, &message)
        }
        MessageView::Recv { packet, proof, proof_height } => {
            let (packet, proof_commitment) = (Some((*packet).into()), proof.proto_encode());
            let message = proto::MsgRecvPacket { packet, proof_commitment, proof_height: at(*proof_height), signer };
            any(proto::MSG_RECV_PACKET, &message)
        }
        MessageView::Ack { packet, acknowledgement, proof, proof_height } => {
            let app_acknowledgements = acknowledgement.app_acknowledgements.clone();
            let message = proto::MsgAcknowledgement {
                packet: Some((*packet).into()),
                acknowledgement: Some(proto::Acknowledgement { app_acknowledgements }),
                proof_acked: proof.proto_encode(),
                proof_height: at(*proof_height),
                signer,
            };
            any(proto::MSG_ACKNOWLEDGEMENT, &message)
        }
        MessageView::Timeout { packet, proof, proof_height } => {
            let (packet, proof_unreceived) = (Some((*packet).into()), proof.proto_encode());
            let message = proto::MsgTimeout { packet, proof_unreceived, proof_height: at(*proof_height), signer };
            any(proto::MSG_TIMEOUT, &message)
        }
        // All paths here are attested; the handler refuses what has no type.
        MessageView::Native(_) => proto::Any::default(),
    }
}

/// A relayed message as the chain reads it.
pub(crate) enum Relayed {
    /// An attestation of a state.
    Update(Vec<u8>),
    /// A delivery, proven at this height.
    Recv(Packet, u64),
    /// An acknowledgement, its commitment, proven at this height.
    Ack(Packet, Hash32, u64),
    /// A timeout, proven at this height.
    Timeout(Packet, u64),
}

/// Reads a message that [`encode`] made.
pub(crate) fn read(any: &proto::Any) -> Option<Relayed> {
    let height = |height: Option<proto::Height>| height.map_or(0, |height| height.revision_height);
    match any.type_url.as_str() {
        proto::MSG_UPDATE_CLIENT => {
            let message = proto::MsgUpdateClient::decode(any.value.as_slice()).ok()?;
            let proof = proto::AttestationProof::decode(message.client_message?.value.as_slice()).ok()?;
            Some(Relayed::Update(proof.attestation_data))
        }
        proto::MSG_RECV_PACKET => {
            let message = proto::MsgRecvPacket::decode(any.value.as_slice()).ok()?;
            Some(Relayed::Recv(message.packet?.into(), height(message.proof_height)))
        }
        proto::MSG_ACKNOWLEDGEMENT => {
            let message = proto::MsgAcknowledgement::decode(any.value.as_slice()).ok()?;
            let app_acknowledgements = message.acknowledgement?.app_acknowledgements;
            let ack = catenary_protocol::Acknowledgement { app_acknowledgements };
            Some(Relayed::Ack(message.packet?.into(), ack.commitment(), height(message.proof_height)))
        }
        proto::MSG_TIMEOUT => {
            let message = proto::MsgTimeout::decode(any.value.as_slice()).ok()?;
            Some(Relayed::Timeout(message.packet?.into(), height(message.proof_height)))
        }
        _ => None,
    }
}

/// The same message by another signer.
pub(crate) fn signed_by(any: &proto::Any, signer: &str) -> Option<proto::Any> {
    fn with<M: Message + Default>(any: &proto::Any, set: impl FnOnce(&mut M)) -> Option<proto::Any> {
        let mut message = M::decode(any.value.as_slice()).ok()?;
        set(&mut message);
        Some(proto::Any { type_url: any.type_url.clone(), value: message.encode_to_vec() })
    }
    let signer = signer.to_owned();
    match any.type_url.as_str() {
        proto::MSG_UPDATE_CLIENT => with(any, |m: &mut proto::MsgUpdateClient| m.signer = signer),
        proto::MSG_RECV_PACKET => with(any, |m: &mut proto::MsgRecvPacket| m.signer = signer),
        proto::MSG_ACKNOWLEDGEMENT => with(any, |m: &mut proto::MsgAcknowledgement| m.signer = signer),
        proto::MSG_TIMEOUT => with(any, |m: &mut proto::MsgTimeout| m.signer = signer),
        _ => None,
    }
}
