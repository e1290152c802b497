//! Two CometBFT devnets that judge each other by their own validators: a packet goes over with a header and an ICS-23
//! proof and nothing else, its acknowledgement comes back the same way, and another one times out.
#![cfg(feature = "cometbft")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::time::Duration;

use catenary_api::{Call, ChainSource, PacketEvent, TxBody, TxReceipt};
use catenary_devnet::cometbft::CometConfig;
use catenary_protocol::handler::tendermint_proto::{
    ClientState, ConsensusState, Fraction, Header, MerkleRoot, Seconds, CLIENT_STATE, CONSENSUS_STATE, HEADER,
};
use catenary_protocol::{ics20, proto, Packet};
use prost::Message;
use prost_tendermint::Message as _;

#[path = "cometbft/support.rs"]
mod support;
use support::*;

const CLIENT: &str = "07-tendermint-0";
const DAY: i64 = 86_400;

/// The parts of a light client's update.
#[derive(Clone, PartialEq, Message)]
struct Parts {
    #[prost(bytes = "vec", optional, tag = "1")]
    signed_header: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    validators: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    next_validators: Option<Vec<u8>>,
}

/// A chain, and the height that its counterparty's client knows of it.
struct Side {
    rig: Rig,
    revision: u64,
    known: u64,
}

impl Side {
    async fn start(name: &str, revision: u64) -> Self {
        let config = CometConfig { chain_id: format!("{name}-{revision}"), seed: revision, ..config() };
        let rig = Rig::start(config).await;
        rig.devnet.mine(1).unwrap();
        Self { rig, revision, known: 2 }
    }

    async fn parts(&self, height: u64) -> Parts {
        let update = self.rig.adapter.updates(height, height).await.unwrap().remove(0);
        Parts::decode(update.as_slice()).unwrap()
    }

    fn height(&self, height: u64) -> proto::Height {
        proto::Height { revision_number: self.revision, revision_height: height }
    }

    /// Runs messages; each is signed by the relayer, whose address is the same on both chains.
    async fn run(&self, messages: Vec<(&str, Vec<u8>)>) -> TxReceipt {
        let call = |(type_url, data): (&str, Vec<u8>)| Call {
            to: None,
            type_url: type_url.to_owned(),
            data,
            summary: String::new(),
        };
        let receipt = self.rig.send(TxBody::Call(messages.into_iter().map(call).collect())).await;
        assert!(receipt.success, "{receipt:?}");
        receipt
    }

    /// Creates a client of `other` here.
    async fn create_client(&self, other: &Self) {
        let parts = other.parts(other.known).await;
        let signed = parts.signed_header.unwrap();
        let header = tendermint_proto::v0_38::types::SignedHeader::decode(signed.as_slice()).unwrap().header.unwrap();
        let time = header.time.unwrap();
        let seconds = |seconds| Some(Seconds { seconds, nanos: 0 });
        let state = ClientState {
            chain_id: header.chain_id,
            trust_level: Some(Fraction { numerator: 1, denominator: 3 }),
            trusting_period: seconds(14 * DAY),
            unbonding_period: seconds(21 * DAY),
            max_clock_drift: seconds(10),
            frozen_height: Some(proto::Height::default()),
            latest_height: Some(other.height(other.known)),
            proof_specs: vec![ics23::iavl_spec().encode_to_vec(), ics23::tendermint_spec().encode_to_vec()],
            upgrade_path: vec!["upgrade".into(), "upgradedIBCState".into()],
            allow_update_after_expiry: false,
            allow_update_after_misbehaviour: false,
        };
        let consensus = ConsensusState {
            timestamp: Some(Seconds { seconds: time.seconds, nanos: time.nanos }),
            root: Some(MerkleRoot { hash: header.app_hash }),
            next_validators_hash: header.next_validators_hash,
        };
        let signer = self.rig.relayer.address.clone();
        let create = proto::MsgCreateClient {
            client_state: Some(proto::Any { type_url: CLIENT_STATE.into(), value: state.encode_to_vec() }),
            consensus_state: Some(proto::Any { type_url: CONSENSUS_STATE.into(), value: consensus.encode_to_vec() }),
            signer: signer.clone(),
        };
        let created = self.run(vec![(proto::MSG_CREATE_CLIENT, create.encode_to_vec())]).await;
        assert_eq!(created.output.as_deref(), Some(CLIENT));
        let register = proto::MsgRegisterCounterparty {
            client_id: CLIENT.into(),
            counterparty_merkle_prefix: vec![b"ibc".to_vec(), Vec::new()],
            counterparty_client_id: CLIENT.into(),
            signer,
        };
        self.run(vec![(proto::MSG_REGISTER_COUNTERPARTY, register.encode_to_vec())]).await;
        let claim = self.rig.adapter.client(CLIENT).await.unwrap().unwrap();
        assert_eq!((claim.location.as_str(), claim.counterparty.as_deref()), ("07-tendermint", Some(CLIENT)));
    }

    /// The update by which `self`'s state after `height` becomes known on the other side.
    async fn update(&mut self, height: u64) -> Vec<u8> {
        if self.rig.devnet.height() <= height {
            self.rig.devnet.mine(height + 1 - self.rig.devnet.height()).unwrap();
        }
        let (new, trusted) = (self.parts(height + 1).await, self.parts(self.known).await);
        let header = Header {
            signed_header: new.signed_header,
            validator_set: new.validators,
            trusted_height: Some(self.height(self.known)),
            // The set does not change here, and an update carries the next one only when it is another.
            trusted_validators: trusted.next_validators.or(trusted.validators),
        };
        self.known = height + 1;
        let client_message = Some(proto::Any { type_url: HEADER.into(), value: header.encode_to_vec() });
        let signer = self.rig.relayer.address.clone();
        proto::MsgUpdateClient { client_id: CLIENT.into(), client_message, signer }.encode_to_vec()
    }

    async fn prove(&self, height: u64, path: Vec<u8>) -> Vec<u8> {
        self.rig.adapter.proofs(height, &[path]).await.unwrap().remove(0).proof
    }

    async fn transfer(&self, denom: &str, amount: &str, timeout_timestamp: u64) -> (Packet, u64) {
        let message = proto::MsgTransfer {
            source_port: ics20::PORT.into(),
            source_channel: CLIENT.into(),
            token: Some(proto::Coin { denom: denom.into(), amount: amount.into() }),
            sender: self.rig.relayer.address.clone(),
            receiver: self.rig.relayer.address.clone(),
            timeout_height: None,
            timeout_timestamp,
            memo: String::new(),
            encoding: ics20::ENCODING_PROTOBUF.into(),
        };
        let receipt = self.run(vec![(proto::MSG_TRANSFER, message.encode_to_vec())]).await;
        match self.rig.events(&receipt).await.remove(0) {
            PacketEvent::Sent(packet) => (packet, receipt.height),
            other => panic!("{other:?}"),
        }
    }

    fn balance(&self, denom: &str) -> String {
        self.rig.devnet.balance(&self.rig.relayer.address, denom).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_goes_over_and_its_acknowledgement_comes_back() {
    let (mut here, mut there) = (Side::start("here", 3).await, Side::start("there", 5).await);
    here.create_client(&there).await;
    there.create_client(&here).await;
    let deadline = here.rig.devnet.time().as_secs() + 3_600;
    let (packet, sent) = here.transfer("stake", "500", deadline).await;

    let update = here.update(sent).await;
    let receive = proto::MsgRecvPacket {
        packet: Some((&packet).into()),
        proof_commitment: here.prove(sent, packet.commitment_path().into_bytes()).await,
        proof_height: Some(here.height(sent + 1)),
        signer: there.rig.relayer.address.clone(),
    };
    let messages = vec![(proto::MSG_UPDATE_CLIENT, update), (proto::MSG_RECV_PACKET, receive.encode_to_vec())];
    let received = there.run(messages).await;
    let voucher = ics20::ibc_denom(&ics20::received_denom("stake", CLIENT, CLIENT));
    assert_eq!(there.balance(&voucher), "500");
    let [PacketEvent::WroteAck { acknowledgement, .. }] = &there.rig.events(&received).await[..] else {
        panic!("one acknowledgement was written")
    };

    let update = there.update(received.height).await;
    let acknowledge = proto::MsgAcknowledgement {
        packet: Some((&packet).into()),
        acknowledgement: Some(proto::Acknowledgement {
            app_acknowledgements: acknowledgement.app_acknowledgements.clone(),
        }),
        proof_acked: there.prove(received.height, packet.ack_path().into_bytes()).await,
        proof_height: Some(there.height(received.height + 1)),
        signer: here.rig.relayer.address.clone(),
    };
    let messages = vec![(proto::MSG_UPDATE_CLIENT, update), (proto::MSG_ACKNOWLEDGEMENT, acknowledge.encode_to_vec())];
    here.run(messages).await;
    assert_eq!(here.rig.adapter.present(&[packet.commitment_path().into_bytes()]).await.unwrap(), [false]);

    // The voucher is sent home, and the deadline passes first.
    let deadline = there.rig.devnet.time().as_secs() + 5;
    let (late, _) = there.transfer(&voucher, "200", deadline).await;
    assert_eq!(there.balance(&voucher), "300");
    here.rig.devnet.advance_time(Duration::from_secs(6));
    let height = here.rig.devnet.mine(2).unwrap();
    let update = here.update(height).await;
    let time_out = proto::MsgTimeout {
        packet: Some((&late).into()),
        proof_unreceived: here.prove(height, late.receipt_path().into_bytes()).await,
        proof_height: Some(here.height(height + 1)),
        signer: there.rig.relayer.address.clone(),
    };
    there.rig.devnet.advance_time(Duration::from_secs(6));
    there.rig.devnet.mine(1).unwrap();
    there.run(vec![(proto::MSG_UPDATE_CLIENT, update), (proto::MSG_TIMEOUT, time_out.encode_to_vec())]).await;
    assert_eq!(there.balance(&voucher), "500", "it came back");
}
