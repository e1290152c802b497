//! Headers of IBFT 2.0 that `make_vectors.py` built from the specification (tests/vectors/ibft2).
#![cfg(feature = "ibft2")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use catenary_light_clients::ibft2::{block_hash, Config, Ibft2, RawHeader};
use catenary_light_clients::{Anchor, LightClient, Timestamp, TrustOptions, Verdict};
use serde_json::Value;

fn vectors() -> Value {
    let path = format!("{}/../tests/vectors/ibft2/headers.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap()
}

fn headers(vectors: &Value) -> Vec<Vec<u8>> {
    vectors["headers"].as_array().unwrap().iter().map(|header| unhex(&header["rlp_hex"])).collect()
}

fn client(headers: &[Vec<u8>], skipping: bool) -> Ibft2 {
    let config = Config {
        chain_id: "1337".into(),
        anchor: Anchor { height: 1, hash: block_hash(&headers[1]).unwrap() },
        router: [0xc0; 20],
        commitment_slot: [1; 32],
        trust: TrustOptions {
            trusting_period_seconds: 14 * 24 * 3600,
            clock_drift_seconds: 10,
            churn_limit_permille: 334,
            allow_no_fault_tolerance: false,
            retain_heights: 100,
        },
        skipping,
        validator_contract: None,
    };
    Ibft2::new(config, &headers[1]).unwrap()
}

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_100);

#[test]
fn hashes_and_fields_are_those_of_the_specification() {
    let vectors = vectors();
    for header in vectors["headers"].as_array().unwrap() {
        let bytes = unhex(&header["rlp_hex"]);
        let decoded = RawHeader::decode(&bytes).unwrap();
        assert_eq!(decoded.block_hash().to_string(), header["hash"], "block {}", header["number"]);
        if decoded.number > 0 {
            assert_eq!(decoded.seal_hash().to_string(), header["seal_digest"], "block {}", header["number"]);
        }
        assert_eq!(u64::from(decoded.extra.round), header["round"].as_u64().unwrap());
        let validators: Vec<String> = decoded.extra.validators.iter().map(ToString::to_string).collect();
        assert_eq!(serde_json::to_value(validators).unwrap(), header["validators"]);
    }
}

#[test]
fn the_chain_is_followed_through_rounds_votes_and_a_fork() {
    let vectors = vectors();
    let headers = headers(&vectors);
    let (mut client, mut skipping) = (client(&headers, false), client(&headers, true));
    for (number, header) in headers.iter().enumerate().skip(2) {
        let verdict = client.advance(header, NOW);
        assert!(matches!(verdict, Verdict::Verified(Some(_))), "block {number}: {verdict:?}");
    }
    assert_eq!(client.status().trusted_hash.to_string(), vectors["headers"][8]["hash"]);
    let verdict = skipping.advance(&headers[8], NOW);
    assert!(matches!(verdict, Verdict::Verified(Some(_))), "{verdict:?}");
}

#[test]
fn each_wrong_header_is_refused_for_what_is_wrong_with_it() {
    let vectors = vectors();
    let headers = headers(&vectors);
    let refusals = vectors["refusals"].as_array().unwrap();
    assert!(refusals.len() > 20);
    for wrong in refusals {
        let number = usize::try_from(wrong["number"].as_u64().unwrap()).unwrap();
        let mut client = client(&headers, false);
        for header in &headers[2..number] {
            assert!(matches!(client.advance(header, NOW), Verdict::Verified(_)));
        }
        let before = client.save();
        let verdict = client.advance(&unhex(&wrong["rlp_hex"]), NOW);
        let Verdict::Rejected(reason) = verdict else { panic!("{}: {verdict:?}", wrong["name"]) };
        let codes = wrong["codes"].as_array().unwrap();
        assert!(codes.contains(&Value::from(reason.code)), "{}: {reason}", wrong["name"]);
        assert_eq!(client.save(), before, "{}: a refusal changes nothing", wrong["name"]);
    }
}

#[test]
fn the_extra_data_of_the_public_example_decodes() {
    // Besu's documentation of IBFT 2.0, example genesis file (besu.hyperledger.org, "Configure IBFT 2.0 consensus").
    let extra = "f83ea00000000000000000000000000000000000000000000000000000000000000000d594c2ab482b506de561668e07f04547232a72897daf808400000000c0";
    let vectors = vectors();
    let genesis = &headers(&vectors)[0];
    let fields = catenary_light_clients::rlp::Item::decode(genesis).unwrap().items(40).unwrap();
    let mut payload = Vec::new();
    for (position, field) in fields.iter().enumerate() {
        match position {
            12 => catenary_light_clients::rlp::put_bytes(&mut payload, &hex::decode(extra).unwrap()),
            _ => payload.extend_from_slice(field.raw()),
        }
    }
    let mut header = Vec::new();
    catenary_light_clients::rlp::put_list(&mut header, &payload);
    let decoded = RawHeader::decode(&header).unwrap();
    let validators: Vec<String> = decoded.extra.validators.iter().map(ToString::to_string).collect();
    assert_eq!(validators, ["0xc2ab482b506de561668e07f04547232a72897daf"]);
    assert_eq!((decoded.extra.round, decoded.extra.vote, decoded.extra.seals.len()), (0, None, 0));
}
