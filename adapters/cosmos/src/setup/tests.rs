//! Setup calls against the bytes of the real modules (`tests/vectors/ibc`), and what they refuse.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use serde_json::Value;

use super::*;

/// The field at fault, and what spoils it.
type Spoilt = (&'static str, fn(&mut Transfer));

const SIGNER: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";

fn row(name: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/ibc/messages.json")).unwrap();
    let rows = file["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("row {name}")).clone()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn check(row: &Value, call: Result<Call>) {
    let call = call.unwrap();
    assert_eq!(call.type_url, row["type_url"].as_str().unwrap());
    assert_eq!(hex::encode(&call.data), row["protobuf_hex"].as_str().unwrap(), "{}", row["name"]);
    assert_eq!(call.to, None);
}

fn attestors() -> Vec<Address> {
    let row = row("create an attestations client");
    let decode = |value: &Value| hex::decode(&text(value)[2..]).unwrap().try_into().unwrap();
    row["fields"]["attestor_addresses"].as_array().unwrap().iter().map(decode).collect()
}

const STATE: StateAttestation = StateAttestation { height: 100, timestamp_seconds: 1_795_000_000 };

#[test]
fn a_client_is_created_in_exactly_these_bytes() {
    let row = row("create an attestations client");
    let call = create_client(SIGNER, &attestors(), 2, STATE).unwrap();
    let message: MsgCreateClient = catenary_protocol::proto::decode_strict("message", &call.data).unwrap();
    let state = message.client_state.unwrap();
    let state: AttestationClientState = catenary_protocol::proto::decode_strict("state", &state.value).unwrap();
    // The module takes addresses in any case; ours are lower-case, the row's have a checksum in their case.
    let rows = row["fields"]["attestor_addresses"].as_array().unwrap();
    let expect: Vec<String> = rows.iter().map(|address| text(address).to_lowercase()).collect();
    assert_eq!(state.attestor_addresses, expect);
    let consensus = message.consensus_state.unwrap();
    assert_eq!(hex::encode(consensus.encode_to_vec()), text(&row["fields"]["consensus_state_any_hex"]));

    let mixed_case = hex::decode(text(&row["protobuf_hex"])).unwrap();
    assert_eq!(mixed_case.to_ascii_lowercase(), call.data.to_ascii_lowercase(), "the same but for that case");
}

#[test]
fn the_other_calls_have_the_bytes_of_the_modules() {
    let evm = row("register an evm counterparty");
    let fields = &evm["fields"];
    let register = register_counterparty(
        fields["signer"].as_str().unwrap(),
        fields["client_id"].as_str().unwrap(),
        fields["counterparty_client_id"].as_str().unwrap(),
    );
    check(&evm, register);
    for name in ["transfer of a native denom to evm", "transfer of a voucher home", "receiver of 2048 bytes"] {
        let row = row(name);
        let fields = &row["fields"];
        let arguments = Transfer {
            client_id: text(&fields["source_channel"]),
            denom: text(&fields["denom"]),
            amount: text(&fields["amount"]),
            receiver: text(&fields["receiver"]),
            timeout_seconds: fields["timeout_seconds"].as_u64().unwrap(),
            memo: text(&fields["memo"]),
        };
        check(&row, transfer(fields["sender"].as_str().unwrap(), &arguments));
    }
    let send = row("bank send");
    let fields = &send["fields"];
    let (from, to) = (text(&fields["from"]), text(&fields["to"]));
    check(&send, bank_send("cosmos", &from, &to, &text(&fields["denom"]), &text(&fields["amount"])));
}

#[test]
fn clients_that_cannot_work_are_refused() {
    let three = attestors();
    let twice = vec![three[0], three[1], three[0]];
    let many: Vec<Address> = (0..65).map(|n| [n; 20]).collect();
    let at = |height, timestamp_seconds| StateAttestation { height, timestamp_seconds };
    let rows = [
        ("attestors", create_client(SIGNER, &[], 1, STATE)),
        ("attestors", create_client(SIGNER, &twice, 2, STATE)),
        ("attestors", create_client(SIGNER, &many, 2, STATE)),
        ("min_required_sigs", create_client(SIGNER, &three, 0, STATE)),
        ("min_required_sigs", create_client(SIGNER, &three, 4, STATE)),
        ("height", create_client(SIGNER, &three, 2, at(0, 1))),
        ("timestamp_seconds", create_client(SIGNER, &three, 2, at(1, 0))),
        ("timestamp_seconds", create_client(SIGNER, &three, 2, at(1, u64::MAX / NANOS + 1))),
        ("client_id", register_counterparty(SIGNER, "short-0", "client-0")),
        ("counterparty_client_id", register_counterparty(SIGNER, "attestations-0", "client")),
    ];
    for (expect, got) in rows {
        assert!(matches!(&got, Err(Error::Argument { field, .. }) if *field == expect), "{expect}: {got:?}");
    }
}

#[test]
fn transfers_that_cannot_work_are_refused() {
    let good = Transfer {
        client_id: "attestations-0".into(),
        denom: "stake".into(),
        amount: "1".into(),
        receiver: "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266".into(),
        timeout_seconds: 1,
        memo: String::new(),
    };
    assert!(transfer(SIGNER, &good).is_ok());
    let rows: &[Spoilt] = &[
        ("client_id", |t| t.client_id = "x-1".into()),
        ("denom", |t| t.denom.clear()),
        ("denom", |t| t.denom = "1stake".into()),
        ("denom", |t| t.denom = "st ake".into()),
        ("denom", |t| t.denom = "ab".into()),
        ("amount", |t| t.amount = "0".into()),
        ("amount", |t| t.amount = "01".into()),
        ("amount", |t| t.amount = "-1".into()),
        ("amount", |t| t.amount = "1.5".into()),
        ("amount", |t| t.amount.clear()),
        ("amount", |t| t.amount = "9".repeat(79)),
        ("receiver", |t| t.receiver.clear()),
        ("receiver", |t| t.receiver = "r".repeat(2_049)),
        ("memo", |t| t.memo = "m".repeat(32_769)),
        ("timeout_seconds", |t| t.timeout_seconds = 0),
    ];
    for (expect, spoil) in rows {
        let mut arguments = good.clone();
        spoil(&mut arguments);
        let got = transfer(SIGNER, &arguments);
        assert!(matches!(&got, Err(Error::Argument { field, .. }) if field == expect), "{expect}: {got:?}");
    }
    let elsewhere = bank_send("osmo", SIGNER, SIGNER, "stake", "1");
    assert!(matches!(elsewhere, Err(Error::Argument { field: "receiver", .. })), "{elsewhere:?}");
}
