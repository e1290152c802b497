//! Packets by their sequences: the router's own count of what a client has sent, and logs by their indexed topics.

use async_trait::async_trait;
use catenary_api::limits::{SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{EventClaim, PacketSearch, Search};
use ethers_core::abi::Token;
use ethers_core::utils::keccak256;
use serde_json::{json, Value};

use crate::abi::{self, Contract};
use crate::adapter::{EvmAdapter, Read, Target};
use crate::error::{Error, Result};
use crate::events;
use crate::json::{self as strict, hex0x, to_quantity};
use crate::rpc::Request;

/// The router's view of the newest sequence of a client. Not part of every router: one without it is said to be silent.
const LAST_SEQUENCE: &str = "getLastSequenceSent";

fn check_bounds(search: &Search<'_>) -> Result<()> {
    let (from, to) = (search.from, search.to);
    let blocks = to.checked_sub(from).ok_or(Error::EmptyRange { from, to })?.saturating_add(1);
    let sequences = search.sequences.len();
    if blocks > SEARCH_HEIGHTS_MAX {
        return Err(Error::RequestTooLarge { what: "searched heights", got: blocks, max: SEARCH_HEIGHTS_MAX });
    }
    if sequences > SEARCH_SEQUENCES_MAX {
        let max = SEARCH_SEQUENCES_MAX as u64;
        return Err(Error::RequestTooLarge { what: "searched sequences", got: sequences as u64, max });
    }
    Ok(())
}

/// A sequence as an indexed topic: 32 bytes, big-endian.
fn sequence_topic(sequence: &u64) -> String {
    let mut word = [0; 32];
    let (_, low) = word.split_at_mut(24);
    low.copy_from_slice(&sequence.to_be_bytes());
    hex0x(&word)
}

impl EvmAdapter {
    async fn last_sequence_of(&self, client_id: &str) -> Result<Option<u64>> {
        let router = Target::latest(Contract::Router, self.router()?);
        let request = router.request(LAST_SEQUENCE, &[abi::string(client_id)])?;
        let answer = self.rpc.batch(&[request]).await?.into_iter().next().unwrap_or(Ok(Value::Null));
        // A router without this view reverts, with data or without.
        if answer.as_ref().is_err_and(|error| error.message.to_lowercase().contains("revert")) {
            return Ok(None);
        }
        match self.outcome(router, LAST_SEQUENCE, answer)? {
            Read::Reverted(_) => Ok(None),
            Read::Values(values) => match values.as_slice() {
                [Token::Uint(number)] => u64::try_from(*number)
                    .map(Some)
                    .map_err(|_| self.bad_output(LAST_SEQUENCE, &router.address, "is beyond 64 bits".to_owned())),
                _ => Err(self.bad_output(LAST_SEQUENCE, &router.address, "is no number".to_owned())),
            },
        }
    }

    async fn found(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        check_bounds(search)?;
        if search.sequences.is_empty() {
            return Ok(Vec::new());
        }
        let router = self.router()?;
        let client = hex0x(&keccak256(search.client_id));
        let sequences: Vec<String> = search.sequences.iter().map(sequence_topic).collect();
        let filter = json!([{
            "fromBlock": to_quantity(search.from), "toBlock": to_quantity(search.to), "address": hex0x(&router),
            "topics": [[events::topic(search.kind)?], [client], sequences],
        }]);
        let requests = [Request::new("eth_blockNumber", json!([])), Request::new("eth_getLogs", filter)];
        let answers = self.rpc.batch_all(&requests).await?;
        let [head, logs] = answers.as_slice() else { return Err(Error::NoBlock { height: search.to }) };
        let head = strict::quantity(Some(head)).map_err(|reason| Error::Log { field: "eth_blockNumber", reason })?;
        if head < search.to {
            return Err(Error::RangeAhead { head, to: search.to });
        }
        let mut found = events::from_json(&router, (search.from, search.to), logs)?.events;
        // An endpoint may not know how to filter by topics; what it gives beside that is of no use here.
        found.retain(|claim| search.wants(claim));
        Ok(found)
    }
}

#[async_trait]
impl PacketSearch for EvmAdapter {
    async fn last_sequence(&self, client_id: &str) -> catenary_api::Result<Option<u64>> {
        Ok(self.last_sequence_of(client_id).await?)
    }

    async fn find(&self, search: &Search<'_>) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.found(search).await?)
    }

    async fn elsewhere(&self) {
        self.rpc.rotate();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use catenary_api::SearchKind;

    use super::*;
    use crate::testing::adapter;

    fn search(sequences: &[u64], from: u64, to: u64) -> Search<'_> {
        Search { kind: SearchKind::Sent, client_id: "client-0", sequences, from, to }
    }

    #[test]
    fn searches_are_bounded() {
        let check = |sequences: usize, from: u64, to: u64, expect: Option<&str>| {
            let all = vec![1; sequences];
            let got = check_bounds(&search(&all, from, to)).err().map(|error| error.code());
            assert_eq!(got, expect, "{sequences} {from} {to}");
        };
        check(1, 1, 1, None);
        check(SEARCH_SEQUENCES_MAX, 1, SEARCH_HEIGHTS_MAX, None);
        check(SEARCH_SEQUENCES_MAX + 1, 1, 1, Some("EVM-RPC-006"));
        check(1, 1, SEARCH_HEIGHTS_MAX + 1, Some("EVM-RPC-006"));
        check(1, 0, u64::MAX, Some("EVM-RPC-006"));
        check(1, 2, 1, Some("EVM-RPC-007"));
    }

    #[test]
    fn a_sequence_is_a_word() {
        assert_eq!(sequence_topic(&258), format!("0x{}0102", "00".repeat(30)));
        assert_eq!(sequence_topic(&u64::MAX), format!("0x{}{}", "00".repeat(24), "ff".repeat(8)));
    }

    /// Routers, and what a node says of their count.
    #[tokio::test]
    async fn a_router_without_a_count_is_silent_and_not_an_error() {
        let word = |number: u64| json!(format!("0x{number:064x}"));
        let revert = |data: &str| json!({ "code": 3, "message": "execution reverted", "data": data });
        for (answer, expect) in [
            (Ok(word(7)), Ok(Some(7))),
            (Ok(word(0)), Ok(Some(0))),
            (Err(revert("0x")), Ok(None)),
            (Err(json!({ "code": -32000, "message": "Execution reverted" })), Ok(None)),
            (Ok(json!(format!("0x{}", "ff".repeat(32)))), Err("EVM-ABI-001")),
            (Err(json!({ "code": -32603, "message": "busy" })), Err("EVM-RPC-005")),
        ] {
            let said = answer.clone();
            let adapter = adapter(|config| config.router = Some([7; 20]), move |_, _| said.clone());
            let got = adapter.last_sequence("client-0").await.map_err(|error| error.code);
            assert_eq!(got, expect, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn logs_are_asked_for_by_topic_and_what_was_not_asked_for_is_left_out() {
        let asked = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
        let seen = asked.clone();
        let adapter = adapter(
            |config| config.router = Some([7; 20]),
            move |method, params| match method {
                "eth_blockNumber" => Ok(json!("0x64")),
                _ => {
                    params.clone_into(&mut seen.lock().unwrap());
                    Ok(json!([]))
                }
            },
        );
        assert_eq!(adapter.find(&search(&[3, 5], 10, 100)).await.unwrap(), vec![]);
        let filter = asked.lock().unwrap().clone();
        let topics = filter.pointer("/0/topics").unwrap();
        assert_eq!(topics.pointer("/0/0").unwrap(), &json!(events::topic(SearchKind::Sent).unwrap()));
        assert_eq!(topics.pointer("/1"), Some(&json!([hex0x(&keccak256("client-0"))])));
        assert_eq!(topics.pointer("/2"), Some(&json!([sequence_topic(&3), sequence_topic(&5)])));
        assert_eq!((&filter[0]["fromBlock"], &filter[0]["toBlock"]), (&json!("0xa"), &json!("0x64")));
        assert_eq!(adapter.find(&search(&[3], 10, 101)).await.unwrap_err().code, "EVM-LOG-007");
        assert_eq!(adapter.find(&search(&[], 10, 101)).await.unwrap(), vec![]);
    }
}
