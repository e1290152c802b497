//! `tx_search` by events: conditions of the forms `event.attribute='value'`, `tx.height>=N` and `tx.height<=N`, joined
//! by `AND`, as CometBFT's indexer takes them. The conditions on events must hold in one and the same event.

use super::chain::Chain;
use super::rpc::internal;
use super::tx::TxResult;
use crate::wire::RpcError;

struct Conditions<'a> {
    from: u64,
    to: u64,
    /// Event, attribute, value.
    events: Vec<(&'a str, &'a str, &'a str)>,
}

/// Places of the transactions that a query matches, in order.
pub(super) fn places(chain: &Chain, query: &str) -> Result<Vec<(u64, usize)>, RpcError> {
    let refuse = || internal(format!("{query}: is no query that is served here"));
    let conditions = parse(query).ok_or_else(refuse)?;
    let to = conditions.to.min(chain.height());
    let heights = conditions.from.max(chain.earliest())..=to;
    let blocks = heights.filter_map(|height| Some((height, chain.block(height)?)));
    let matching = blocks.flat_map(|(height, block)| {
        let results = block.results.iter().enumerate();
        results
            .filter(|(_, result)| matches(result, &conditions.events))
            .map(|(at, _)| (height, at))
            .collect::<Vec<_>>()
    });
    Ok(matching.collect())
}

fn parse(query: &str) -> Option<Conditions<'_>> {
    let mut conditions = Conditions { from: 1, to: u64::MAX, events: Vec::new() };
    for condition in query.split(" AND ").map(str::trim) {
        if let Some(from) = condition.strip_prefix("tx.height>=") {
            conditions.from = from.parse().ok()?;
        } else if let Some(to) = condition.strip_prefix("tx.height<=") {
            conditions.to = to.parse().ok()?;
        } else {
            let (name, value) = condition.split_once('=')?;
            let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
            let (event, attribute) = name.split_once('.')?;
            conditions.events.push((event, attribute, value));
        }
    }
    (!conditions.events.is_empty()).then_some(conditions)
}

fn matches(result: &TxResult, conditions: &[(&str, &str, &str)]) -> bool {
    result.events.iter().any(|event| {
        conditions.iter().all(|(kind, key, value)| {
            event.kind == *kind && event.attributes.iter().any(|(name, held)| name == key && held == value)
        })
    })
}
