//! The handler on what the real ibc-go made: its messages, its attestations, and a real chain's transactions with the
//! events that the chain answered.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine as _;
use catenary_light_clients::Timestamp;
use catenary_protocol::handler::{
    atomically, escrow_account, state, voucher_trace, AttestationClient, Bank, Claim, ClientType, Context, Error,
    Event, Handler, Height, Key, MemoryHost, NewClient, Proof, Rendered, Status, Store, TransferApp, Update,
};
use catenary_protocol::path::Kind;
use catenary_protocol::{limits, proto};
use prost::Message;
use serde_json::Value;

use super::rig::{client_state, consensus_state};

fn vectors(file: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn rows(file: &str) -> Vec<Value> {
    let rows = vectors(&format!("ibc/{file}"))["rows"].as_array().unwrap().clone();
    assert!(!rows.is_empty());
    rows
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

fn handler() -> Handler<MemoryHost> {
    Handler::new().with_client(AttestationClient).with_app(TransferApp)
}

/// What ibc-go's own check says of a client state is what creating the client says.
#[test]
fn client_states_are_judged_as_ibc_go_judges_them() {
    for row in rows("client_states.json") {
        let name = row["name"].as_str().unwrap();
        let message = proto::MsgCreateClient {
            client_state: Some(proto::decode_strict("any", &bytes(&row["client_state_any_hex"])).unwrap()),
            consensus_state: Some(proto::decode_strict("any", &bytes(&row["consensus_state_any_hex"])).unwrap()),
            signer: "alice".into(),
        };
        let mut host = MemoryHost::default();
        let context = Context { time: Timestamp::from_seconds(1), signer: "alice" };
        let got = code(handler().handle(&mut host, context, proto::MSG_CREATE_CLIENT, &message.encode_to_vec()));
        let expect = match name {
            "frozen" => "PR-HND-012",
            "height zero: the module takes it" => "PR-HND-014",
            _ if row["accepted_by_ibc_go"] == true => "ok",
            _ => "PR-HND-014",
        };
        assert_eq!(got, expect, "{name}");
        if got == "ok" {
            assert_eq!(host.get(&Key::client_state("attestations-0")), Some(bytes(&row["client_state_any_hex"])));
            let height = Height { revision: 0, height: row["latest_height"].as_u64().unwrap() };
            let consensus = host.get(&Key::consensus_state("attestations-0", height));
            assert_eq!(consensus, Some(bytes(&row["consensus_state_any_hex"])), "{name}");
        }
    }
}

/// The client of `proof_verdicts.json`: attestors 1, 2, 3, threshold 2, one state, at height 100.
fn judge(row: &Value) -> Result<(), Error> {
    let states = rows("client_states.json");
    let state = proto::decode_strict("any", &bytes(&states[0]["client_state_any_hex"])).unwrap();
    let consensus = consensus_state(1_795_000_000);
    let new = NewClient { id: "attestations-0", client_state: &state, consensus_state: &consensus };
    let mut host = MemoryHost::default();
    let time = Timestamp::from_seconds(1);
    AttestationClient.create(&mut host, &new, time).unwrap();
    let proof = bytes(&row["proof_hex"]);
    if row["call"] == "update" {
        let message = proto::Any { type_url: proto::ATTESTATION_PROOF.into(), value: proof };
        let update = AttestationClient.update(&mut host, "attestations-0", &message, time)?;
        let height = Height { revision: 0, height: row["height"].as_u64().unwrap() };
        assert_eq!(update, Update::Heights(vec![height]));
        assert_eq!(AttestationClient.latest_height(&host, "attestations-0"), Ok(height));
        return Ok(());
    }
    let height = Height { revision: 0, height: row["height"].as_u64().unwrap() };
    let path = [bytes(&row["path_hex"])];
    let value = (row["call"] == "membership").then(|| bytes(&row["value_hex"]));
    let claim = Claim { path: &path, value: value.as_deref() };
    AttestationClient.verify(&host, "attestations-0", &Proof { height, bytes: &proof }, &claim)
}

#[test]
fn proofs_are_judged_as_ibc_go_judges_them() {
    // Code by name; every other row that ibc-go accepts is accepted.
    let refusals = [
        ("high s: the module takes it, the project refuses it", "PR-ATT-001"),
        ("one signature of two", "PR-ATT-004"),
        ("no signature", "PR-ATT-004"),
        ("same signer twice", "PR-ATT-003"),
        ("same signer twice, malleated", "PR-ATT-001"),
        ("unknown signer beside two good ones", "PR-ATT-002"),
        ("signed with the packet tag", "PR-ATT-002"),
        ("signature of 64 bytes", "PR-PKT-001"),
        ("recovery id 29", "PR-ATT-001"),
        ("no state at that height", "PR-HND-013"),
        ("attested for another height", "PR-HND-017"),
        ("another value", "PR-HND-018"),
        ("another path", "PR-HND-018"),
        ("value of 31 bytes", "PR-PKT-001"),
        ("signed with the state tag", "PR-ATT-002"),
        ("below the threshold", "PR-ATT-004"),
        ("empty list", "PR-HND-018"),
        ("absence of a path that is present", "PR-HND-019"),
        ("absence of a path that is not named", "PR-HND-018"),
        ("path named once absent and once present", "PR-HND-019"),
    ];
    let mut refused = 0;
    for row in rows("proof_verdicts.json") {
        let name = row["name"].as_str().unwrap();
        let expect = refusals.iter().find(|(known, _)| *known == name).map_or("ok", |(_, code)| code);
        assert_eq!(code(judge(&row)), expect, "{name}");
        if expect == "ok" {
            assert_eq!(row["accepted_by_ibc_go"], true, "{name}: never more lenient than ibc-go");
        } else {
            refused += 1;
        }
    }
    assert_eq!(refused, refusals.len());
}

/// Every state attestation of the public vectors updates a client, twice with one result, and freezes it with another
/// time; every packet attestation proves what it says.
#[test]
fn public_attestations_verify() {
    let states = rows("client_states.json");
    let state: proto::Any = proto::decode_strict("any", &bytes(&states[0]["client_state_any_hex"])).unwrap();
    let (id, time) = ("attestations-0", Timestamp::from_seconds(1));
    for row in rows("state_attestations.json") {
        let mut host = MemoryHost::default();
        let consensus = consensus_state(7);
        let new = NewClient { id, client_state: &state, consensus_state: &consensus };
        AttestationClient.create(&mut host, &new, time).unwrap();
        let message: proto::Any = proto::decode_strict("any", &bytes(&row["proof_any_hex"])).unwrap();
        let height = Height { revision: 0, height: row["height"].as_u64().unwrap() };
        for _ in 0..2 {
            let update = AttestationClient.update(&mut host, id, &message, time);
            assert_eq!(update, Ok(Update::Heights(vec![height])), "{}", row["name"]);
        }
        let seconds = AttestationClient.timestamp(&host, id, height).unwrap();
        assert_eq!(seconds, Timestamp::from_seconds(row["timestamp_seconds"].as_u64().unwrap()));
        let latest = AttestationClient.latest_height(&host, id).unwrap();
        assert_eq!(latest.height, height.height.max(100), "never lower than before");
        let other = proto::Any { type_url: proto::ATTESTATION_CONSENSUS_STATE.into(), ..consensus_state(3) };
        host.set(&Key::consensus_state(id, height), other.encode_to_vec());
        assert_eq!(AttestationClient.update(&mut host, id, &message, time), Ok(Update::Misbehaviour));
        assert_eq!(AttestationClient.status(&host, id, time), Ok(Status::Frozen));
    }
    for row in rows("packet_attestations.json") {
        let mut host = MemoryHost::default();
        let mut state: proto::AttestationClientState = proto::decode_strict("state", &state.value).unwrap();
        state.latest_height = row["height"].as_u64().unwrap();
        let state = super::rig::any(proto::ATTESTATION_CLIENT_STATE, &state);
        let consensus = consensus_state(7);
        let new = NewClient { id, client_state: &state, consensus_state: &consensus };
        AttestationClient.create(&mut host, &new, time).unwrap();
        let height = Height { revision: 0, height: row["height"].as_u64().unwrap() };
        let proof = bytes(&row["proof_hex"]);
        for packet in row["packets"].as_array().unwrap() {
            let (path, commitment) = ([bytes(&packet["path_hex"])], bytes(&packet["commitment_hex"]));
            let value = (commitment != [0; 32]).then_some(commitment.as_slice());
            let claim = Claim { path: &path, value };
            let proof = Proof { height, bytes: &proof };
            assert_eq!(AttestationClient.verify(&host, id, &proof, &claim), Ok(()), "{}", row["name"]);
            // The opposite is refused.
            let claim = Claim { path: &path, value: value.is_none().then_some(&[7; 32]) };
            assert!(AttestationClient.verify(&host, id, &proof, &claim).is_err(), "{}", row["name"]);
        }
    }
}

/// Every message of the public vectors is decoded: what refuses it is a rule, never its bytes.
#[test]
fn golden_messages_are_read() {
    for row in rows("messages.json") {
        let (name, type_url) = (row["name"].as_str().unwrap(), row["type_url"].as_str().unwrap());
        let fields = &row["fields"];
        let signer = fields["signer"].as_str().or_else(|| fields["sender"].as_str()).unwrap_or("other");
        let context = Context { time: Timestamp::from_seconds(1_794_999_000), signer };
        let mut host = MemoryHost::default();
        let expect = match type_url {
            proto::MSG_CREATE_CLIENT => "ok",
            proto::MSG_REGISTER_COUNTERPARTY => "PR-HND-004",
            proto::MSG_UPDATE_CLIENT => "PR-HND-011",
            proto::MSG_TRANSFER if fields["denom"].as_str().unwrap().starts_with("ibc/") => "PR-TRF-007",
            proto::MSG_TRANSFER if name.starts_with("amount zero") => "PR-TRF-009",
            proto::MSG_TRANSFER if row["accepted_by_ibc_go"] != true => "PR-PKT-001",
            proto::MSG_RECV_PACKET | proto::MSG_ACKNOWLEDGEMENT | proto::MSG_TIMEOUT
                if row["accepted_by_ibc_go"] != true =>
            {
                "PR-HND-002"
            }
            proto::MSG_SEND_PACKET
            | proto::MSG_RECV_PACKET
            | proto::MSG_ACKNOWLEDGEMENT
            | proto::MSG_TIMEOUT
            | proto::MSG_TRANSFER => "PR-HND-007",
            _ => "PR-HND-001",
        };
        let got = code(handler().handle(&mut host, context, type_url, &bytes(&row["protobuf_hex"])));
        assert_eq!(got, expect, "{name}");
    }
}

#[test]
fn escrow_accounts_are_those_of_ibc_go() {
    for row in rows("escrows.json") {
        assert_eq!(escrow_account(row["client_id"].as_str().unwrap()), bytes(&row["address_hex"]));
    }
}

/// `cosmos.tx.v1beta1.TxRaw`, as far as it is read here.
#[derive(Clone, PartialEq, Message)]
struct TxRaw {
    #[prost(bytes = "vec", tag = "1")]
    body: Vec<u8>,
}

/// `cosmos.tx.v1beta1.TxBody`, as far as it is read here.
#[derive(Clone, PartialEq, Message)]
struct TxBody {
    #[prost(message, repeated, tag = "1")]
    messages: Vec<proto::Any>,
}

/// The messages of the only transaction in a recorded block, and the block's time in seconds.
fn recorded_block(file: &str) -> (Vec<proto::Any>, u64) {
    let block = &vectors(file)["result"]["block"];
    let transaction = BASE64.decode(block["data"]["txs"][0].as_str().unwrap()).unwrap();
    let body = TxRaw::decode(transaction.as_slice()).unwrap().body;
    // 2026-11-24T06:27:15.694Z: the recording is of one minute of one day.
    let time = block["header"]["time"].as_str().unwrap();
    let (minutes, seconds) = time.strip_prefix("2026-11-24T06:").unwrap().split_once(':').unwrap();
    let day = 1_795_478_400;
    let seconds = day + 6 * 3_600 + minutes.parse::<u64>().unwrap() * 60 + seconds[..2].parse::<u64>().unwrap();
    (TxBody::decode(body.as_slice()).unwrap().messages, seconds)
}

/// The events of a recorded block that are IBC's, each once: ibc-go emits `recv_packet` twice.
fn recorded_events(file: &str) -> Vec<Rendered> {
    let results = vectors(file);
    let mut events: Vec<Rendered> = Vec::new();
    for event in results["result"]["txs_results"][0]["events"].as_array().unwrap() {
        let attributes: Vec<(String, String)> = event["attributes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| (a["key"].as_str().unwrap().to_owned(), a["value"].as_str().unwrap().to_owned()))
            .filter(|(key, _)| key != "msg_index")
            .collect();
        let rendered = Rendered { kind: event["type"].as_str().unwrap().to_owned(), attributes };
        if is_ibc(&rendered) && (events.last() != Some(&rendered)) && !events.contains(&rendered) {
            events.push(rendered);
        }
    }
    events
}

fn is_ibc(event: &Rendered) -> bool {
    let kinds = [
        "send_packet",
        "recv_packet",
        "write_acknowledgement",
        "acknowledge_packet",
        "timeout_packet",
        "update_client",
        "ibc_transfer",
        "fungible_token_packet",
        "denomination",
        "timeout",
    ];
    kinds.contains(&event.kind.as_str())
}

/// A real chain's transactions on this handler: the attestations in them verify, the events are the chain's own, and
/// so are the stored commitments.
#[test]
fn a_recorded_chain_is_lived_again() {
    let handler = handler();
    let mut host = MemoryHost::default();
    let start = vectors("cosmos-rpc/client_state.json");
    let answer = BASE64.decode(start["result"]["response"]["value"].as_str().unwrap()).unwrap();
    /// `QueryClientStateResponse`.
    #[derive(Clone, PartialEq, Message)]
    struct Answer {
        #[prost(message, optional, tag = "1")]
        state: Option<proto::Any>,
    }
    let recorded = Answer::decode(answer.as_slice()).unwrap().state.unwrap();
    let mut state: proto::AttestationClientState = proto::decode_strict("state", &recorded.value).unwrap();
    assert_eq!(state.latest_height, 2);
    state.latest_height = 1;
    let create = proto::MsgCreateClient {
        client_state: Some(super::rig::any(proto::ATTESTATION_CLIENT_STATE, &state)),
        consensus_state: Some(consensus_state(1)),
        signer: "creator".into(),
    };
    let context = Context { time: Timestamp::from_seconds(1), signer: "creator" };
    handler.handle(&mut host, context, proto::MSG_CREATE_CLIENT, &create.encode_to_vec()).unwrap();
    let register = proto::MsgRegisterCounterparty {
        client_id: "attestations-0".into(),
        counterparty_merkle_prefix: vec![Vec::new()],
        counterparty_client_id: "client-0".into(),
        signer: "creator".into(),
    };
    handler.handle(&mut host, context, proto::MSG_REGISTER_COUNTERPARTY, &register.encode_to_vec()).unwrap();

    let signer = "cosmos15xfkmt5r5uvrrjq3j6eak55hpyfp2nhmst9mp7";
    for (block, results) in [
        ("cosmos-rpc/block_recv.json", "cosmos-rpc/block_results_recv.json"),
        ("cosmos-rpc/block_send.json", "cosmos-rpc/block_results_send.json"),
    ] {
        let (messages, seconds) = recorded_block(block);
        let context = Context { time: Timestamp::from_seconds(seconds), signer };
        let run = |host: &mut MemoryHost| -> Result<Vec<Event>, Error> {
            let mut events = Vec::new();
            for message in &messages {
                events.extend(handler.handle(host, context, &message.type_url, &message.value)?.events);
            }
            Ok(events)
        };
        let events = atomically(&mut host, run).unwrap();
        let rendered: Vec<Rendered> = events.iter().flat_map(Event::render).filter(is_ibc).collect();
        assert_eq!(rendered, recorded_events(results), "{block}");
    }
    assert_eq!(state::client_state(&host, "attestations-0").unwrap().as_ref(), Some(&recorded));
    assert_eq!(state::next_sequence_send(&host, "attestations-0"), Ok(Some(2)));
    let voucher = "ibc/6C78CB43C8EAD6FC7783BC9722162550697E204F7ABA0CD6B45A7B5058AE9019";
    assert_eq!(host.balance(signer.as_bytes(), voucher).to::<u64>(), 600);
    let trace = "transfer/attestations-0/0x5fbdb2315678afecb367f032d93f642f64180aa3";
    assert_eq!(voucher_trace(&host, voucher).as_deref(), Some(trace));
    let present = vectors("cosmos-rpc/abci_query_present.json");
    let present = &present["result"]["response"];
    let decode = |value: &Value| BASE64.decode(value.as_str().unwrap()).unwrap();
    let commitment = state::packet(&host, Kind::Commitment, "attestations-0", 1).unwrap();
    assert_eq!(
        Key::Provable(decode(&present["key"])),
        Key::of_path(catenary_protocol::Path::new(Kind::Commitment, "attestations-0", 1))
    );
    assert_eq!(commitment, decode(&present["value"]));
    assert_eq!(state::packet(&host, Kind::Receipt, "attestations-0", 1), Some(vec![2]));
    let success = catenary_protocol::Acknowledgement { app_acknowledgements: vec![b"{\"result\":\"AQ==\"}".to_vec()] };
    let ack = state::packet(&host, Kind::Acknowledgement, "attestations-0", 1);
    assert_eq!(ack, Some(success.commitment().as_bytes().to_vec()));
}

/// Attestors beyond the bound are refused before any signature is recovered.
#[test]
fn too_many_attestors_are_refused() {
    let attestors = catenary_light_clients::testing::keys(limits::ATTESTORS_MAX + 1);
    for (count, expect) in [(limits::ATTESTORS_MAX, "ok"), (limits::ATTESTORS_MAX + 1, "PR-HND-014")] {
        let message = proto::MsgCreateClient {
            client_state: Some(client_state(&attestors[..count], 1)),
            consensus_state: Some(consensus_state(1)),
            signer: "alice".into(),
        };
        let context = Context { time: Timestamp::from_seconds(1), signer: "alice" };
        let bytes = message.encode_to_vec();
        let mut host = MemoryHost::default();
        assert_eq!(code(handler().handle(&mut host, context, proto::MSG_CREATE_CLIENT, &bytes)), expect);
    }
}
