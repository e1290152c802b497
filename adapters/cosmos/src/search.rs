//! Packets by their sequences: the application's own count of what a client has sent, and the node's index of
//! transactions.
//!
//! The index holds what transactions did. A packet that a governance proposal sent is in no transaction, and is found
//! only by a walk over the blocks.

use async_trait::async_trait;
use catenary_api::limits::{SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{EventClaim, PacketSearch, Search, TxHash};
use catenary_light_clients::Hash32;

use crate::answers::{FoundTx, TxSearchRequest};
use crate::error::{Error, Result};
use crate::events;
use crate::limits::{BATCH_MAX, FOUND_TXS};
use crate::source::CosmosAdapter;

fn check_bounds(search: &Search<'_>) -> Result<()> {
    let blocks = search.to.checked_sub(search.from).and_then(|more| more.checked_add(1)).unwrap_or_default();
    if blocks == 0 || blocks > SEARCH_HEIGHTS_MAX {
        return Err(Error::Range { what: "searched heights", got: blocks, max: SEARCH_HEIGHTS_MAX });
    }
    let sequences = search.sequences.len() as u64;
    if sequences > SEARCH_SEQUENCES_MAX as u64 {
        return Err(Error::Range { what: "searched sequences", got: sequences, max: SEARCH_SEQUENCES_MAX as u64 });
    }
    Ok(())
}

/// The query of one sequence. A client id with a quote could change what is asked; there is none such.
fn query(search: &Search<'_>, sequence: u64) -> Option<String> {
    let (event, client) = events::search_names(search.kind);
    let plain = search.client_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\'' && byte != b'"');
    plain.then(|| {
        format!(
            "{event}.{client}='{}' AND {event}.packet_sequence='{sequence}' AND tx.height>={} AND tx.height<={}",
            search.client_id, search.from, search.to
        )
    })
}

impl CosmosAdapter {
    async fn found(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        check_bounds(search)?;
        // The index answers a range beyond its head with what it has, which would be a gap. Asked before the search.
        let head = self.head_claim().await?.height;
        if head < search.to {
            let (chain, what) = (self.config.name.clone(), "searched height");
            return Err(Error::Mismatch { chain, what, expected: search.to.to_string(), got: head.to_string() });
        }
        let queries = search.sequences.iter().filter_map(|sequence| query(search, *sequence));
        let requests: Vec<_> = queries.map(|query| TxSearchRequest::new(query, FOUND_TXS)).collect();
        let mut claims = Vec::new();
        for batch in requests.chunks(BATCH_MAX) {
            for answer in self.transport.batch(batch.to_vec()).await.map_err(|error| self.unindexed(error))? {
                for tx in answer.txs.into_iter().flatten() {
                    claims.extend(self.claims(search, &tx)?);
                }
            }
        }
        Ok(claims)
    }

    /// The events of a transaction that are looked for.
    fn claims(&self, search: &Search<'_>, tx: &FoundTx) -> Result<Vec<EventClaim>> {
        let chain = self.transport.chain();
        let mismatch =
            |what, expected: String, got: String| Error::Mismatch { chain: chain.to_owned(), what, expected, got };
        if tx.tx_result.code != 0 {
            return Ok(Vec::new());
        }
        let height = tx.height.value();
        if !(search.from..=search.to).contains(&height) {
            let expected = format!("{} to {}", search.from, search.to);
            return Err(mismatch("height of a found transaction", expected, height.to_string()));
        }
        let hash = Hash32::from_slice(tx.hash.as_bytes());
        let hash =
            hash.ok_or_else(|| mismatch("hash of a found transaction", "32 bytes".into(), tx.hash.to_string()))?;
        let mut claims = Vec::new();
        for event in tx.tx_result.events.iter().flatten() {
            if let Some(event) = events::packet_event(chain, tx.height, event)? {
                claims.push(EventClaim { height, tx: TxHash(hash), event });
            }
        }
        claims.retain(|claim| search.wants(claim));
        Ok(claims)
    }

    fn unindexed(&self, error: Error) -> Error {
        match error {
            Error::Node { reason, .. } if reason.contains("indexing is disabled") => {
                Error::NotIndexed { chain: self.config.name.clone() }
            }
            error => error,
        }
    }
}

#[async_trait]
impl PacketSearch for CosmosAdapter {
    async fn last_sequence(&self, client_id: &str) -> catenary_api::Result<Option<u64>> {
        // The chain counts the next one; a client without a counterparty has none, and has sent nothing.
        let next = self.next_sequence(client_id).await?;
        Ok(Some(next.map_or(0, |next| next.saturating_sub(1))))
    }

    async fn find(&self, search: &Search<'_>) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.judged(self.found(search).await)?)
    }

    async fn elsewhere(&self) {
        self.transport.rotate();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use catenary_api::SearchKind;

    use super::*;

    #[test]
    fn searches_are_bounded() {
        let check = |sequences: usize, from: u64, to: u64, expect: Option<&str>| {
            let all = vec![1; sequences];
            let search = Search { kind: SearchKind::Sent, client_id: "c", sequences: &all, from, to };
            let got = check_bounds(&search).err().map(|error| error.code());
            assert_eq!(got, expect, "{sequences} {from} {to}");
        };
        check(1, 1, 1, None);
        check(SEARCH_SEQUENCES_MAX, 1, SEARCH_HEIGHTS_MAX, None);
        check(SEARCH_SEQUENCES_MAX + 1, 1, 1, Some("COS-QRY-003"));
        check(1, 1, SEARCH_HEIGHTS_MAX + 1, Some("COS-QRY-003"));
        check(1, 0, u64::MAX, Some("COS-QRY-003"));
        check(1, 2, 1, Some("COS-QRY-003"));
    }

    #[test]
    fn queries_name_the_client_of_this_chain() {
        let check = |kind, client_id: &str, expect: Option<&str>| {
            let search = Search { kind, client_id, sequences: &[7], from: 5, to: 9 };
            assert_eq!(query(&search, 7).as_deref(), expect, "{client_id}");
        };
        check(
            SearchKind::Sent,
            "07-tendermint-3",
            Some(
                "send_packet.packet_source_client='07-tendermint-3' AND send_packet.packet_sequence='7' AND \
                 tx.height>=5 AND tx.height<=9",
            ),
        );
        check(
            SearchKind::WroteAck,
            "client-0",
            Some(
                "write_acknowledgement.packet_dest_client='client-0' AND write_acknowledgement.packet_sequence='7' AND \
                 tx.height>=5 AND tx.height<=9",
            ),
        );
        for client_id in ["client-0' OR tx.height>0 OR '", "a b", "a\"b", "ä"] {
            check(SearchKind::Sent, client_id, None);
        }
    }
}
