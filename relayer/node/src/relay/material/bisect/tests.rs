//! Ways between two heights, each update handed to the handler that the devnets run, as ibc-go's client judges it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use catenary_adapter_cosmos::native::{create_client, state_of, Terms};
use catenary_api::NativeState;
use catenary_light_clients::cometbft::testing::{ordered, signers, Chain, Signer, START_SECONDS};
use catenary_light_clients::Hash32;
use catenary_protocol::handler::{Context, Handler, MemoryHost, TendermintClient, TENDERMINT};
use catenary_protocol::proto::{self, MSG_CREATE_CLIENT, MSG_UPDATE_CLIENT};
use prost::Message as _;

use super::*;

const CHAIN: &str = "east-1";
const PERIOD_SECONDS: u64 = 1_000;
const SIGNER: &str = "relayer";

/// Four validators of equal power; after each block of `at` one of them is another.
fn rolling(blocks: u64, at: impl Fn(u64) -> bool) -> Chain {
    let pool: Vec<Signer> = (0..60).map(|n| Signer::new(9_000 + n, 10)).collect();
    let set = |first: usize| ordered(pool[first..first + 4].to_vec());
    let mut chain = Chain::new(CHAIN, set(0));
    let mut first = 0;
    for height in 1..=blocks {
        first += usize::from(at(height));
        chain.push_announcing(Hash32::sha256(&[b"state", &height.to_be_bytes()]), set(first));
    }
    chain
}

fn now(chain: &Chain, blocks: u64) -> Timestamp {
    chain.time(blocks).checked_add_seconds(1).unwrap()
}

fn claim(newest: Option<NativeState>) -> NativeClaim {
    NativeClaim {
        chain_id: CHAIN.into(),
        trust_level: (1, 3),
        trusting_period_seconds: PERIOD_SECONDS,
        clock_drift_seconds: 10,
        revision: 1,
        newest,
        counterparty_prefix: Vec::new(),
    }
}

fn holder() -> Holder {
    Holder { chain: "west".into(), client: "07-tendermint-0".into() }
}

fn start(chain: &Chain, known: u64, target: u64) -> Result<Bisection, MaterialError> {
    let update = chain.full_update(known);
    let newest = state_of(&update).unwrap();
    Bisection::start(&chain.config(1), (&holder(), &claim(Some(newest))), (known, update), target)
}

/// Walks the way to its end; gives the heights of the updates.
fn walk(chain: &Chain, known: u64, target: u64, now: Timestamp) -> Result<(Vec<u64>, Bisection), MaterialError> {
    let mut way = start(chain, known, target)?;
    let mut heights = Vec::new();
    while let Some(height) = way.wants() {
        let before = way.messages.len();
        way.take(chain.full_update(height), now)?;
        if way.messages.len() > before {
            heights.push(height);
        }
    }
    Ok((heights, way))
}

/// A host with a client that knows `known`; takes every update in turn.
fn on_chain(chain: &Chain, known: u64, messages: &[ClientMessage], now: Timestamp) {
    let handler = Handler::new().with_client(TendermintClient);
    let mut host = MemoryHost::default();
    let context = Context { time: now, signer: SIGNER };
    let terms = Terms { chain_id: CHAIN.into(), trusting_period_seconds: PERIOD_SECONDS, clock_drift_seconds: 10 };
    let create = create_client(SIGNER, &chain.full_update(known), &terms).unwrap();
    assert_eq!(create.type_url, MSG_CREATE_CLIENT);
    handler.handle(&mut host, context, &create.type_url, &create.data).unwrap();
    for (at, message) in messages.iter().enumerate() {
        let client_message = Some(proto::Any { type_url: message.type_url.clone(), value: message.value.clone() });
        let update =
            proto::MsgUpdateClient { client_id: format!("{TENDERMINT}-0"), client_message, signer: SIGNER.into() };
        let context = Context { time: now, signer: SIGNER };
        let taken = handler.handle(&mut host, context, MSG_UPDATE_CLIENT, &update.encode_to_vec());
        assert!(taken.is_ok(), "update {at}: {taken:?}");
    }
}

#[test]
fn one_header_is_enough_while_a_third_of_the_trusted_power_signs() {
    let rows: [(&str, Chain, u64, u64); 4] = [
        ("the next one", rolling(40, |_| false), 5, 6),
        ("far up, the same set", rolling(40, |_| false), 5, 40),
        ("half of the set is another", rolling(40, |height| height == 10 || height == 20), 5, 40),
        ("the next one is of the announced set", rolling(40, |height| height == 5), 5, 6),
    ];
    for (name, chain, known, target) in rows {
        let now = now(&chain, 40);
        let (heights, way) = walk(&chain, known, target, now).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((heights, way.reached(), way.asked), (vec![target], target, 1), "{name}");
        on_chain(&chain, known, &way.into_messages(), now);
    }
}

#[test]
fn headers_between_are_taken_where_the_overlap_is_too_small() {
    // A validator goes every other block: none of the first four is left after eight.
    let chain = rolling(80, |height| height % 2 == 0);
    let now = now(&chain, 80);
    let (heights, way) = walk(&chain, 2, 42, now).unwrap();
    assert_eq!((heights.last(), way.reached()), (Some(&42), 42));
    assert!(heights.len() > 5 && heights.is_sorted(), "{heights:?}");
    assert!(way.asked < 4 * heights.len(), "{} looks for {} updates", way.asked, heights.len());
    on_chain(&chain, 2, &way.into_messages(), now);
}

#[test]
fn one_go_is_bounded_and_the_next_goes_on() {
    let chain = rolling(110, |height| height % 2 == 0);
    let now = now(&chain, 110);
    let (heights, way) = walk(&chain, 2, 110, now).unwrap();
    assert_eq!(heights.len(), UPDATES_MAX, "{heights:?}");
    let reached = way.reached();
    assert_eq!(Some(&reached), heights.last());
    on_chain(&chain, 2, &way.into_messages(), now);
    let (rest, way) = walk(&chain, reached, 110, now).unwrap();
    assert_eq!(way.reached(), 110, "{rest:?}");
    on_chain(&chain, reached, &way.into_messages(), now);
}

/// Found in review: when the looks ran out, the updates that had been reached were thrown away, and so for ever.
#[test]
fn what_was_reached_when_the_looks_run_out_is_kept() {
    let chain = rolling(80, |height| height % 2 == 0);
    let now = now(&chain, 80);
    let mut way = start(&chain, 2, 80).unwrap();
    while way.messages.is_empty() {
        let height = way.wants().unwrap();
        way.take(chain.full_update(height), now).unwrap();
    }
    way.asked = ASKED_MAX;
    assert_eq!(way.wants(), None);
    let reached = way.reached();
    assert!(reached > 2 && reached < 80, "{reached}");
    on_chain(&chain, 2, &way.into_messages(), now);
    // Without any update there is nothing to go on from.
    let mut way = start(&chain, 2, 80).unwrap();
    way.asked = ASKED_MAX;
    let height = way.wants().unwrap();
    let got = way.take(chain.full_update(height), now);
    assert!(matches!(got, Err(MaterialError::TooFar { .. })), "{got:?}");
}

#[test]
fn another_state_than_the_client_holds_is_refused() {
    let chain = rolling(10, |_| false);
    let good = state_of(&chain.full_update(5)).unwrap();
    let rows = [
        ("root", NativeState { root: Hash32([7; 32]), ..good }),
        ("time", NativeState { timestamp: Timestamp::from_seconds(START_SECONDS), ..good }),
        ("next validators", NativeState { next_validators_hash: Hash32([7; 32]), ..good }),
    ];
    for (field, held) in rows {
        let known = (5, chain.full_update(5));
        let got = Bisection::start(&chain.config(1), (&holder(), &claim(Some(held))), known, 9);
        assert!(matches!(&got, Err(MaterialError::OtherState { field: at, .. }) if *at == field), "{field}: {got:?}");
    }
    let unknown = Bisection::start(&chain.config(1), (&holder(), &claim(None)), (5, chain.full_update(5)), 9);
    assert!(unknown.is_ok(), "nothing is compared where the chain shows nothing");
}

#[test]
fn what_the_client_would_refuse_is_refused_here() {
    let chain = rolling(40, |_| false);
    let at = now(&chain, 40);
    let code = |got: Result<(), MaterialError>| got.map_err(|error| error.code());
    let take = |update: Vec<u8>, at: Timestamp| code(start(&chain, 5, 40).unwrap().take(update, at));
    assert_eq!(take(chain.full_update(40), at), Ok(()));
    let strangers = {
        let mut other = Chain::new(CHAIN, signers(77, &[10, 10, 10, 10]));
        (0..40).for_each(|_| other.push(Hash32([3; 32])));
        other
    };
    let late = chain.time(5).checked_add_seconds(PERIOD_SECONDS).unwrap();
    let early = Timestamp::from_seconds(START_SECONDS);
    assert_eq!(take(chain.full_update(40), late), Err("NODE-MAT-003"), "the trusted header is too old");
    assert!(take(chain.full_update(40), early).is_err(), "a header from the future");
    assert!(take(chain.full_update(39), at).is_err(), "another height than was asked for");
    assert_eq!(take(b"\xff".to_vec(), at).map_err(|code| code.starts_with("LC-CMT-")), Err(true));
    // Strangers have no share of the trusted power, so a header between is wanted, and theirs never holds.
    let mut way = start(&chain, 5, 40).unwrap();
    let refused = loop {
        let Some(height) = way.wants() else { break Ok(()) };
        if let Err(error) = way.take(strangers.full_update(height), at) {
            break Err(error.code());
        }
    };
    assert!(refused.is_err_and(|code| code.starts_with("LC-CMT-")), "{refused:?}");
    assert!(way.into_messages().is_empty());
    let unsigned = start(&strangers, 5, 40);
    assert!(unsigned.is_ok(), "that the known header is theirs is seen from what the client holds");
}
