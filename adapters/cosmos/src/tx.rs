//! Transactions: messages in, SIGN_MODE_DIRECT bytes out.
//!
//! The unsigned form is the protobuf `SignDoc`; its SHA-256 is what is signed, and the transaction is cut out of it
//! again when the signature comes. The signature is `r‖s` with low s, as the chain demands.

use catenary_api::{Message, NativeView, ProofHeight, PublicKey, SignedTx, TxBody, TxHash, UnsignedTx};
use catenary_light_clients::Hash32;
use catenary_protocol::proto::{
    self, MsgAcknowledgement, MsgRecvPacket, MsgTimeout, MsgUpdateClient, ATTESTATION_PROOF,
};
use catenary_protocol::{Acknowledgement, AttestationProof, Packet};
use cosmos_sdk_proto::cosmos::base::v1beta1::Coin;
use cosmos_sdk_proto::cosmos::crypto::secp256k1::PubKey;
use cosmos_sdk_proto::cosmos::tx::signing::v1beta1::SignMode;
use cosmos_sdk_proto::cosmos::tx::v1beta1::{
    self as tx, mode_info, AuthInfo, Fee, ModeInfo, SignDoc, SignerInfo, TxRaw,
};
use cosmos_sdk_proto::Any;
use prost::Message as _;

use crate::config::{CosmosConfig, GasPrice};
use crate::error::{shorten, Error, Result};

/// Type URL of a public key (cosmos-sdk `crypto/keys/secp256k1`).
const PUBLIC_KEY: &str = "/cosmos.crypto.secp256k1.PubKey";
const UPDATE_CLIENT: &str = "/ibc.core.client.v1.MsgUpdateClient";
const RECV_PACKET: &str = "/ibc.core.channel.v2.MsgRecvPacket";
const ACKNOWLEDGEMENT: &str = "/ibc.core.channel.v2.MsgAcknowledgement";
const TIMEOUT: &str = "/ibc.core.channel.v2.MsgTimeout";
/// Characters of an address after its prefix: separator, 20 bytes in base 32, checksum (BIP 173).
const ADDRESS_CHARS_AFTER_PREFIX: usize = 1 + 32 + 6;

/// Attestation clients have revision 0, whatever the counterparty's chain id.
const fn proof_height(height: u64) -> Option<proto::Height> {
    Some(proto::Height { revision_number: 0, revision_height: height })
}

fn any(type_url: &str, message: &impl prost::Message) -> Any {
    Any { type_url: type_url.to_owned(), value: message.encode_to_vec() }
}

fn update_client(client_id: &str, proof: &AttestationProof, signer: &str) -> Any {
    let message = proto::Any { type_url: ATTESTATION_PROOF.to_owned(), value: proof.proto_encode() };
    let client_message = Some(message);
    let message = MsgUpdateClient { client_id: client_id.to_owned(), client_message, signer: signer.to_owned() };
    any(UPDATE_CLIENT, &message)
}

fn recv_packet(packet: &Packet, proof: &AttestationProof, height: u64, signer: &str) -> Any {
    let message = MsgRecvPacket {
        packet: Some(packet.into()),
        proof_commitment: proof.proto_encode(),
        proof_height: proof_height(height),
        signer: signer.to_owned(),
    };
    any(RECV_PACKET, &message)
}

fn acknowledge(
    packet: &Packet,
    acknowledgement: &Acknowledgement,
    proof: &AttestationProof,
    height: u64,
    signer: &str,
) -> Any {
    let app_acknowledgements = acknowledgement.app_acknowledgements.clone();
    let message = MsgAcknowledgement {
        packet: Some(packet.into()),
        acknowledgement: Some(proto::Acknowledgement { app_acknowledgements }),
        proof_acked: proof.proto_encode(),
        proof_height: proof_height(height),
        signer: signer.to_owned(),
    };
    any(ACKNOWLEDGEMENT, &message)
}

fn timeout(packet: &Packet, proof: &AttestationProof, height: u64, signer: &str) -> Any {
    let message = MsgTimeout {
        packet: Some(packet.into()),
        proof_unreceived: proof.proto_encode(),
        proof_height: proof_height(height),
        signer: signer.to_owned(),
    };
    any(TIMEOUT, &message)
}

/// A delivery to a client that judges by the chain's own validators.
fn native(message: NativeView<'_>, signer: &str) -> Any {
    let at = |at: ProofHeight| Some(proto::Height { revision_number: at.revision, revision_height: at.height });
    let signer = signer.to_owned();
    match message {
        NativeView::UpdateClient { client_id, message } => {
            let client_message = Some(proto::Any { type_url: message.type_url.clone(), value: message.value.clone() });
            any(UPDATE_CLIENT, &MsgUpdateClient { client_id: client_id.to_owned(), client_message, signer })
        }
        NativeView::Recv { packet, proof, proof_height } => {
            let (packet, proof_commitment, proof_height) = (Some(packet.into()), proof.to_vec(), at(proof_height));
            any(RECV_PACKET, &MsgRecvPacket { packet, proof_commitment, proof_height, signer })
        }
        NativeView::Ack { packet, acknowledgement, proof, proof_height } => {
            let app_acknowledgements = acknowledgement.app_acknowledgements.clone();
            let message = MsgAcknowledgement {
                packet: Some(packet.into()),
                acknowledgement: Some(proto::Acknowledgement { app_acknowledgements }),
                proof_acked: proof.to_vec(),
                proof_height: at(proof_height),
                signer,
            };
            any(ACKNOWLEDGEMENT, &message)
        }
        NativeView::Timeout { packet, proof, proof_height } => {
            let (packet, proof_unreceived, proof_height) = (Some(packet.into()), proof.to_vec(), at(proof_height));
            any(TIMEOUT, &MsgTimeout { packet, proof_unreceived, proof_height, signer })
        }
    }
}

/// A delivery as the chain takes it.
pub(crate) fn message(message: &Message, signer: &str) -> Any {
    match message {
        Message::UpdateClient { client_id, proof } => update_client(client_id, proof, signer),
        Message::Recv { packet, proof, proof_height } => recv_packet(packet.packet(), proof, *proof_height, signer),
        Message::Ack { ack, proof, proof_height } => {
            acknowledge(ack.packet(), ack.acknowledgement(), proof, *proof_height, signer)
        }
        Message::Timeout { timeout: fact, proof, proof_height } => timeout(fact.packet(), proof, *proof_height, signer),
        Message::Native(message) => native(message.view(), signer),
    }
}

/// Bytes that a message takes in a transaction, tag and length included.
pub(crate) fn message_bytes(config: &CosmosConfig, delivery: &Message) -> usize {
    let address_chars = config.address_prefix.len().saturating_add(ADDRESS_CHARS_AFTER_PREFIX);
    let body = tx::TxBody { messages: vec![message(delivery, &"a".repeat(address_chars))], ..tx::TxBody::default() };
    body.encoded_len()
}

/// The messages of a body.
pub(crate) fn messages(body: &TxBody, signer: &str) -> Vec<Any> {
    match body {
        TxBody::Deliver(deliveries) => deliveries.iter().map(|delivery| message(delivery, signer)).collect(),
        TxBody::Call(calls) => {
            calls.iter().map(|call| Any { type_url: call.type_url.clone(), value: call.data.clone() }).collect()
        }
    }
}

/// Who signs, as the chain counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signing<'a> {
    pub(crate) public_key: &'a PublicKey,
    pub(crate) account_number: u64,
    pub(crate) sequence: u64,
}

/// The encoded body of a transaction.
pub(crate) fn body_bytes(messages: Vec<Any>) -> Vec<u8> {
    tx::TxBody { messages, ..tx::TxBody::default() }.encode_to_vec()
}

/// The encoded signer and fee of a transaction.
pub(crate) fn auth_info_bytes(signing: Signing<'_>, gas_limit: u64, fee: Vec<Coin>) -> Vec<u8> {
    let key = PubKey { key: signing.public_key.0.to_vec() };
    let single = mode_info::Single { mode: SignMode::Direct.into() };
    let signer = SignerInfo {
        public_key: Some(any(PUBLIC_KEY, &key)),
        mode_info: Some(ModeInfo { sum: Some(mode_info::Sum::Single(single)) }),
        sequence: signing.sequence,
    };
    let fee = Fee { amount: fee, gas_limit, ..Fee::default() };
    AuthInfo { signer_infos: vec![signer], fee: Some(fee), ..AuthInfo::default() }.encode_to_vec()
}

/// A transaction whose signature is all zero, as simulation takes it. It carries no fee, so that the simulation
/// does not fail for money that the real limit will not cost.
pub(crate) fn simulation(body: Vec<u8>, signing: Signing<'_>, gas_limit: u64) -> Vec<u8> {
    let auth_info_bytes = auth_info_bytes(signing, gas_limit, Vec::new());
    TxRaw { body_bytes: body, auth_info_bytes, signatures: vec![vec![0; 64]] }.encode_to_vec()
}

/// The gas limit for simulated gas.
pub(crate) fn gas_limit(config: &CosmosConfig, simulated: u64) -> Result<u64> {
    let max = config.gas_max;
    if simulated > max {
        return Err(Error::TxGas { chain: config.name.clone(), got: simulated, max });
    }
    let scaled = u128::from(simulated).saturating_mul(u128::from(config.gas_multiplier_percent)) / 100;
    Ok(u64::try_from(scaled).unwrap_or(u64::MAX).min(max))
}

/// The fee for a gas limit: nothing where gas is free.
pub(crate) fn fee(config: &CosmosConfig, gas_limit: u64) -> Result<Vec<Coin>> {
    let amount = GasPrice::parse(&config.gas_price).and_then(|price| price.fee(gas_limit)).ok_or_else(|| {
        let (chain, reason) = (config.name.clone(), format!("{:?} × {gas_limit} gas", config.gas_price));
        Error::Config { chain, field: "gas_price", reason }
    })?;
    if amount == 0 {
        return Ok(Vec::new());
    }
    Ok(vec![Coin { denom: config.fee_denom.clone(), amount: amount.to_string() }])
}

/// The transaction to sign.
pub(crate) fn unsigned(
    config: &CosmosConfig,
    body: Vec<u8>,
    signing: Signing<'_>,
    gas_limit: u64,
) -> Result<UnsignedTx> {
    let auth_info_bytes = auth_info_bytes(signing, gas_limit, fee(config, gas_limit)?);
    let raw = TxRaw { body_bytes: body, auth_info_bytes, signatures: vec![vec![0; 64]] };
    let size_bytes = raw.encoded_len();
    if size_bytes > config.tx_bytes_max {
        return Err(Error::TxBytes { chain: config.name.clone(), got: size_bytes, max: config.tx_bytes_max });
    }
    let document = SignDoc {
        body_bytes: raw.body_bytes,
        auth_info_bytes: raw.auth_info_bytes,
        chain_id: config.chain_id.clone(),
        account_number: signing.account_number,
    };
    let payload = document.encode_to_vec();
    let digest = Hash32::sha256(&[&payload]);
    Ok(UnsignedTx { digest, payload, nonce: signing.sequence, gas_limit, size_bytes })
}

/// The signed transaction.
pub(crate) fn finish(config: &CosmosConfig, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
    let refused = |reason: String| Error::Payload { chain: config.name.clone(), reason: shorten(&reason) };
    let digest = Hash32::sha256(&[&unsigned.payload]);
    if digest != unsigned.digest {
        return Err(refused(format!("its digest is {digest}, {} was signed", unsigned.digest)));
    }
    let document: SignDoc =
        proto::decode_strict("sign document", &unsigned.payload).map_err(|error| refused(error.to_string()))?;
    if document.chain_id != config.chain_id {
        return Err(refused(format!("it is for chain id {}, configured is {}", document.chain_id, config.chain_id)));
    }
    // The last byte is the recovery id, which the chain does not want.
    let signature = signature.split_last().map(|(_, plain)| plain.to_vec()).unwrap_or_default();
    let SignDoc { body_bytes, auth_info_bytes, .. } = document;
    let bytes = TxRaw { body_bytes, auth_info_bytes, signatures: vec![signature] }.encode_to_vec();
    let hash = TxHash(Hash32::sha256(&[&bytes]));
    Ok(SignedTx { bytes, hash })
}

/// The fee in a transaction, in base units of a token, decimal.
pub(crate) fn fee_paid(chain: &str, bytes: &[u8], denom: &str) -> Result<String> {
    let wrong =
        |reason: String| Error::QueryDecode { chain: chain.to_owned(), what: "transaction", reason: shorten(&reason) };
    let raw = TxRaw::decode(bytes).map_err(|error| wrong(error.to_string()))?;
    let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).map_err(|error| wrong(error.to_string()))?;
    let coins = auth.fee.map(|fee| fee.amount).unwrap_or_default();
    let amount = coins.into_iter().find(|coin| coin.denom == denom).map(|coin| shorten(&coin.amount));
    Ok(amount.unwrap_or_else(|| "0".to_owned()))
}

#[cfg(test)]
mod tests;
