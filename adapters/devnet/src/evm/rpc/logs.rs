//! Logs by filter, and what can be subscribed to.

use alloy_primitives::B256;
use serde_json::{Map, Value};

use super::params::{address, block_id, hash, invalid, BlockId, Params};
use super::{refuse, Answer, Asked};
use crate::evm::events::{LogFilter, Topic};
use crate::wire::RpcError;

/// Most logs of one answer, as public nodes have it.
const LOGS_MAX: usize = 20_000;
/// Most blocks of one query.
const BLOCKS_MAX: u64 = 10_000;
/// Positions of topics in a log, and most alternatives at one of them.
const TOPICS_MAX: usize = 4;
const ALTERNATIVES_MAX: usize = 1_000;

/// The error of a query that is too large.
const LIMIT_EXCEEDED: i64 = -32005;

/// Reads the address and topics of a filter.
fn filter(fields: &Map<String, Value>) -> Result<LogFilter, String> {
    let addresses = match fields.get("address") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(all)) if all.len() > ALTERNATIVES_MAX => return Err("exceed max addresses".to_owned()),
        Some(Value::Array(all)) => all.iter().map(address).collect::<Result<_, _>>()?,
        Some(one) => vec![address(one)?],
    };
    let topics = match fields.get("topics") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(positions)) if positions.len() > TOPICS_MAX => return Err("exceed max topics".to_owned()),
        Some(Value::Array(positions)) => positions.iter().map(alternatives).collect::<Result<_, _>>()?,
        Some(_) => return Err("topics are no list".to_owned()),
    };
    Ok(LogFilter { addresses, topics })
}

fn alternatives(position: &Value) -> Result<Vec<B256>, String> {
    match position {
        Value::Null => Ok(Vec::new()),
        Value::Array(any) if any.len() > ALTERNATIVES_MAX => Err("exceed max topics".to_owned()),
        // A null among them stands for anything.
        Value::Array(any) if any.contains(&Value::Null) => Ok(Vec::new()),
        Value::Array(any) => any.iter().map(hash).collect(),
        one => Ok(vec![hash(one)?]),
    }
}

/// What a subscription asks for.
pub(super) fn topic(params: &Params<'_>) -> Result<Topic, RpcError> {
    match params.text(0)? {
        "newHeads" => Ok(Topic::Heads),
        "newPendingTransactions" => Ok(Topic::Waiting),
        "logs" => match params.get(1) {
            None => Ok(Topic::Logs(LogFilter::default())),
            Some(Value::Object(fields)) => filter(fields).map(Topic::Logs).map_err(|reason| invalid(1, reason)),
            Some(_) => Err(invalid(1, "is no filter")),
        },
        other => Err(refuse(format!("no \"{other}\" subscription in eth namespace"))),
    }
}

impl Asked<'_> {
    pub(super) fn logs(&self, params: &Params<'_>) -> Answer {
        let fields = params.required(0)?.as_object().ok_or_else(|| invalid(0, "is no filter"))?;
        let filter = filter(fields).map_err(|reason| invalid(0, reason))?;
        let (from, to) = self.range(fields)?;
        let mut found = Vec::new();
        for height in from..=to {
            let Some(block) = self.chain.block(self.branch, height) else { break };
            let logs = block.logs().filter(|(_, _, log)| filter.matches(log));
            found.extend(logs.map(|log| block.log_json(log)));
            if found.len() > LOGS_MAX {
                return Err(RpcError::new(LIMIT_EXCEEDED, format!("query returned more than {LOGS_MAX} results")));
            }
        }
        Ok(Value::Array(found))
    }

    fn range(&self, fields: &Map<String, Value>) -> Result<(u64, u64), RpcError> {
        let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
        let head = self.chain.height_of(self.branch);
        if let Some(value) = given("blockHash") {
            if given("fromBlock").is_some() || given("toBlock").is_some() {
                return Err(invalid(0, "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"));
            }
            let hash = hash(value).map_err(|reason| invalid(0, reason))?;
            let block = self.chain.block_by_hash(self.branch, &hash).ok_or_else(|| refuse("unknown block"))?;
            return Ok((block.number(), block.number()));
        }
        let height = |name: &str| match given(name).map(block_id).transpose() {
            Ok(None | Some(BlockId::Head)) => Ok(head),
            Ok(Some(BlockId::Height(height))) => Ok(height),
            Ok(Some(BlockId::Hash(_))) => Err(invalid(0, format!("{name} is no height"))),
            Err(reason) => Err(invalid(0, reason)),
        };
        let (from, to) = (height("fromBlock")?, height("toBlock")?);
        if from > to {
            return Err(refuse("invalid block range params"));
        }
        if to - from >= BLOCKS_MAX {
            return Err(RpcError::new(LIMIT_EXCEEDED, format!("query exceeds max block range {BLOCKS_MAX}")));
        }
        Ok((from, to.min(head)))
    }
}
