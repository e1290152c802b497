//! The light client judges the EVM devnet as it judges any chain: good headers and proofs hold, each fault is refused.
#![cfg(feature = "evm")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod evm_support;

use catenary_devnet::evm::{
    Branch, ConsensusKind, EvmConfig, EvmDevnet, EvmFault, Fork, VALIDATOR_CONTRACT, VALIDATOR_SLOT,
};
use catenary_devnet::fault::Lies;
use catenary_light_clients::ibft2::Ibft2;
use catenary_light_clients::proof::mpt::{encode_proof, StorageProof};
use catenary_light_clients::qbft::{array_slots, encode_update, Config, Qbft, ValidatorContract};
use catenary_light_clients::testing::Network;
use catenary_light_clients::{Address, Anchor, LightClient, Root, Timestamp, Verdict};
use evm_support::*;
use serde_json::{json, Value};

/// A light client that trusts block 1.
fn follow(devnet: &EvmDevnet) -> Qbft {
    let first = devnet.header(Branch::Main, 1).unwrap();
    let anchor = Anchor { height: 1, hash: first.hash };
    Qbft::new(Config { anchor, ..Network::new(1).config() }, &first.rlp).unwrap()
}

/// A time at which none of the blocks is in the future.
fn later(devnet: &EvmDevnet) -> Timestamp {
    Timestamp::from_seconds(START_SECONDS + devnet.height() + 5)
}

fn advance(client: &mut Qbft, devnet: &EvmDevnet, branch: Branch, height: u64) -> Verdict {
    client.advance(&devnet.header(branch, height).unwrap().rlp, later(devnet))
}

fn accept_all(client: &mut Qbft, devnet: &EvmDevnet) {
    for height in client.status().trusted_height + 1..=devnet.height() {
        let verdict = advance(client, devnet, Branch::Main, height);
        assert!(matches!(verdict, Verdict::Verified(_)), "{height}: {verdict:?}");
    }
}

#[tokio::test]
async fn headers_of_every_fork_and_size_verify() {
    for (fork, validators) in Fork::ALL.into_iter().zip([1, 3, 4, 7, 22]) {
        let config = EvmConfig { fork, validators, ..on_demand() };
        let devnet = EvmDevnet::start(config).await.unwrap();
        devnet.mine(4).await.unwrap();
        devnet.set_round(3);
        devnet.mine(2).await.unwrap();
        accept_all(&mut follow(&devnet), &devnet);
        devnet.shutdown().await;
    }
}

#[tokio::test]
async fn validators_come_and_go_by_votes() {
    let devnet = EvmDevnet::start(on_demand()).await.unwrap();
    devnet.mine(1).await.unwrap();
    let mut client = follow(&devnet);
    let fifth = devnet.vote_in();
    devnet.mine(5).await.unwrap();
    assert!(devnet.validators().len() == 5 && devnet.validators().contains(&fifth));
    devnet.vote_out(fifth);
    let first = devnet.validators()[0];
    devnet.vote_out(first);
    devnet.mine(12).await.unwrap();
    assert!(devnet.validators().len() == 3 && !devnet.validators().contains(&first));
    accept_all(&mut client, &devnet);
    assert_eq!(client.validators(), devnet.validators());
    devnet.shutdown().await;
}

#[tokio::test]
async fn ibft2_has_its_own_bytes_and_its_votes() {
    let config = EvmConfig { consensus: ConsensusKind::Ibft2, ..on_demand() };
    let devnet = EvmDevnet::start(config).await.unwrap();
    devnet.mine(1).await.unwrap();
    let first = devnet.header(Branch::Main, 1).unwrap();
    let anchor = Anchor { height: 1, hash: first.hash };
    let mut client = Ibft2::new(Config { anchor: anchor.clone(), ..Network::new(1).config() }, &first.rlp).unwrap();
    let _ = devnet.vote_in();
    devnet.set_round(2);
    devnet.mine(6).await.unwrap();
    devnet.vote_out(devnet.validators()[2]);
    devnet.mine(6).await.unwrap();
    devnet.fault(EvmFault::Strangers).await;
    devnet.mine(1).await.unwrap();
    for height in 2..=14 {
        let verdict = client.advance(&devnet.header(Branch::Main, height).unwrap().rlp, later(&devnet));
        match height {
            14 => assert!(matches!(verdict, Verdict::Rejected(_)), "{verdict:?}"),
            _ => assert!(matches!(verdict, Verdict::Verified(_)), "{height}: {verdict:?}"),
        }
    }
    assert_eq!(client.validators().len(), 4);
    assert!(Qbft::new(Config { anchor, ..Network::new(1).config() }, &first.rlp).is_err(), "the bytes are not QBFT's");
    devnet.shutdown().await;
}

/// An update of contract mode: a header, its parent, and the proof of its validators in the parent's state.
async fn contract_update(devnet: &EvmDevnet, height: u64) -> Vec<u8> {
    let [header, parent] = [height, height - 1].map(|height| devnet.header(Branch::Main, height).unwrap());
    let client = Client::of(devnet);
    let at = format!("{:#x}", height - 1);
    let length = client.ask("eth_getStorageAt", json!([hex(VALIDATOR_CONTRACT), hex(VALIDATOR_SLOT), at])).await;
    let count = usize::from_str_radix(&length.as_str().unwrap()[2..], 16).unwrap();
    let keys: Vec<String> = array_slots(&VALIDATOR_SLOT, count).iter().map(hex).collect();
    let proof = client.ask("eth_getProof", json!([hex(VALIDATOR_CONTRACT), keys, at])).await;
    let slots: Vec<_> = proof["storageProof"].as_array().unwrap().iter().map(|entry| nodes(&entry["proof"])).collect();
    encode_update(&header.rlp, &parent.rlp, &nodes(&proof["accountProof"]), &slots)
}

#[tokio::test]
async fn in_contract_mode_the_set_is_proven_from_the_contract() {
    let config = EvmConfig { consensus: ConsensusKind::QbftContract, ..on_demand() };
    let devnet = EvmDevnet::start(config).await.unwrap();
    devnet.mine(1).await.unwrap();
    let anchor = Anchor { height: 1, hash: devnet.header(Branch::Main, 1).unwrap().hash };
    let contract = ValidatorContract { address: VALIDATOR_CONTRACT, slot: VALIDATOR_SLOT };
    let config = Config { anchor, validator_contract: Some(contract), ..Network::new(1).config() };
    let mut client = Qbft::new(config, &contract_update(&devnet, 1).await).unwrap();
    let fifth = devnet.vote_in();
    devnet.mine(3).await.unwrap();
    devnet.vote_out(devnet.validators()[1]);
    devnet.mine(3).await.unwrap();
    for height in 2..=devnet.height() {
        let verdict = client.advance(&contract_update(&devnet, height).await, later(&devnet));
        assert!(matches!(verdict, Verdict::Verified(_)), "{height}: {verdict:?}");
    }
    assert_eq!(client.validators(), devnet.validators());
    assert!(client.validators().contains(&fifth) && client.validators().len() == 4);
    // getValidators() of the contract, as Besu asks it.
    let call = json!([{ "to": hex(VALIDATOR_CONTRACT), "data": "0xb7ab4db5" }, "latest"]);
    let answer = Client::of(&devnet).ask("eth_call", call).await;
    let listed = devnet.validators();
    let mut expect = words(32, listed.len() as u64);
    listed.iter().for_each(|validator| expect.extend([&[0; 12][..], &validator.0].concat()));
    assert_eq!(answer, json!(hex(expect)));
    devnet.shutdown().await;
}

/// The code with which a fault is refused in another form of the consensus; none where there is nothing to refuse.
async fn refusal(consensus: ConsensusKind, fault: EvmFault) -> Option<String> {
    let devnet = EvmDevnet::start(EvmConfig { consensus, ..on_demand() }).await.unwrap();
    devnet.mine(3).await.unwrap();
    devnet.fault(fault).await;
    devnet.mine(1).await.unwrap();
    let anchor = Anchor { height: 1, hash: devnet.header(Branch::Main, 1).unwrap().hash };
    let mut config = Config { anchor, ..Network::new(1).config() };
    let in_contract = consensus == ConsensusKind::QbftContract;
    config.validator_contract =
        in_contract.then_some(ValidatorContract { address: VALIDATOR_CONTRACT, slot: VALIDATOR_SLOT });
    let mut updates = Vec::new();
    for height in 1..=4 {
        updates.push(match consensus {
            ConsensusKind::QbftContract => contract_update(&devnet, height).await,
            ConsensusKind::Qbft | ConsensusKind::Ibft2 => devnet.header(Branch::Main, height).unwrap().rlp,
        });
    }
    let mut client: Box<dyn LightClient> = match consensus {
        ConsensusKind::Ibft2 => Box::new(Ibft2::new(config, &updates[0]).unwrap()),
        ConsensusKind::Qbft | ConsensusKind::QbftContract => Box::new(Qbft::new(config, &updates[0]).unwrap()),
    };
    let verdicts: Vec<_> = updates[1..].iter().map(|update| client.advance(update, later(&devnet))).collect();
    assert!(verdicts[..2].iter().all(|verdict| matches!(verdict, Verdict::Verified(_))), "{verdicts:?}");
    devnet.shutdown().await;
    match &verdicts[2] {
        Verdict::Verified(_) => None,
        Verdict::Rejected(rejection) => Some(rejection.code.to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn faults_are_refused_in_every_form_of_the_consensus() {
    let rows = [
        (EvmFault::BelowQuorum, ["LC-QUO-003"; 2]),
        (EvmFault::RepeatedSeal, ["LC-QBFT-019"; 2]),
        (EvmFault::Strangers, ["LC-QBFT-018"; 2]),
        (EvmFault::ForgedValidators, ["LC-QBFT-017", "LC-QBFT-011"]),
        (EvmFault::UnvotedValidator, ["LC-QBFT-017", "LC-QBFT-041"]),
        (EvmFault::StuckTime, ["LC-QBFT-016"; 2]),
        (EvmFault::StoppedThird, [""; 2]),
    ];
    for (fault, expect) in rows {
        for (consensus, expect) in [ConsensusKind::Ibft2, ConsensusKind::QbftContract].into_iter().zip(expect) {
            let got = refusal(consensus, fault.clone()).await.unwrap_or_default();
            assert_eq!(got, expect, "{fault:?} of {consensus:?}");
        }
    }
}

fn nodes(list: &Value) -> Vec<Vec<u8>> {
    let node = |node: &Value| hex::decode(node.as_str().unwrap().trim_start_matches("0x")).unwrap();
    list.as_array().unwrap().iter().map(node).collect()
}

fn verify(root: &Root, address: [u8; 20], slot: &[u8; 32], proof: &[u8]) -> Result<Option<[u8; 32]>, String> {
    let proof = StorageProof::decode(proof).map_err(|error| error.to_string())?;
    proof.verify(root, &Address(address), slot).map(|(_, value)| value).map_err(|error| error.to_string())
}

#[tokio::test]
async fn proofs_hold_against_the_roots_of_sealed_headers_at_any_height() {
    let devnet = EvmDevnet::start(on_demand()).await.unwrap();
    let client = Client::of(&devnet);
    let store = deploy_store(&devnet, &client).await;
    for n in 0..40 {
        let draft = Draft { nonce: n + 1, to: Some(store), data: words(n % 25, n + 100), ..Draft::default() };
        client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
        if n % 4 == 3 {
            devnet.mine(1).await.unwrap();
        }
    }
    // What slot s holds after n writes: the newest of those that hit it.
    let expect = |slot: u64, writes: u64| (0..writes).rev().find(|n| n % 25 == slot).map(|n| n + 100);
    let mut light = follow(&devnet);
    accept_all(&mut light, &devnet);
    for height in [1, 2, 5, 11] {
        let header = light.header(height).unwrap();
        let slots = [0u64, 3, 24, 25, 1_000];
        let keys: Vec<String> = slots.iter().map(|slot| hex(&words(*slot, 0)[..32])).collect();
        let answer = client.ask("eth_getProof", json!([hex(store), keys, format!("{height:#x}")])).await;
        for (entry, slot) in answer["storageProof"].as_array().unwrap().iter().zip(slots) {
            let proof = encode_proof(&nodes(&answer["accountProof"]), &nodes(&entry["proof"]));
            let slot_bytes: [u8; 32] = words(slot, 0)[..32].try_into().unwrap();
            let value = verify(&header.root, store, &slot_bytes, &proof).unwrap();
            let expect = expect(slot, (height - 1) * 4).filter(|_| slot < 25);
            let value = value.map(|word| u64::from_be_bytes(word[24..].try_into().unwrap()));
            assert_eq!(value, expect, "slot {slot} at {height}");
        }
    }
    devnet.shutdown().await;
}

/// The codes with which the light client answers a fault; empty where there is nothing to refuse.
fn expected(fault: &EvmFault) -> &'static [&'static str] {
    match fault {
        EvmFault::BelowQuorum => &["LC-QUO-003"],
        EvmFault::RepeatedSeal => &["LC-QBFT-019"],
        EvmFault::Strangers => &["LC-QBFT-018"],
        EvmFault::ForgedValidators | EvmFault::UnvotedValidator => &["LC-QBFT-017"],
        EvmFault::StuckTime => &["LC-QBFT-016"],
        EvmFault::FutureTime { .. } => &["LC-TRUST-005"],
        _ => &[],
    }
}

#[tokio::test]
async fn each_fault_of_the_validators_is_seen_and_healing_goes_on_where_it_was() {
    for fault in EvmFault::catalogue() {
        let devnet = EvmDevnet::start(on_demand()).await.unwrap();
        devnet.mine(10).await.unwrap();
        let mut client = follow(&devnet);
        accept_all(&mut client, &devnet);
        let before = devnet.header(Branch::Main, 10).unwrap();
        devnet.fault(fault.clone()).await;
        let mined = devnet.mine(1).await;
        match &fault {
            EvmFault::StoppedHalf => assert!(mined.is_err() && devnet.height() == 10),
            EvmFault::StoppedThird => accept_all(&mut client, &devnet),
            EvmFault::WrongStateRoot => {
                accept_all(&mut client, &devnet);
                let answer = Client::of(&devnet).ask("eth_getProof", json!([hex([7; 20]), [], "0xb"])).await;
                let root = client.header(11).unwrap();
                let proof = encode_proof(&nodes(&answer["accountProof"]), &[]);
                assert!(verify(&root.root, [7; 20], &[0; 32], &proof).is_err());
            }
            EvmFault::Equivocation => equivocation(&mut client, &devnet, 11),
            EvmFault::Fork { depth } => equivocation(&mut client, &devnet, 11 - depth),
            EvmFault::RollBack { depth } => {
                assert_ne!(devnet.header(Branch::Main, 10).unwrap(), before);
                let verdict = advance(&mut client, &devnet, Branch::Main, 11 - depth);
                assert!(matches!(verdict, Verdict::Conflict(_)), "{verdict:?}");
            }
            EvmFault::ReplayedHeader { height } => {
                assert_eq!(devnet.header(Branch::Main, 11).unwrap().height, *height);
            }
            _ => {
                let verdict = advance(&mut client, &devnet, Branch::Main, 11);
                let Verdict::Rejected(rejection) = &verdict else { panic!("{fault:?}: {verdict:?}") };
                let codes = expected(&fault);
                assert!(codes.contains(&rejection.code), "{fault:?}: {rejection:?}");
            }
        }
        devnet.heal();
        devnet.mine(2).await.unwrap();
        if !matches!(
            fault,
            EvmFault::RollBack { .. } | EvmFault::WrongStateRoot | EvmFault::Equivocation | EvmFault::Fork { .. }
        ) {
            accept_all(&mut client, &devnet);
        }
        devnet.shutdown().await;
    }
}

/// Both halves verify by themselves, so whoever sees both has proof.
fn equivocation(client: &mut Qbft, devnet: &EvmDevnet, height: u64) {
    let [main, other] = [Branch::Main, Branch::Other].map(|branch| devnet.header(branch, height).unwrap());
    assert!(main.hash != other.hash && main.height == other.height);
    let found = client.misbehaviour(&main.rlp, &other.rlp, later(devnet));
    assert!(found.is_ok(), "{found:?}");
    let verdict = advance(client, devnet, Branch::Main, height);
    assert!(matches!(verdict, Verdict::Verified(_) | Verdict::Conflict(_)), "{verdict:?}");
}

#[tokio::test]
async fn two_endpoints_show_two_chains_and_one_again_after_healing() {
    let devnet = EvmDevnet::start(on_demand()).await.unwrap();
    devnet.mine(2).await.unwrap();
    let other = devnet.endpoint_on(Branch::Other, Lies::default()).await.unwrap();
    let clients = [Client::of(&devnet), Client::new(other.url())];
    let draft = Draft { value: 7, ..Draft::default() };
    clients[0].ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await;
    devnet.fault(EvmFault::Equivocation).await;
    devnet.mine(3).await.unwrap();
    let mut heads = Vec::new();
    for client in &clients {
        let head = client.ask("eth_getBlockByNumber", json!(["latest", false])).await;
        let balance = client.ask("eth_getBalance", json!([hex([9; 20])])).await;
        heads.push((number(&head["number"]), head["hash"].clone(), balance));
    }
    assert_eq!((heads[0].0, heads[1].0), (5, 5));
    assert_ne!(heads[0].1, heads[1].1);
    assert_eq!((&heads[0].2, &heads[1].2), (&json!("0x7"), &json!("0x0")), "paid on one chain only");
    devnet.heal();
    let head = clients[1].ask("eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(head["hash"], heads[0].1);
    other.close().await;
    devnet.shutdown().await;
}

#[tokio::test]
async fn undone_blocks_take_their_transactions_with_them_and_healed_ones_bring_them_back() {
    let devnet = EvmDevnet::start(on_demand()).await.unwrap();
    let client = Client::of(&devnet);
    let send = |nonce: u64| {
        let (client, draft) = (client.clone(), Draft { nonce, value: 7, ..Draft::default() });
        async move { client.ask("eth_sendRawTransaction", json!([hex(draft.legacy(&user()))])).await }
    };
    let lost = send(0).await;
    devnet.mine(1).await.unwrap();
    devnet.fault(EvmFault::RollBack { depth: 1 }).await;
    assert_eq!(devnet.height(), 1);
    assert_eq!(client.ask("eth_getTransactionByHash", json!([lost])).await, Value::Null);
    devnet.fault(EvmFault::Strangers).await;
    let kept = send(0).await;
    devnet.mine(1).await.unwrap();
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([kept])).await["blockNumber"], "0x2");
    devnet.heal();
    assert_eq!(devnet.height(), 1);
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([kept])).await, Value::Null);
    devnet.mine(1).await.unwrap();
    assert_eq!(client.ask("eth_getTransactionReceipt", json!([kept])).await["blockNumber"], "0x2");
    accept_all(&mut follow(&devnet), &devnet);
    devnet.shutdown().await;
}
