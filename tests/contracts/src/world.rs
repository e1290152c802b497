//! Two EVM chains with an attestation client of each other, and the steps of a packet between them.

use std::sync::OnceLock;

use alloy_primitives::{address, Address, Bytes, B256, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolValue};

use crate::abi::{
    CounterpartyInfo, Height, LightClient, MsgAckPacket, MsgRecvPacket, MsgSendPacket, MsgTimeoutPacket, Packet,
    Payload, Router, SendTransferMsg, Token, Transfer,
};
use crate::attest::Quorum;
use crate::chain::{Chain, Outcome, GAS_LIMIT};
use crate::packet;

/// Deploys everything and holds every role.
pub const ADMIN: Address = address!("00000000000000000000000000000000000ad000");
/// Relays.
pub const RELAYER: Address = address!("000000000000000000000000000000000000e1a7");
/// Owns tokens on both chains.
pub const ALICE: Address = address!("00000000000000000000000000000000000a11ce");
/// Is paid.
pub const BOB: Address = address!("0000000000000000000000000000000000000b0b");

/// What Alice owns of each chain's token at the start, base units.
pub const ALICE_TOKENS: u64 = 1_000_000;
/// Timeout of a packet that the test does not care about, seconds from now.
pub const TIMEOUT_SECONDS: u64 = 3_600;

/// Which of the two chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The first.
    A,
    /// The second.
    B,
}

impl On {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// One chain with the contracts on it.
#[derive(Debug, Clone)]
pub struct Side {
    /// The chain.
    pub chain: Chain,
    /// `ICS26Router`.
    pub router: Address,
    /// `ICS20Transfer`.
    pub transfer: Address,
    /// `TestERC20`.
    pub token: Address,
    /// `MockApp`, on port `mock`.
    pub mock: Address,
    /// `AttestationLightClient` of the other chain.
    pub client: Address,
    /// Its identifier.
    pub client_id: String,
    /// The attestors of this chain, whom the other chain believes.
    pub quorum: Quorum,
}

impl Side {
    /// Balance of a token.
    #[must_use]
    pub fn balance(&self, token: Address, account: Address) -> u64 {
        self.chain.view(token, &Token::balanceOfCall { account }).to()
    }

    /// The escrow of this side's client.
    #[must_use]
    pub fn escrow(&self) -> Address {
        self.chain.view(self.transfer, &Transfer::getEscrowCall { clientId: self.client_id.clone() })
    }

    /// The voucher of a denom of the other chain.
    #[must_use]
    pub fn voucher(&self, denom: &str) -> Address {
        let denom = format!("transfer/{}/{denom}", self.client_id);
        self.chain.view(self.transfer, &Transfer::ibcERC20ContractCall { denom })
    }

    /// What the router stores under a path, read as another chain proves it: from the slot.
    #[must_use]
    pub fn stored(&self, path: &[u8]) -> B256 {
        self.chain.storage(self.router, packet::slot(path))
    }

    /// Sends to the router.
    pub fn route<C: SolCall>(&mut self, from: Address, call: &C) -> Outcome {
        self.chain.send(from, self.router, call)
    }

    /// Lets an account hold a role of the router.
    pub fn grant(&mut self, role: B256, account: Address) {
        let _ = self.route(ADMIN, &Router::grantRoleCall { role, account }).ok();
    }

    /// A timeout that is `seconds` away.
    #[must_use]
    pub const fn timeout_in(&self, seconds: u64) -> u64 {
        self.chain.time_seconds + seconds
    }

    /// An ordinary transfer over this side's client.
    #[must_use]
    pub fn transfer_msg(&self, token: Address, amount: u64, receiver: &str) -> SendTransferMsg {
        SendTransferMsg {
            denom: token,
            amount: U256::from(amount),
            receiver: receiver.into(),
            sourceClient: self.client_id.clone(),
            destPort: "transfer".into(),
            timeoutTimestamp: self.timeout_in(TIMEOUT_SECONDS),
            memo: String::new(),
        }
    }

    /// Sends a transfer.
    pub fn send_transfer(&mut self, from: Address, m: SendTransferMsg) -> Outcome {
        self.chain.send(from, self.transfer, &Transfer::sendTransferCall { m })
    }

    /// Sends a packet from the mock application.
    pub fn send_mock(&mut self, value: &[u8]) -> Packet {
        let m = MsgSendPacket {
            sourceClient: self.client_id.clone(),
            timeoutTimestamp: self.timeout_in(TIMEOUT_SECONDS),
            payload: mock_payload(value),
        };
        let call = crate::abi::Fixture::sendCall { router: self.router, m };
        sent(&self.chain.send(ADMIN, self.mock, &call).ok())
    }
}

/// A payload between the mock applications.
#[must_use]
pub fn mock_payload(value: &[u8]) -> Payload {
    Payload {
        sourcePort: "mock".into(),
        destPort: "mock".into(),
        version: "v1".into(),
        encoding: "raw".into(),
        value: value.to_vec().into(),
    }
}

/// The packet that a transaction sent.
#[must_use]
pub fn sent(outcome: &Outcome) -> Packet {
    outcome.event::<Router::SendPacket>().packet
}

/// The acknowledgement that a transaction wrote.
#[must_use]
pub fn written(outcome: &Outcome) -> Vec<u8> {
    let event = outcome.event::<Router::WriteAcknowledgement>();
    assert_eq!(event.acknowledgements.len(), 1);
    event.acknowledgements[0].to_vec()
}

/// Asserts that a receive either gives this acknowledgement or fails as a whole, whatever gas it gets.
pub fn check_gas_limits(side: &Side, call: &Router::recvPacketCall, ack: &[u8]) {
    let gas_of_the_call_itself = 60_000;
    let enough = side.chain.try_with_gas(RELAYER, side.router, call, GAS_LIMIT).ok().gas_used * 11 / 10;
    let limits: Vec<u64> = (gas_of_the_call_itself..enough).step_by(2_777).chain([enough]).collect();
    let (mut failed, mut answered) = (0, 0);
    for gas in limits {
        let outcome = side.chain.try_with_gas(RELAYER, side.router, call, gas);
        if outcome.result.is_ok() {
            assert_eq!(written(&outcome), ack, "with {gas} gas");
            answered += 1;
        } else {
            failed += 1;
        }
    }
    assert!(failed > 0 && answered > 0, "limits on both sides were tried");
}

/// Whether a transaction changed nothing because all was done.
#[must_use]
pub fn is_noop(outcome: &Outcome) -> bool {
    outcome.events::<Router::Noop>().len() == 1 && outcome.logs.len() == 1
}

/// A counterparty whose commitments have no prefix, as the attestation client wants it.
#[must_use]
pub fn counterparty(client_id: &str) -> CounterpartyInfo {
    CounterpartyInfo { clientId: client_id.into(), merklePrefix: vec![Bytes::new()] }
}

/// Both chains.
#[derive(Debug, Clone)]
pub struct World {
    a: Side,
    b: Side,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Two chains, three attestors for each, two of whom must sign; `client-0` of A faces `client-1` of B.
    #[must_use]
    pub fn new() -> Self {
        static FIRST: OnceLock<World> = OnceLock::new();
        FIRST.get_or_init(Self::set_up).clone()
    }

    fn set_up() -> Self {
        let mut a = deploy(Quorum::new(1, 3, 2));
        let mut b = deploy(Quorum::new(11, 3, 2));
        b.chain.advance(40);
        // A client of something else comes first, so that the two ends have different numbers.
        let filler = Router::addClientCall { counterparty: counterparty("elsewhere-0"), client: b.token };
        let _ = b.route(ADMIN, &filler).ok();
        connect(&mut a, &b, "client-1");
        connect(&mut b, &a, "client-0");
        Self { a, b }
    }

    /// One side.
    #[must_use]
    pub const fn side(&self, on: On) -> &Side {
        match on {
            On::A => &self.a,
            On::B => &self.b,
        }
    }

    /// One side, to change.
    pub const fn side_mut(&mut self, on: On) -> &mut Side {
        match on {
            On::A => &mut self.a,
            On::B => &mut self.b,
        }
    }

    /// Lets time pass on both chains.
    pub fn advance(&mut self, seconds: u64) {
        self.a.chain.advance(seconds);
        self.b.chain.advance(seconds);
    }

    /// Sends a transfer of a side's own token from Alice to Bob.
    pub fn send(&mut self, on: On, amount: u64) -> Packet {
        let side = self.side_mut(on);
        let m = side.transfer_msg(side.token, amount, &packet::lowercase(BOB));
        sent(&side.send_transfer(ALICE, m).ok())
    }

    /// Tells the client on the other side the newest state of `of`.
    pub fn update(&mut self, of: On) -> Height {
        let source = self.side(of);
        let (height, time) = (source.chain.height, source.chain.time_seconds);
        let update = source.quorum.sign_state(height, time);
        let dest = self.side_mut(of.other());
        let call = Router::updateClientCall { clientId: dest.client_id.clone(), updateMsg: update };
        let _ = dest.route(RELAYER, &call).ok();
        Height { revisionNumber: 0, revisionHeight: height }
    }

    /// What the attestors of a side sign about paths, from its storage.
    #[must_use]
    pub fn prove(&self, of: On, height: &Height, paths: &[Vec<u8>]) -> Bytes {
        let side = self.side(of);
        let entries: Vec<_> = paths.iter().map(|path| (path.clone(), side.stored(path))).collect();
        side.quorum.sign_packets(height.revisionHeight, &entries)
    }

    /// The message that delivers a packet sent on `from`, its client being up to date.
    pub fn recv_msg(&mut self, from: On, packet: &Packet) -> MsgRecvPacket {
        let height = self.update(from);
        let proof = self.prove(from, &height, &[packet::commitment_path(packet)]);
        MsgRecvPacket { packet: packet.clone(), proofCommitment: proof, proofHeight: height }
    }

    /// The message that brings an acknowledgement home to `from`.
    pub fn ack_msg(&mut self, from: On, packet: &Packet, ack: &[u8]) -> MsgAckPacket {
        let height = self.update(from.other());
        let proof = self.prove(from.other(), &height, &[packet::ack_path(packet)]);
        let acknowledgement = ack.to_vec().into();
        MsgAckPacket { packet: packet.clone(), acknowledgement, proofAcked: proof, proofHeight: height }
    }

    /// The message that times a packet of `from` out.
    pub fn timeout_msg(&mut self, from: On, packet: &Packet) -> MsgTimeoutPacket {
        let height = self.update(from.other());
        let proof = self.prove(from.other(), &height, &[packet::receipt_path(packet)]);
        MsgTimeoutPacket { packet: packet.clone(), proofTimeout: proof, proofHeight: height }
    }

    /// Delivers a packet sent on `from`.
    pub fn recv(&mut self, from: On, packet: &Packet) -> Outcome {
        let m = self.recv_msg(from, packet);
        self.side_mut(from.other()).route(RELAYER, &Router::recvPacketCall { m })
    }

    /// Brings an acknowledgement home to `from`.
    pub fn ack(&mut self, from: On, packet: &Packet, ack: &[u8]) -> Outcome {
        let m = self.ack_msg(from, packet, ack);
        self.side_mut(from).route(RELAYER, &Router::ackPacketCall { m })
    }

    /// Times a packet of `from` out.
    pub fn timeout(&mut self, from: On, packet: &Packet) -> Outcome {
        let m = self.timeout_msg(from, packet);
        self.side_mut(from).route(RELAYER, &Router::timeoutPacketCall { m })
    }
}

/// Deploys the contracts on a new chain.
fn deploy(quorum: Quorum) -> Side {
    let mut chain = Chain::default();
    let router = chain.deploy("ICS26Router", &ADMIN.abi_encode(), ADMIN);
    let transfer = chain.deploy("ICS20Transfer", &router.abi_encode(), ADMIN);
    let token = chain.deploy("TestERC20", &("Test".to_owned(), "TST".to_owned()).abi_encode_params(), ADMIN);
    let mock = chain.deploy("fixtures/MockApp", &[], ADMIN);
    let mut side =
        Side { chain, router, transfer, token, mock, client: Address::ZERO, client_id: String::new(), quorum };
    for (port, app) in [("transfer", transfer), ("mock", mock)] {
        let _ = side.route(ADMIN, &Router::addIBCAppCall { portId: port.into(), app }).ok();
    }
    let amount = U256::from(ALICE_TOKENS);
    let _ = side.chain.send(ADMIN, token, &Token::mintCall { to: ALICE, amount }).ok();
    let approve = Token::approveCall { spender: transfer, amount: U256::MAX };
    let _ = side.chain.send(ALICE, token, &approve).ok();
    for role in [
        side.chain.view(router, &Router::PAUSER_ROLECall {}),
        side.chain.view(router, &Router::CLIENT_MIGRATOR_ROLECall {}),
    ] {
        side.grant(role, ADMIN);
    }
    side
}

/// Gives `side` a client of the chain of `other`, whose client of this chain is `their_id`.
fn connect(side: &mut Side, other: &Side, their_id: &str) {
    side.client = deploy_client(&mut side.chain, other, Address::ZERO);
    let call = Router::addClientCall { counterparty: counterparty(their_id), client: side.client };
    side.client_id = side.route(ADMIN, &call).ok().event::<Router::ICS02ClientAdded>().clientId;
}

/// Deploys an attestation client of the chain of `other` as it is now.
pub fn deploy_client(chain: &mut Chain, other: &Side, role_manager: Address) -> Address {
    let arguments = LightClient::constructorCall {
        attestors: other.quorum.addresses(),
        minRequiredSigs: other.quorum.threshold,
        initialHeight: other.chain.height,
        initialTimestampSeconds: other.chain.time_seconds,
        roleManager: role_manager,
    };
    chain.deploy("AttestationLightClient", &arguments.abi_encode(), ADMIN)
}
