//! The host side of searching, for plugins whose manifest names the capability.

use async_trait::async_trait;
use catenary_api::limits::{SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{EventClaim, PacketSearch, Search};

use crate::error::{Error, Result};
use crate::host::{events, Client, ProcessAdapter};
use crate::proto;
use crate::wire;

fn check_bounds(search: &Search<'_>) -> Result<()> {
    let blocks = search.to.checked_sub(search.from).map_or(0, |more| more.saturating_add(1));
    if !(1..=SEARCH_HEIGHTS_MAX).contains(&blocks) {
        return Err(Error::Request { what: "searched heights", got: blocks, max: SEARCH_HEIGHTS_MAX });
    }
    let (got, max) = (search.sequences.len() as u64, SEARCH_SEQUENCES_MAX as u64);
    if got > max {
        return Err(Error::Request { what: "searched sequences", got, max });
    }
    Ok(())
}

impl ProcessAdapter {
    async fn found(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        check_bounds(search)?;
        let (from, to) = (search.from, search.to);
        let request = proto::FindRequest {
            kind: wire::search_kind_to(search.kind).into(),
            client_id: search.client_id.to_owned(),
            sequences: search.sequences.to_vec(),
            from,
            to,
        };
        let ask = |mut plugin: Client| async move { plugin.find(request).await };
        let answer = self.plugin.call("find", self.deadline_ms(), ask).await?;
        self.read("find", answer.error, || {
            let claims = events(from, to, answer.events)?;
            match claims.iter().find(|claim| !search.wants(claim)) {
                None => Ok(claims),
                Some(other) => Err(format!("sequence {} was not searched for", other.event.packet().sequence)),
            }
        })
    }
}

#[async_trait]
impl PacketSearch for ProcessAdapter {
    async fn last_sequence(&self, client_id: &str) -> catenary_api::Result<Option<u64>> {
        let request = proto::LastSequenceRequest { client_id: client_id.to_owned() };
        let ask = |mut plugin: Client| async move { plugin.last_sequence(request).await };
        let answer = self.plugin.call("last_sequence", self.deadline_ms(), ask).await?;
        Ok(self.read("last_sequence", answer.error, || match (answer.known, answer.sequence) {
            (true, sequence) => Ok(Some(sequence)),
            (false, 0) => Ok(None),
            (false, sequence) => Err(format!("sequence {sequence}, and that it is not known")),
        })?)
    }

    async fn find(&self, search: &Search<'_>) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(self.found(search).await?)
    }

    async fn elsewhere(&self) {
        let ask = |mut plugin: Client| async move { plugin.elsewhere(proto::ElsewhereRequest {}).await };
        // What it was for is asked for again, and fails then if this did.
        let _ = self.plugin.call("elsewhere", self.deadline_ms(), ask).await;
    }
}
