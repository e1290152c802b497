//! Updates of a chain that keeps its validators in a contract: each header with its parent, and with what
//! `eth_getProof` says of the contract's array in the parent's state.
//!
//! The array's length is asked for first, since it says which slots must be proven. Whether anything is proven is the
//! light client's verdict; an endpoint that lies about the length only makes it refuse.

use catenary_light_clients::bft::{array_slots, encode_update, ValidatorContract, MAX_VALIDATORS};
use serde_json::{json, Value};

use crate::adapter::EvmAdapter;
use crate::error::{shorten, Error, Result};
use crate::json::{self as strict, hex0x, to_quantity};
use crate::limits::PROVEN_SLOTS_MAX;
use crate::proof;
use crate::rpc::Request;
use crate::source::is_missing;

impl EvmAdapter {
    /// Updates of the blocks above `below`, whose headers are given, that block's first.
    pub(crate) async fn contract_updates(
        &self,
        contract: &ValidatorContract,
        below: u64,
        headers: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>> {
        let heights: Vec<u64> = (below..).take(headers.len().saturating_sub(1)).collect();
        let lengths = self.array_lengths(contract, &heights).await?;
        let mut wanted: Vec<(u64, Vec<[u8; 32]>)> = Vec::with_capacity(heights.len());
        wanted
            .extend(heights.iter().zip(lengths).map(|(height, length)| (*height, array_slots(&contract.slot, length))));
        let mut proofs = Vec::with_capacity(wanted.len());
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let (now, later) = rest.split_at(within_bound(rest));
            proofs.extend(self.array_proofs(contract, now).await?);
            rest = later;
        }
        let pairs = headers.windows(2).zip(proofs);
        let update = |(pair, (account, slots)): (&[Vec<u8>], proof::Nodes)| match pair {
            [parent, header] => encode_update(header, parent, &account, &slots),
            _ => Vec::new(),
        };
        Ok(pairs.map(update).collect())
    }

    /// How long the array is, after each block.
    async fn array_lengths(&self, contract: &ValidatorContract, heights: &[u64]) -> Result<Vec<usize>> {
        let (address, slot) = (hex0x(&contract.address), hex0x(&contract.slot));
        let request = |height| Request::new("eth_getStorageAt", json!([address, slot, to_quantity(height)]));
        let requests: Vec<Request> = heights.iter().copied().map(request).collect();
        let answers = self.state_batch(&requests, heights).await?;
        let length = |(height, answer): (&u64, &Value)| {
            let refuse = |reason: String| Error::Proof { height: *height, reason };
            let word: [u8; 32] =
                strict::fixed(Some(answer)).map_err(|reason| refuse(format!("the length {reason}")))?;
            let (zeros, low) = word.split_last_chunk::<8>().unwrap_or((&word, &[0xff; 8]));
            let length = usize::try_from(u64::from_be_bytes(*low)).unwrap_or(usize::MAX);
            if length > MAX_VALIDATORS || zeros.iter().any(|byte| *byte != 0) {
                let got = hex0x(&word);
                return Err(refuse(format!("the array's length is {got}, at most {MAX_VALIDATORS}; check the slot")));
            }
            Ok(length)
        };
        heights.iter().zip(&answers).map(length).collect()
    }

    /// Nodes of the contract's account and of the slots, after each block.
    async fn array_proofs(
        &self,
        contract: &ValidatorContract,
        wanted: &[(u64, Vec<[u8; 32]>)],
    ) -> Result<Vec<proof::Nodes>> {
        let request = |(height, slots): &(u64, Vec<[u8; 32]>)| {
            let keys: Vec<String> = slots.iter().map(|slot| hex0x(slot)).collect();
            Request::new("eth_getProof", json!([hex0x(&contract.address), keys, to_quantity(*height)]))
        };
        let requests: Vec<Request> = wanted.iter().map(request).collect();
        let heights: Vec<u64> = wanted.iter().map(|(height, _)| *height).collect();
        let answers = self.state_batch(&requests, &heights).await?;
        let read = |((height, slots), answer): (&(u64, Vec<[u8; 32]>), &Value)| {
            proof::nodes_from_json(*height, &contract.address, slots, answer)
        };
        wanted.iter().zip(&answers).map(read).collect()
    }

    /// A batch of requests about the states after blocks; a state that is not there is named as such.
    async fn state_batch(&self, requests: &[Request], heights: &[u64]) -> Result<Vec<Value>> {
        match self.rpc.batch_all(requests).await {
            Err(Error::Node { error, .. }) if is_missing(&error) => {
                let height = heights.first().copied().unwrap_or_default();
                Err(Error::NoState { height, reason: shorten(&error.message) })
            }
            answers => answers,
        }
    }
}

/// How many of the first entries one batch may prove; one at least.
fn within_bound(wanted: &[(u64, Vec<[u8; 32]>)]) -> usize {
    let mut slots = 0usize;
    let fits = wanted.iter().take_while(|(_, keys)| {
        slots = slots.saturating_add(keys.len());
        slots <= PROVEN_SLOTS_MAX
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        reason = "tests"
    )]
    use catenary_api::ChainSource;
    use catenary_light_clients::qbft::Qbft;
    use catenary_light_clients::testing::{keys, ContractNetwork, HeaderSpec, VALIDATOR_CONTRACT};
    use catenary_light_clients::{Address, LightClient, Verdict};

    use super::*;
    use crate::testing::adapter;

    /// A header as a node shows it.
    fn block(header: &HeaderSpec) -> Value {
        json!({
            "parentHash": hex0x(&header.parent_hash.0), "sha3Uncles": hex0x(&header.ommers_hash.0),
            "miner": hex0x(&header.coinbase.0), "stateRoot": hex0x(&header.state_root.0),
            "transactionsRoot": hex0x(&header.transactions_root.0), "receiptsRoot": hex0x(&header.receipts_root.0),
            "logsBloom": hex0x(&header.logs_bloom), "difficulty": to_quantity(header.difficulty),
            "number": to_quantity(header.number), "gasLimit": to_quantity(header.gas_limit),
            "gasUsed": to_quantity(header.gas_used), "timestamp": to_quantity(header.time_seconds),
            "extraData": hex0x(&header.extra_data()), "mixHash": hex0x(&header.mix_hash),
            "nonce": hex0x(&header.nonce), "hash": hex0x(&header.hash().0),
        })
    }

    fn quantity(value: &Value) -> usize {
        usize::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    }

    fn word(value: &Value) -> [u8; 32] {
        strict::fixed(Some(value)).unwrap()
    }

    /// What a node of the network answers.
    fn node(network: &ContractNetwork, method: &str, params: &Value) -> core::result::Result<Value, Value> {
        let contract = Address(VALIDATOR_CONTRACT.address);
        match method {
            "eth_getBlockByNumber" => Ok(network.headers.get(quantity(&params[0]) - 1).map_or(Value::Null, block)),
            "eth_getStorageAt" => {
                let state = &network.states[quantity(&params[2]) - 1];
                Ok(json!(hex0x(&state.slot(contract, &word(&params[1])).unwrap_or_default())))
            }
            "eth_getProof" => {
                let state = &network.states[quantity(&params[2]) - 1];
                let text = |nodes: &[Vec<u8>]| nodes.iter().map(|node| hex0x(node)).collect::<Vec<_>>();
                let entry = |key: &Value| {
                    let value = state.slot(contract, &word(key)).unwrap_or_default();
                    let digits = hex::encode(value);
                    let digits = digits.trim_start_matches('0');
                    let value = if digits.is_empty() { "0x0".to_owned() } else { format!("0x{digits}") };
                    json!({ "key": key, "value": value, "proof": text(&state.nodes(contract, &word(key)).1) })
                };
                let entries: Vec<Value> = params[1].as_array().unwrap().iter().map(entry).collect();
                let account = text(&state.nodes(contract, &VALIDATOR_CONTRACT.slot).0);
                Ok(json!({ "address": params[0], "accountProof": account, "storageProof": entries }))
            }
            other => panic!("{other}"),
        }
    }

    fn network() -> ContractNetwork {
        let mut network = ContractNetwork::new(4);
        let next = network.next();
        network.push(next, &keys(7));
        network.grow(3);
        network
    }

    #[tokio::test]
    async fn updates_carry_what_the_light_client_asks_for() {
        let (chain, served) = (network(), network());
        let adapter = adapter(
            |config| config.validator_contract = Some(VALIDATOR_CONTRACT),
            move |method, params| node(&served, method, params),
        );
        let updates = adapter.updates(2, 6).await.unwrap();
        let expect: Vec<Vec<u8>> = (2..=6).map(|number| chain.update(number)).collect();
        assert_eq!(updates, expect);
        let mut client = Qbft::new(chain.config(), &updates[0]).unwrap();
        for update in &updates[1..] {
            let verdict = client.advance(update, chain.now());
            assert!(matches!(verdict, Verdict::Verified(_)), "{verdict:?}");
        }
        assert_eq!((client.status().trusted_height, client.validators().len()), (6, 7));
        assert_eq!(adapter.updates(0, 2).await.unwrap_err().code, "EVM-PRF-002");
    }

    #[tokio::test]
    async fn what_a_node_says_of_the_array_is_not_believed() {
        let long = format!("0x{}", "ff".repeat(32));
        let short = format!("0x{:064x}", 2);
        let gone = json!({ "code": -32000, "message": "missing trie node" });
        for (length, expect) in
            [(Ok(json!(long)), "EVM-PRF-001"), (Ok(json!("0x4")), "EVM-PRF-001"), (Err(gone), "EVM-PRF-002")]
        {
            let served = network();
            let adapter = adapter(
                |config| config.validator_contract = Some(VALIDATOR_CONTRACT),
                move |method, params| match method {
                    "eth_getStorageAt" => length.clone(),
                    _ => node(&served, method, params),
                },
            );
            assert_eq!(adapter.updates(2, 3).await.unwrap_err().code, expect);
        }
        // A length that is too short gives an update, and the light client refuses it.
        let (chain, served) = (network(), network());
        let adapter = adapter(
            |config| config.validator_contract = Some(VALIDATOR_CONTRACT),
            move |method, params| match method {
                "eth_getStorageAt" => Ok(json!(short)),
                _ => node(&served, method, params),
            },
        );
        let updates = adapter.updates(2, 2).await.unwrap();
        assert_eq!(
            catenary_light_clients::Coded::code(&Qbft::new(chain.config(), &updates[0]).unwrap_err()),
            "LC-QBFT-047"
        );
    }

    #[test]
    fn batches_prove_a_bounded_number_of_slots() {
        let wanted = |slots: &[usize]| -> Vec<(u64, Vec<[u8; 32]>)> {
            slots.iter().map(|count| (1, vec![[0; 32]; *count])).collect()
        };
        for (slots, expect) in [
            (vec![PROVEN_SLOTS_MAX], 1),
            (vec![PROVEN_SLOTS_MAX + 1, 1], 1),
            (vec![PROVEN_SLOTS_MAX - 1, 1, 1], 2),
            (vec![5; 10], 10),
        ] {
            assert_eq!(within_bound(&wanted(&slots)), expect, "{slots:?}");
        }
    }
}
