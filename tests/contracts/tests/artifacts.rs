//! The committed artifacts fit the networks they are for, and are what the hand-written declarations say.
#![allow(missing_docs, reason = "tests name themselves")]

use std::collections::BTreeSet;

use alloy_sol_types::{SolEvent, SolInterface};
use catenary_contract_tests::abi::{LightClient, Router, Token, Transfer};
use catenary_contract_tests::artifact::{contracts_dir, creation_code, deployed_code, load};
use serde_json::Value;

const CONTRACTS: [&str; 6] =
    ["ICS26Router", "AttestationLightClient", "ICS20Transfer", "Escrow", "IBCERC20", "TestERC20"];

/// EIP-170.
const CODE_SIZE_LIMIT_BYTES: usize = 24_576;

/// Opcodes that Berlin does not have: BASEFEE, BLOBHASH, BLOBBASEFEE, TLOAD, TSTORE, MCOPY, PUSH0.
const AFTER_BERLIN: [u8; 7] = [0x48, 0x49, 0x4a, 0x5c, 0x5d, 0x5e, 0x5f];

/// Opcodes of a code, without what PUSH carries. Constants and other contracts' code stand behind an INVALID, so it ends
/// there.
fn opcodes(code: &[u8]) -> Vec<u8> {
    const INVALID: u8 = 0xfe;
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(opcode) = code.get(at).filter(|opcode| **opcode != INVALID) {
        found.push(*opcode);
        at += 1;
        if (0x60..=0x7f).contains(opcode) {
            at += usize::from(opcode - 0x5f);
        }
    }
    // Without this an early INVALID would make the check look at nothing.
    assert!(at * 10 > code.len() * 6, "{at} of {} bytes are code", code.len());
    found
}

#[test]
fn the_code_runs_on_berlin_and_fits_the_size_limit() {
    for name in CONTRACTS {
        let code = deployed_code(name);
        assert!(!code.is_empty() && code.len() <= CODE_SIZE_LIMIT_BYTES, "{name}: {} bytes", code.len());
        let seen = opcodes(&code);
        let newer: Vec<_> = seen.iter().filter(|opcode| AFTER_BERLIN.contains(opcode)).collect();
        assert!(newer.is_empty(), "{name} has opcodes {newer:02x?}");
        assert!(creation_code(name).len() < 49_152, "{name}");
        let settings = &load(name)["compiler"]["settings"];
        assert_eq!(settings["evmVersion"], "berlin");
        assert_eq!(settings["metadata"]["bytecodeHash"], "none", "the bytecode depends on nothing else");
    }
}

/// `name(type,...)` of an ABI entry.
fn signature(entry: &Value) -> String {
    let inputs = entry["inputs"].as_array().expect("inputs").iter().map(type_name).collect::<Vec<_>>();
    format!("{}({})", entry["name"].as_str().expect("a name"), inputs.join(","))
}

fn type_name(input: &Value) -> String {
    let name = input["type"].as_str().expect("a type");
    match name.strip_prefix("tuple") {
        None => name.to_owned(),
        Some(array) => {
            let parts = input["components"].as_array().expect("components").iter().map(type_name);
            format!("({}){array}", parts.collect::<Vec<_>>().join(","))
        }
    }
}

fn signatures(name: &str, kind: &str) -> BTreeSet<String> {
    let artifact = load(name);
    let entries = artifact["abi"].as_array().expect("an ABI").iter();
    entries.filter(|entry| entry["type"] == kind).map(signature).collect()
}

fn contains(artifact: &str, kind: &str, declared: &[&str]) {
    let found = signatures(artifact, kind);
    for signature in declared {
        assert!(found.contains(*signature), "{artifact} has no {kind} {signature}, it has {found:#?}");
    }
}

/// The surface that relayers and other tools of the public router know, spelled out.
#[test]
fn the_surface_is_the_one_of_the_protocol() {
    const PACKET: &str = "(uint64,string,string,uint64,(string,string,string,string,bytes)[])";
    let with = |text: &str| text.replace("PACKET", PACKET);
    contains(
        "ICS26Router",
        "function",
        &[
            "sendPacket((string,uint64,(string,string,string,string,bytes)))",
            &with("recvPacket((PACKET,bytes,(uint64,uint64)))"),
            &with("ackPacket((PACKET,bytes,bytes,(uint64,uint64)))"),
            &with("timeoutPacket((PACKET,bytes,(uint64,uint64)))"),
            "addIBCApp(string,address)",
            "multicall(bytes[])",
            "getCommitment(bytes32)",
            "addClient((string,bytes[]),address)",
            "updateClient(string,bytes)",
            "submitMisbehaviour(string,bytes)",
            "migrateClient(string,(string,bytes[]),address)",
            "getClient(string)",
            "getCounterparty(string)",
        ],
    );
    contains(
        "ICS26Router",
        "event",
        &[
            &with("SendPacket(string,uint256,PACKET)"),
            &with("WriteAcknowledgement(string,uint256,PACKET,bytes[])"),
            &with("AckPacket(string,uint256,PACKET,bytes)"),
            &with("TimeoutPacket(string,uint256,PACKET)"),
            "Noop()",
            "IBCAppRecvPacketCallbackError(bytes)",
        ],
    );
    contains(
        "AttestationLightClient",
        "function",
        &[
            "updateClient(bytes)",
            "verifyMembership((bytes,(uint64,uint64),bytes[],bytes))",
            "verifyNonMembership((bytes,(uint64,uint64),bytes[]))",
            "misbehaviour(bytes)",
            "getClientState()",
            "getConsensusTimestamp(uint64)",
        ],
    );
    contains(
        "ICS20Transfer",
        "function",
        &[
            "sendTransfer((address,uint256,string,string,string,uint64,string))",
            "ibcERC20Contract(string)",
            "getEscrow(string)",
        ],
    );
    assert_eq!(Router::SendPacket::SIGNATURE, with("SendPacket(string,uint256,PACKET)"));
    let indexed = |event: &str| -> Vec<bool> {
        let artifact = load("ICS26Router");
        let entries = artifact["abi"].as_array().expect("an ABI").clone();
        let entry = entries.into_iter().find(|e| e["type"] == "event" && e["name"] == event).expect("the event");
        entry["inputs"].as_array().expect("inputs").iter().map(|i| i["indexed"] == true).collect()
    };
    for event in ["SendPacket", "WriteAcknowledgement", "AckPacket", "TimeoutPacket"] {
        assert_eq!(indexed(event)[..3], [true, true, false], "{event}");
    }
}

/// What a contract can revert with is declared in the tests, so that no error is left out of them.
#[test]
fn every_error_is_declared_in_the_tests() {
    let open_zeppelin = [
        "AccessControlBadConfirmation",
        "ExpectedPause",
        "AddressEmptyCode",
        "FailedCall",
        "SafeERC20FailedOperation",
        "StringsInsufficientHexLength",
        "StringsInvalidAddressFormat",
        "StringsInvalidChar",
        "ERC20Invalid",
        "ECDSAInvalid",
    ];
    let check = |artifact: &str, declared: &[&str]| {
        for error in signatures(artifact, "error") {
            let known = open_zeppelin.iter().any(|name| error.starts_with(name));
            assert!(known || declared.iter().any(|name| error == **name), "{artifact}: {error} is not declared");
        }
    };
    let names = |selectors: &mut dyn Iterator<Item = [u8; 4]>, name: fn([u8; 4]) -> Option<&'static str>| {
        selectors.filter_map(name).collect::<Vec<_>>()
    };
    use catenary_contract_tests::abi::{LightClient::LightClientErrors, Router::RouterErrors};
    use catenary_contract_tests::abi::{Token::TokenErrors, Transfer::TransferErrors};
    let router = names(&mut RouterErrors::selectors(), RouterErrors::signature_by_selector);
    let client = names(&mut LightClientErrors::selectors(), LightClientErrors::signature_by_selector);
    let mut transfer = names(&mut TransferErrors::selectors(), TransferErrors::signature_by_selector);
    transfer.push("ReentrancyGuardReentrantCall()");
    let token = names(&mut TokenErrors::selectors(), TokenErrors::signature_by_selector);
    check("ICS26Router", &router);
    check("AttestationLightClient", &client);
    check("ICS20Transfer", &transfer);
    check("IBCERC20", &token);
    check("Escrow", &token);
    let _ = (LightClient::ConsensusStateAdded::SIGNATURE, Token::nameCall {}, Transfer::ics26Call {});
}

/// A manifest of the compiler and library, pinned exactly.
#[test]
fn the_toolchain_is_pinned_exactly() {
    let text = std::fs::read_to_string(contracts_dir().join("package.json")).expect("the manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    for (name, version) in manifest["dependencies"].as_object().expect("dependencies") {
        let version = version.as_str().expect("a version");
        assert!(version.chars().all(|c| c.is_ascii_digit() || c == '.'), "{name} {version}");
        if name == "solc" {
            let compiler = load("ICS26Router")["compiler"]["version"].as_str().expect("a version").to_owned();
            assert!(compiler.starts_with(version), "{compiler} against {version}");
        }
    }
}
