//! The client of CometBFT chains: real signatures, real ICS-23 proofs, and every check with a message that fails it.

use catenary_light_clients::cometbft::testing::{signers, Chain, Signer};
use catenary_light_clients::cometbft::{MAX_CHAIN_ID_BYTES, MAX_UPDATE_BYTES};
use catenary_light_clients::proof::ics23::testing::State;
use catenary_light_clients::{Hash32, Timestamp};
use catenary_protocol::handler::tendermint_proto::{
    ClientState, ConsensusState, Fraction, Header, MerkleRoot, Misbehaviour, Seconds, CLIENT_STATE, CONSENSUS_STATE,
    HEADER, MISBEHAVIOUR,
};
use catenary_protocol::handler::{
    state, Amount, Bank, Claim, ClientType, Context, Error, Event, Handler, Height, Key, MemoryHost, NewClient,
    Outcome, Proof, Status, Store, TendermintClient, TransferApp, Update, DENOMINATOR_MAX, HEIGHTS_MAX,
};
use catenary_protocol::path::Kind;
use catenary_protocol::{ics20, proto, Acknowledgement, Packet, Path};
use proptest::prelude::*;
use prost::Message;

use super::rig::{any, code, result, written};

const ID: &str = "07-tendermint-0";
const REVISION: u64 = 7;
const DAY: i64 = 86_400;

/// The parts of a light client's update (`cometbft::encode_update`).
#[derive(Clone, PartialEq, Message)]
struct Parts {
    #[prost(bytes = "vec", optional, tag = "1")]
    signed_header: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    validators: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    next_validators: Option<Vec<u8>>,
}

fn parts(chain: &Chain, height: u64) -> Parts {
    Parts::decode(chain.full_update(height).as_slice()).unwrap()
}

fn validators(seed: u64) -> Vec<Signer> {
    signers(seed, &[10, 10, 10, 10])
}

/// A chain with the same four validators throughout.
fn chain(blocks: u64) -> Chain {
    Chain::of("chain-7", validators(1), blocks)
}

fn height(height: u64) -> Height {
    Height { revision: REVISION, height }
}

/// The header at a height, to be judged from a known one.
fn header(chain: &Chain, at: u64, trusted: u64) -> Header {
    header_of(parts(chain, at), chain, trusted)
}

fn header_of(new: Parts, trusting: &Chain, trusted: u64) -> Header {
    Header {
        signed_header: new.signed_header,
        validator_set: new.validators,
        trusted_height: Some(height(trusted).into()),
        trusted_validators: parts(trusting, trusted).next_validators,
    }
}

fn client_state(latest: u64) -> ClientState {
    let seconds = |seconds| Some(Seconds { seconds, nanos: 0 });
    ClientState {
        chain_id: "chain-7".into(),
        trust_level: Some(Fraction { numerator: 1, denominator: 3 }),
        trusting_period: seconds(14 * DAY),
        unbonding_period: seconds(21 * DAY),
        max_clock_drift: seconds(10),
        frozen_height: Some(proto::Height::default()),
        latest_height: Some(height(latest).into()),
        proof_specs: vec![ics23::iavl_spec().encode_to_vec(), ics23::tendermint_spec().encode_to_vec()],
        upgrade_path: vec!["upgrade".into(), "upgradedIBCState".into()],
        allow_update_after_expiry: false,
        allow_update_after_misbehaviour: false,
    }
}

fn consensus_state(chain: &Chain, at: u64) -> ConsensusState {
    use prost_tendermint::Message as _;
    let raw = parts(chain, at).signed_header.unwrap();
    let raw = tendermint_proto::v0_38::types::SignedHeader::decode(raw.as_slice()).unwrap().header.unwrap();
    let time = raw.time.unwrap();
    ConsensusState {
        timestamp: Some(Seconds { seconds: time.seconds, nanos: time.nanos }),
        root: Some(MerkleRoot { hash: raw.app_hash }),
        next_validators_hash: raw.next_validators_hash,
    }
}

/// A chain that knows another one through its validators.
struct Rig {
    handler: Handler<MemoryHost>,
    host: MemoryHost,
    now: Timestamp,
}

impl Rig {
    fn new(chain: &Chain, at: u64) -> Self {
        let handler = Handler::new().with_client(TendermintClient).with_app(TransferApp);
        let mut rig = Self { handler, host: MemoryHost::default(), now: chain.time(at) };
        rig.create(client_state(at), consensus_state(chain, at)).unwrap();
        let register = proto::MsgRegisterCounterparty {
            client_id: ID.into(),
            counterparty_merkle_prefix: vec![b"ibc".to_vec(), Vec::new()],
            counterparty_client_id: "07-tendermint-4".into(),
            signer: "someone".into(),
        };
        rig.run(proto::MSG_REGISTER_COUNTERPARTY, &register).unwrap();
        rig
    }

    fn create(&mut self, client: ClientState, consensus: ConsensusState) -> Result<Outcome, Error> {
        let message = proto::MsgCreateClient {
            client_state: Some(any(CLIENT_STATE, &client)),
            consensus_state: Some(any(CONSENSUS_STATE, &consensus)),
            signer: "someone".into(),
        };
        self.run(proto::MSG_CREATE_CLIENT, &message)
    }

    fn run(&mut self, type_url: &str, message: &impl Message) -> Result<Outcome, Error> {
        let context = Context { time: self.now, signer: "someone" };
        let before = self.host.clone();
        let outcome = self.handler.handle(&mut self.host, context, type_url, &message.encode_to_vec());
        if outcome.is_err() {
            assert!(before.entries().eq(self.host.entries()), "a refused message changed the store");
        }
        outcome
    }

    fn submit(&mut self, type_url: &str, message: &impl Message) -> Result<String, Error> {
        let message = proto::MsgUpdateClient {
            client_id: ID.into(),
            client_message: Some(any(type_url, message)),
            signer: "someone".into(),
        };
        let outcome = self.run(proto::MSG_UPDATE_CLIENT, &message)?;
        Ok(outcome.events[0].render()[0].kind.clone())
    }

    fn update(&mut self, header: &Header) -> Result<String, Error> {
        self.submit(HEADER, header)
    }

    fn status(&self) -> Status {
        self.handler.client_status(&self.host, ID, self.now).unwrap()
    }
}

#[test]
fn headers_are_followed_step_by_step_and_further() {
    let chain = chain(9);
    let mut rig = Rig::new(&chain, 1);
    rig.now = chain.time(9);
    for (at, trusted) in [(2, 1), (5, 2), (9, 1), (3, 2), (3, 1), (9, 5)] {
        assert_eq!(rig.update(&header(&chain, at, trusted)), Ok("update_client".into()), "{at} from {trusted}");
        let known = TendermintClient.timestamp(&rig.host, ID, height(at));
        assert_eq!(known, Ok(chain.time(at)));
        let stored: ConsensusState =
            proto::decode_strict("c", &state::consensus_state(&rig.host, ID, height(at)).unwrap().unwrap().value)
                .unwrap();
        assert_eq!(stored, consensus_state(&chain, at));
    }
    assert_eq!(rig.handler.latest_height(&rig.host, ID), Ok(height(9)));
    let stored = state::client_state(&rig.host, ID).unwrap().unwrap();
    assert_eq!(stored, any(CLIENT_STATE, &client_state(9)), "nothing but the newest height has changed");
}

#[test]
fn validators_may_change() {
    let mut chain = Chain::new("chain-7", validators(1));
    let state = |at: u64| Hash32::sha256(&[b"state", &at.to_be_bytes()]);
    chain.push(state(1));
    // Two of four stay: enough for the trust level. Then all are others, announced one height before.
    let half: Vec<Signer> = signers(1, &[10, 10, 10, 10, 10, 10]).split_off(2);
    chain.push_announcing(state(2), half);
    chain.push(state(3));
    chain.push_announcing(state(4), validators(50));
    chain.push(state(5));
    chain.push(state(6));
    let mut rig = Rig::new(&chain, 1);
    rig.now = chain.time(6);
    assert_eq!(rig.update(&header(&chain, 3, 1)), Ok("update_client".into()), "half of the trusted ones signed");
    assert_eq!(code(rig.update(&header(&chain, 6, 1))), "PR-HND-014", "none of the trusted ones signed");
    assert_eq!(code(rig.update(&header(&chain, 6, 3))), "PR-HND-014", "nor of these");
    for (at, trusted) in [(4, 3), (5, 4), (6, 4)] {
        assert_eq!(rig.update(&header(&chain, at, trusted)), Ok("update_client".into()), "{at} from {trusted}");
    }
}

#[test]
fn headers_that_are_refused() {
    let honest = chain(5);
    let strangers = Chain::of("chain-7", validators(70), 5);
    let elsewhere = Chain::of("chain-8", validators(1), 5);
    let spoilt = |slot: usize| {
        use prost_tendermint::Message as _;
        let mut header = header(&honest, 3, 1);
        let bytes = header.signed_header.take().unwrap();
        let mut raw = tendermint_proto::v0_38::types::SignedHeader::decode(bytes.as_slice()).unwrap();
        raw.commit.as_mut().unwrap().signatures[slot].signature[0] ^= 1;
        header.signed_header = Some(raw.encode_to_vec());
        header
    };
    let set = |change: fn(&mut Header)| {
        let mut header = header(&honest, 3, 1);
        change(&mut header);
        header
    };
    let rows = [
        ("as it should be", header(&honest, 3, 1), "ok"),
        ("signed by others, named as trusted", header(&strangers, 3, 1), "PR-HND-014"),
        ("signed by others, from our validators", header_of(parts(&strangers, 3), &honest, 1), "PR-HND-014"),
        ("signed by others, right after", header_of(parts(&strangers, 2), &honest, 1), "PR-HND-014"),
        ("of another chain", header(&elsewhere, 3, 1), "LC-CMT-018"),
        ("a signature that is spoilt", spoilt(0), "LC-CMT-026"),
        ("from a height that is not known", header(&honest, 3, 2), "PR-HND-013"),
        ("from its own height", header(&honest, 1, 1), "PR-HND-014"),
        ("from a height above", set(|h| h.trusted_height.as_mut().unwrap().revision_height = 4), "PR-HND-014"),
        ("from another revision", set(|h| h.trusted_height.as_mut().unwrap().revision_number = 6), "PR-HND-014"),
        ("no trusted height", set(|h| h.trusted_height = None), "PR-HND-002"),
        ("no header", set(|h| h.signed_header = None), "PR-HND-002"),
        ("an empty header", set(|h| h.signed_header = Some(Vec::new())), "LC-CMT-005"),
        ("no validators", set(|h| h.validator_set = None), "PR-HND-002"),
        ("no trusted validators", set(|h| h.trusted_validators = None), "PR-HND-002"),
        ("empty trusted validators", set(|h| h.trusted_validators = Some(Vec::new())), "PR-PKT-001"),
        ("undecodable trusted validators", set(|h| h.trusted_validators = Some(vec![0xff])), "PR-ENC-001"),
        ("bytes after them", set(|h| h.trusted_validators.as_mut().unwrap().extend([0x58, 1])), "PR-ENC-002"),
        ("very many trusted validators", set(|h| h.trusted_validators = Some([0x0a, 0].repeat(2_000))), "PR-PKT-001"),
        ("the most bytes of them", set(|h| h.trusted_validators = Some(vec![0xff; MAX_UPDATE_BYTES])), "PR-ENC-001"),
        ("one more", set(|h| h.trusted_validators = Some(vec![0xff; MAX_UPDATE_BYTES + 1])), "PR-PKT-001"),
    ];
    for (name, header, expect) in rows {
        let mut rig = Rig::new(&honest, 1);
        rig.now = honest.time(5);
        assert_eq!(code(rig.update(&header)), expect, "{name}");
    }
    let mut rig = Rig::new(&honest, 1);
    assert_eq!(code(rig.submit("/ibc.lightclients.tendermint.v1.Other", &header(&honest, 3, 1))), "PR-HND-015");
}

#[test]
fn time_decides_as_well() {
    let chain = chain(5);
    let mut rig = Rig::new(&chain, 1);
    // Up to the drift ahead of the clock, not at it.
    let before = |seconds: u64| Timestamp::from_nanos(chain.time(3).nanos - seconds * 1_000_000_000);
    rig.now = before(10);
    assert_eq!(code(rig.update(&header(&chain, 3, 1))), "LC-TRUST-005");
    rig.now = before(9);
    assert_eq!(code(rig.update(&header(&chain, 3, 1))), "ok");
    // Until the trusting period of the newest height has passed, judged from a height that is not expired.
    let fortnight = 14 * DAY.unsigned_abs();
    rig.now = chain.time(3).checked_add_seconds(fortnight).unwrap();
    assert_eq!((rig.status(), code(rig.update(&header(&chain, 5, 3)))), (Status::Expired, "PR-HND-012"));
    rig.now = Timestamp::from_nanos(rig.now.nanos - 1);
    assert_eq!(rig.status(), Status::Active);
    assert_eq!(code(rig.update(&header(&chain, 5, 1))), "LC-TRUST-006");
    assert!(state::consensus_state(&rig.host, ID, height(1)).unwrap().is_some());
    assert_eq!(code(rig.update(&header(&chain, 5, 3))), "ok");
    assert_eq!(state::consensus_state(&rig.host, ID, height(1)), Ok(None), "the oldest had expired");
}

/// A second chain that the same validators signed.
fn fork(blocks: u64) -> Chain {
    let mut fork = Chain::new("chain-7", validators(1));
    (1..=blocks).for_each(|at| fork.push(Hash32::sha256(&[b"fork", &at.to_be_bytes()])));
    fork
}

#[test]
fn two_headers_of_one_height_freeze() {
    let (honest, fork) = (chain(5), fork(5));
    let other = || header_of(parts(&fork, 3), &honest, 1);
    let mut rig = Rig::new(&honest, 1);
    rig.now = honest.time(5);
    rig.update(&header(&honest, 3, 1)).unwrap();
    assert_eq!(rig.update(&other()), Ok("client_misbehaviour".into()));
    assert_eq!((rig.status(), code(rig.update(&header(&honest, 5, 1)))), (Status::Frozen, "PR-HND-012"));

    let found = |first: Option<Header>, second: Option<Header>| Misbehaviour {
        client_id: ID.into(),
        header_1: first,
        header_2: second,
    };
    let honest_header = || header(&honest, 3, 1);
    let stranger = Chain::of("chain-7", validators(70), 5);
    let rows = [
        ("a fork", found(Some(honest_header()), Some(other())), "ok"),
        ("one header twice", found(Some(honest_header()), Some(honest_header())), "PR-HND-014"),
        ("two that follow", found(Some(header(&honest, 4, 1)), Some(honest_header())), "PR-HND-014"),
        ("one alone", found(Some(honest_header()), None), "PR-HND-002"),
        ("none", found(None, None), "PR-HND-002"),
        ("by strangers", found(Some(honest_header()), Some(header_of(parts(&stranger, 3), &honest, 1))), "PR-HND-014"),
        ("from an unknown height", found(Some(honest_header()), Some(header(&honest, 3, 2))), "PR-HND-013"),
    ];
    for (name, found, expect) in rows {
        let mut rig = Rig::new(&honest, 1);
        rig.now = honest.time(5);
        assert_eq!(code(rig.submit(MISBEHAVIOUR, &found)), expect, "{name}");
        assert_eq!(rig.status(), if expect == "ok" { Status::Frozen } else { Status::Active }, "{name}");
    }
}

/// What governance decides after a freeze or an expiry: the client goes on from what a substitute knows.
#[test]
fn a_client_goes_on_from_what_a_substitute_knows() {
    const SUBSTITUTE: &str = "07-tendermint-1";
    let (honest, fork) = (chain(6), fork(6));
    let freeze = |rig: &mut Rig| {
        rig.update(&header(&honest, 3, 1)).unwrap();
        rig.update(&header_of(parts(&fork, 3), &honest, 1)).unwrap();
    };
    let other_level = |mut client: ClientState| {
        client.trust_level = Some(Fraction { numerator: 2, denominator: 3 });
        client
    };
    let shorter = |mut client: ClientState| {
        client.trusting_period = Some(Seconds { seconds: 900, nanos: 0 });
        client
    };
    let same = |client| client;
    // How the client fares, what the substitute is made from, and what is said.
    type Row<'a> = (&'a str, &'a dyn Fn(&mut Rig), &'a dyn Fn(ClientState) -> ClientState, u64, &'a str);
    let rows: [Row<'_>; 5] = [
        ("frozen", &freeze, &same, 5, "ok"),
        ("trusted for another period", &freeze, &shorter, 5, "ok"),
        ("active", &|_| {}, &same, 5, "PR-HND-031"),
        ("of other terms", &freeze, &other_level, 5, "PR-HND-031"),
        ("of an older height", &freeze, &same, 3, "PR-HND-031"),
    ];
    for (name, fares, terms, at, expect) in rows {
        let mut rig = Rig::new(&honest, 1);
        rig.now = honest.time(6);
        fares(&mut rig);
        rig.create(terms(client_state(at)), consensus_state(&honest, at)).unwrap();
        let before = rig.host.clone();
        let said = rig.handler.recover_client(&mut rig.host, rig.now, ID, SUBSTITUTE);
        assert_eq!(code(said), expect, "{name}");
        if expect == "ok" {
            assert_eq!(rig.status(), Status::Active, "{name}");
            assert_eq!(rig.handler.latest_height(&rig.host, ID), Ok(height(at)), "{name}");
            assert_eq!(
                rig.update(&header(&honest, 6, at)),
                Ok("update_client".into()),
                "{name}: and is updated from there"
            );
        } else {
            assert!(before.entries().eq(rig.host.entries()), "{name}: a refusal changed the store");
        }
    }
    // A substitute that is no better, and one that is not there.
    let mut rig = Rig::new(&honest, 1);
    rig.now = honest.time(6);
    freeze(&mut rig);
    rig.create(client_state(5), consensus_state(&honest, 5)).unwrap();
    let mut recover = |client: &str, by: &str| code(rig.handler.recover_client(&mut rig.host, rig.now, client, by));
    assert_eq!(recover(ID, ID), "PR-HND-012");
    assert_eq!(recover(ID, "07-tendermint-9"), "PR-HND-011");
    assert_eq!(recover("attestations-0", SUBSTITUTE), "PR-HND-010");
}

/// A higher header may not have a time before that of a lower one.
#[test]
fn time_that_goes_back_freezes() {
    let chain = chain(5);
    for (known, expect) in [((4, 5), "client_misbehaviour"), ((2, 1), "update_client")] {
        let mut rig = Rig::new(&chain, 1);
        rig.now = chain.time(5);
        rig.update(&header(&chain, known.0, 1)).unwrap();
        // The known height has the time of another, as if a header had said so.
        let moved = ConsensusState {
            timestamp: consensus_state(&chain, known.1).timestamp,
            ..consensus_state(&chain, known.0)
        };
        rig.host.set(&Key::consensus_state(ID, height(known.0)), any(CONSENSUS_STATE, &moved).encode_to_vec());
        let outcome = if known.0 == 4 { rig.update(&header(&chain, 5, 1)) } else { rig.update(&header(&chain, 3, 1)) };
        assert_eq!(outcome, Ok(expect.into()));
    }
    let mut rig = Rig::new(&chain, 1);
    rig.now = chain.time(5);
    rig.update(&header(&chain, 4, 1)).unwrap();
    let moved = ConsensusState { timestamp: consensus_state(&chain, 3).timestamp, ..consensus_state(&chain, 4) };
    rig.host.set(&Key::consensus_state(ID, height(4)), any(CONSENSUS_STATE, &moved).encode_to_vec());
    assert_eq!(rig.update(&header(&chain, 3, 1)), Ok("client_misbehaviour".into()), "the one above is not later");
}

/// Evidence of the same: the first header is higher and not later. Headers of a chain that goes on, in either order,
/// are no evidence, or anybody could freeze a client with two honest headers.
#[test]
fn evidence_of_time_that_goes_back_freezes() {
    let chain = chain(5);
    let at = |height, seconds| {
        let update = chain.full_update_at(height, chain.time(1).checked_add_seconds(seconds).unwrap());
        header_of(Parts::decode(update.as_slice()).unwrap(), &chain, 1)
    };
    for (name, first, second, expect) in [
        ("the higher one earlier", at(4, 3), at(3, 4), "ok"),
        ("both at one time", at(4, 4), at(3, 4), "ok"),
        ("the higher one later", at(4, 5), at(3, 4), "PR-HND-014"),
        ("the higher one later and second", at(3, 4), at(4, 5), "PR-HND-014"),
        ("the higher one earlier and second", at(3, 4), at(4, 3), "PR-HND-014"),
        ("honest ones", header(&chain, 4, 1), header(&chain, 3, 1), "PR-HND-014"),
        ("honest ones, the lower first", header(&chain, 3, 1), header(&chain, 4, 1), "PR-HND-014"),
    ] {
        let mut rig = Rig::new(&chain, 1);
        rig.now = chain.time(5);
        let found = Misbehaviour { client_id: ID.into(), header_1: Some(first), header_2: Some(second) };
        assert_eq!(code(rig.submit(MISBEHAVIOUR, &found)), expect, "{name}");
        assert_eq!(rig.status(), if expect == "ok" { Status::Frozen } else { Status::Active }, "{name}");
    }
}

/// A deadline may lie between two times of one second, so they are kept to the nanosecond.
#[test]
fn times_are_kept_to_the_nanosecond() {
    let chain = chain(3);
    for nanos in [0, 1, 123_456_789, 999_999_999] {
        let mut rig = Rig::new(&chain, 1);
        rig.now = chain.time(3);
        let time = Timestamp::from_nanos(chain.time(2).nanos + nanos);
        let update = Parts::decode(chain.full_update_at(2, time).as_slice()).unwrap();
        assert_eq!(code(rig.update(&header_of(update, &chain, 1))), "ok");
        assert_eq!(TendermintClient.timestamp(&rig.host, ID, height(2)), Ok(time));
        let stored = state::consensus_state(&rig.host, ID, height(2)).unwrap().unwrap();
        let stored = ConsensusState::decode(stored.value.as_slice()).unwrap().timestamp.unwrap();
        assert_eq!((stored.seconds.unsigned_abs(), i64::from(stored.nanos)), (time.seconds(), nanos.cast_signed()));
    }
}

#[test]
fn client_states_that_are_refused() {
    type Change = fn(&mut ClientState, &mut ConsensusState);
    const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-7";
    let rows: [(&str, Change, &str); 25] = [
        ("as it should be", |_, _| {}, "ok"),
        ("a trust level of one", |c, _| c.trust_level = Some(Fraction { numerator: 1, denominator: 1 }), "ok"),
        ("no trust level", |c, _| c.trust_level = None, "PR-HND-002"),
        ("below a third", |c, _| c.trust_level = Some(Fraction { numerator: 1, denominator: 4 }), "PR-HND-014"),
        ("above one", |c, _| c.trust_level = Some(Fraction { numerator: 4, denominator: 3 }), "PR-HND-014"),
        ("over nothing", |c, _| c.trust_level = Some(Fraction { numerator: 0, denominator: 0 }), "PR-HND-014"),
        (
            "a denominator that would overflow",
            |c, _| c.trust_level = Some(Fraction { numerator: u64::MAX, denominator: u64::MAX }),
            "PR-HND-014",
        ),
        (
            "the largest denominator",
            |c, _| c.trust_level = Some(Fraction { numerator: 9, denominator: DENOMINATOR_MAX }),
            "ok",
        ),
        ("no trusting period", |c, _| c.trusting_period = None, "PR-HND-002"),
        ("of zero", |c, _| c.trusting_period = Some(Seconds { seconds: 0, nanos: 0 }), "PR-HND-014"),
        ("below zero", |c, _| c.trusting_period = Some(Seconds { seconds: -1, nanos: 0 }), "PR-HND-014"),
        ("not below the unbonding period", |c, _| c.trusting_period = c.unbonding_period, "PR-HND-014"),
        ("no drift", |c, _| c.max_clock_drift = None, "PR-HND-002"),
        (
            "frozen",
            |c, _| c.frozen_height = Some(proto::Height { revision_number: 0, revision_height: 1 }),
            "PR-HND-012",
        ),
        ("height zero", |c, _| c.latest_height.as_mut().unwrap().revision_height = 0, "PR-HND-014"),
        ("another revision", |c, _| c.latest_height.as_mut().unwrap().revision_number = 0, "PR-HND-014"),
        ("other proof specifications", |c, _| c.proof_specs.reverse(), "PR-HND-014"),
        ("a blank upgrade key", |c, _| c.upgrade_path[0] = " ".into(), "PR-HND-014"),
        ("no time", |_, s| s.timestamp = None, "PR-HND-014"),
        ("a time of no second", |_, s| s.timestamp = Some(Seconds { seconds: 0, nanos: 5 }), "PR-HND-014"),
        ("a time long ago", |_, s| s.timestamp = Some(Seconds { seconds: 1, nanos: 0 }), "PR-HND-012"),
        ("a whole second of nanoseconds", |_, s| s.timestamp.as_mut().unwrap().nanos = 1_000_000_000, "PR-HND-014"),
        ("one less", |_, s| s.timestamp.as_mut().unwrap().nanos = 999_999_999, "ok"),
        ("a root of zeros", |_, s| s.root = Some(MerkleRoot { hash: vec![0; 32] }), "PR-HND-014"),
        ("a short hash of validators", |_, s| s.next_validators_hash.truncate(31), "PR-HND-014"),
    ];
    let chain = chain(1);
    for (name, change, expect) in rows {
        let mut rig = Rig::new(&chain, 1);
        let (mut client, mut consensus) = (client_state(1), consensus_state(&chain, 1));
        change(&mut client, &mut consensus);
        assert_eq!(code(rig.create(client, consensus)), expect, "{name}");
    }
    let mut rig = Rig::new(&chain, 1);
    let longest = format!("{}-7", "c".repeat(MAX_CHAIN_ID_BYTES - 2));
    let named = ClientState { chain_id: longest.clone(), ..client_state(1) };
    assert_eq!(code(rig.create(named, consensus_state(&chain, 1))), "ok");
    let longer = format!("c{longest}");
    for chain_id in ["", "  ", LONG, &longer] {
        let unnamed = ClientState { chain_id: chain_id.into(), ..client_state(1) };
        assert_eq!(code(rig.create(unnamed, consensus_state(&chain, 1))), "PR-PKT-001", "{chain_id:?}");
    }
    for (chain_id, revision) in
        [("chain", 0), ("chain-0", 0), ("chain-07", 0), ("chain--7", 0), ("-7", 0), ("a-b-7", 7)]
    {
        let mut client = ClientState { chain_id: chain_id.into(), ..client_state(1) };
        client.latest_height.as_mut().unwrap().revision_number = revision;
        assert_eq!(code(rig.create(client, consensus_state(&chain, 1))), "ok", "{chain_id}");
    }
}

/// A person who creates a client is told which field of a consensus state cannot be used.
#[test]
fn consensus_states_are_refused_by_field() {
    let chain = chain(1);
    type Change = fn(&mut ConsensusState);
    let rows: [(Change, &str); 3] = [
        (|s| s.timestamp = None, "timestamp is none between 1970 and 2554"),
        (|s| s.root = None, "root is not 32 bytes, or zero"),
        (|s| s.next_validators_hash.clear(), "next_validators_hash is not 32 bytes"),
    ];
    for (change, expect) in rows {
        let mut consensus = consensus_state(&chain, 1);
        change(&mut consensus);
        let refused = Rig::new(&chain, 1).create(client_state(1), consensus);
        assert_eq!(refused, Err(Error::InvalidState { reason: expect.into() }));
    }
}

/// Old heights go when there are too many, and newest ones never.
#[test]
fn known_heights_are_bounded() {
    let chain = chain(4);
    let mut rig = Rig::new(&chain, 1);
    rig.now = chain.time(4);
    // As many heights as fit, all far above the chain's own.
    let many: Vec<u64> = std::iter::once(1).chain((1_000_000..).take(HEIGHTS_MAX - 1)).collect();
    let bytes: Vec<u8> = many.iter().flat_map(|height| height.to_be_bytes()).collect();
    rig.host.set(&Key::of_client(ID, "heights"), bytes);
    assert_eq!(code(rig.update(&header(&chain, 3, 1))), "ok");
    assert_eq!(state::consensus_state(&rig.host, ID, height(1)), Ok(None));
    assert!(state::consensus_state(&rig.host, ID, height(3)).unwrap().is_some());
    let kept = rig.host.get(&Key::of_client(ID, "heights")).unwrap();
    assert_eq!(kept.len(), 8 * HEIGHTS_MAX);
    rig.host.set(&Key::of_client(ID, "heights"), vec![1; 9]);
    assert_eq!(code(rig.update(&header(&chain, 4, 3))), "PR-HND-030");
}

/// A chain at height 3 whose headers 2 and 3 carry this state, and one that knows it at heights 1 and 2.
fn proven(source: &State) -> (Chain, Rig) {
    let mut chain = Chain::new("chain-7", validators(1));
    chain.push(Hash32::sha256(&[b"genesis"]));
    chain.push(source.app_hash());
    chain.push(source.app_hash());
    let mut rig = Rig::new(&chain, 1);
    rig.now = chain.time(3);
    rig.update(&header(&chain, 2, 1)).unwrap();
    (chain, rig)
}

/// A transfer by proof alone: sent on a chain whose store is under a real app hash, received through its validators.
#[test]
fn packets_are_proven_by_the_chain_itself() {
    let sent = packet("07-tendermint-4", ID);
    let path = sent.commitment_path().into_bytes();
    let entries = vec![(path, sent.commitment().as_bytes().to_vec()), (b"clients/x".to_vec(), vec![1])];
    let source = State::new(b"ibc", &entries);
    let (_, mut rig) = proven(&source);
    let receive = proto::MsgRecvPacket {
        packet: Some((&sent).into()),
        proof_commitment: source.prove(&sent.commitment_path().into_bytes()),
        proof_height: Some(height(2).into()),
        signer: "someone".into(),
    };
    let at = |at: u64| proto::MsgRecvPacket { proof_height: Some(height(at).into()), ..receive.clone() };
    let with = |proof: Vec<u8>| proto::MsgRecvPacket { proof_commitment: proof, ..receive.clone() };
    let absence = source.prove(&sent.receipt_path().into_bytes());
    let rows = [
        ("of absence", with(absence), "LC-ICS23-005"),
        ("that is none", with(vec![1]), "LC-ICS23-002"),
        ("at another root", at(1), "LC-ICS23-013"),
        ("at an unknown height", at(3), "PR-HND-013"),
    ];
    let run = |rig: &mut Rig, message: proto::MsgRecvPacket| rig.run(proto::MSG_RECV_PACKET, &message);
    for (name, message, expect) in rows {
        assert_eq!(code(run(&mut rig, message)), expect, "a proof {name}");
    }
    let received = run(&mut rig, receive.clone()).unwrap();
    assert_eq!((result(&received), written(&received).single()), (2, Ok(ics20::SUCCESS_ACK)));
    assert_eq!(run(&mut rig, receive).as_ref().map(result), Ok(1));
}

/// Two transfers the other way: one is refused there and its acknowledgement proven, one times out by a proof of
/// absence.
#[test]
fn value_comes_back_by_the_chain_s_own_proofs() {
    let refused = Acknowledgement::universal_error();
    let ack_path = Path::new(Kind::Acknowledgement, "07-tendermint-4", 1).into_bytes();
    let entries = vec![(ack_path, refused.commitment().as_bytes().to_vec()), (b"clients/x".to_vec(), vec![1])];
    let source = State::new(b"ibc", &entries);
    let (mut chain, mut rig) = proven(&source);
    rig.host.mint(b"someone", "gold", Amount::from(5)).unwrap();
    let transfer = |amount: &str| proto::MsgTransfer {
        source_port: ics20::PORT.into(),
        source_channel: ID.into(),
        token: Some(proto::Coin { denom: "gold".into(), amount: amount.into() }),
        sender: "someone".into(),
        receiver: "else".into(),
        timeout_timestamp: chain.time(3).seconds() + 1,
        encoding: ics20::ENCODING_PROTOBUF.into(),
        ..Default::default()
    };
    let mut send = |amount: &str| match &rig.run(proto::MSG_TRANSFER, &transfer(amount)).unwrap().events[0] {
        Event::SendPacket(packet) => packet.clone(),
        other => panic!("{other:?}"),
    };
    let (first, lost) = (send("2"), send("3"));
    assert_eq!(rig.host.balance(b"someone", "gold"), Amount::ZERO);
    let acknowledge = proto::MsgAcknowledgement {
        packet: Some((&first).into()),
        acknowledgement: Some(proto::Acknowledgement { app_acknowledgements: refused.app_acknowledgements }),
        proof_acked: source.prove(&first.ack_path().into_bytes()),
        proof_height: Some(height(2).into()),
        signer: "someone".into(),
    };
    assert_eq!(rig.run(proto::MSG_ACKNOWLEDGEMENT, &acknowledge).as_ref().map(result), Ok(2));
    assert_eq!(rig.host.balance(b"someone", "gold").to::<u64>(), 2);

    chain.push(source.app_hash());
    rig.now = chain.time(4);
    rig.update(&header(&chain, 4, 2)).unwrap();
    let time_out = proto::MsgTimeout {
        packet: Some((&lost).into()),
        proof_unreceived: source.prove(&lost.receipt_path().into_bytes()),
        proof_height: Some(height(4).into()),
        signer: "someone".into(),
    };
    let early = proto::MsgTimeout { proof_height: Some(height(2).into()), ..time_out.clone() };
    assert_eq!(code(rig.run(proto::MSG_TIMEOUT, &early)), "PR-HND-022");
    assert_eq!(rig.run(proto::MSG_TIMEOUT, &time_out).as_ref().map(result), Ok(2));
    assert_eq!(rig.host.balance(b"someone", "gold").to::<u64>(), 5);
}

fn packet(source_client: &str, destination_client: &str) -> Packet {
    let data = ics20::Transfer {
        denom: "stake".into(),
        amount: "3".into(),
        sender: "alice".into(),
        receiver: "bobby".into(),
        memo: String::new(),
    };
    Packet {
        sequence: 1,
        source_client: source_client.into(),
        destination_client: destination_client.into(),
        timeout_timestamp_seconds: chain(1).time(1).seconds() + 1_000,
        payloads: vec![data.to_payload(ics20::ENCODING_PROTOBUF).unwrap()],
    }
}

#[test]
fn paths_have_a_store_and_a_key() {
    let chain = chain(1);
    let rig = Rig::new(&chain, 1);
    for (path, expect) in [
        (vec![b"x".to_vec()], "PR-HND-016"),
        (vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()], "PR-HND-016"),
        (Vec::new(), "PR-HND-016"),
    ] {
        let claim = Claim { path: &path, value: Some(&[1; 32]) };
        let proof = Proof { height: height(1), bytes: &[1] };
        assert_eq!(code(TendermintClient.verify(&rig.host, ID, &proof, &claim)), expect);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_header_updates_nothing(places in prop::collection::vec((prop::num::usize::ANY, 1..=255_u8), 1..3), cut in prop::bool::ANY) {
        let chain = chain(3);
        let mut host = MemoryHost::default();
        let (client, consensus) = (any(CLIENT_STATE, &client_state(1)), any(CONSENSUS_STATE, &consensus_state(&chain, 1)));
        let new = NewClient { id: ID, client_state: &client, consensus_state: &consensus };
        TendermintClient.create(&mut host, &new, chain.time(1)).unwrap();
        let right = any(HEADER, &header(&chain, 3, 1));
        let mut message = right.clone();
        for (place, byte) in places {
            let place = place % message.value.len();
            if cut { message.value.truncate(place.max(1)) } else { message.value[place] ^= byte }
        }
        let outcome = TendermintClient.update(&mut host, ID, &message, chain.time(3));
        // What is not signed may change and mean the same: the proposer and priorities of a set. All else is refused.
        if let Ok(update) = outcome {
            prop_assert_eq!(update, Update::Heights(vec![height(3)]));
            let stored = state::consensus_state(&host, ID, height(3)).unwrap().unwrap();
            prop_assert_eq!(stored, any(CONSENSUS_STATE, &consensus_state(&chain, 3)));
        }
    }
}
