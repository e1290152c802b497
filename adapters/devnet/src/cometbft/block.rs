//! Blocks: headers, commits and all their hashes, as CometBFT makes them.

use std::sync::Arc;
use std::time::Duration;

use prost_tendermint::Message;
use tendermint_proto::google::protobuf::Timestamp;
use tendermint_proto::v0_38::abci::ExecTxResult;
use tendermint_proto::v0_38::types as raw;
use tendermint_proto::v0_38::types::{BlockIdFlag, CanonicalBlockId, CanonicalPartSetHeader, CanonicalVote};

use super::merkle::{self, Hash};
use super::tx::TxResult;
use super::validators::{Validator, ValidatorSet};

/// Block protocol (CometBFT `version.BlockProtocol`).
pub(crate) const BLOCK_PROTOCOL: u64 = 11;
/// Most bytes of a block (CometBFT's default consensus parameters).
pub(crate) const BLOCK_BYTES_MAX: i64 = 22_020_096;
/// Most gas of a block: no limit.
pub(crate) const BLOCK_GAS_MAX: i64 = -1;
/// Bytes of a part (CometBFT `BlockPartSizeBytes`).
const PART_BYTES: usize = 65_536;
/// Seconds of the year 1, Go's zero time, which stands where there is no vote.
const ZERO_TIME_SECONDS: i64 = -62_135_596_800;

/// A block with the commit for it and what it led to.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The header.
    pub(crate) header: raw::Header,
    /// Hash of header and parts.
    pub(crate) id: raw::BlockId,
    /// Transactions.
    pub(crate) txs: Vec<Vec<u8>>,
    /// The commit for the block before.
    pub(crate) last_commit: raw::Commit,
    /// The commit for this block.
    pub(crate) commit: raw::Commit,
    /// Whose block it is.
    pub(crate) validators: Arc<ValidatorSet>,
    /// What the transactions led to, in order.
    pub(crate) results: Vec<TxResult>,
    /// Validators whose power the block changed.
    pub(crate) changes: Vec<Validator>,
    /// App hash of the state after it.
    pub(crate) app_hash_after: Hash,
}

impl Block {
    /// The height.
    pub(crate) fn height(&self) -> u64 {
        u64::try_from(self.header.height).unwrap_or_default()
    }

    /// The time.
    pub(crate) fn time(&self) -> Duration {
        duration(self.header.time.as_ref())
    }

    /// Names the block after its header and contents as they are now.
    pub(crate) fn rename(&mut self) {
        self.id = block_id(&self.header, &self.txs, &self.last_commit);
    }

    /// Seals the block with these votes, one for each validator of the set.
    pub(crate) fn seal(&mut self, ballots: &[Ballot]) {
        let signers: Vec<&Validator> = self.validators.validators.iter().collect();
        self.commit = commit(&self.header, &self.id, &signers, ballots);
    }
}

/// How a validator votes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ballot {
    /// Not at all.
    Absent,
    /// For no block.
    Nil,
    /// For the block.
    Block,
}

/// A point of time in protobuf.
pub(crate) fn timestamp(time: Duration) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: i32::try_from(time.subsec_nanos()).unwrap_or_default() }
}

/// A protobuf time; those before 1970 are zero.
pub(crate) fn duration(time: Option<&Timestamp>) -> Duration {
    let part = |time: &Timestamp| Some((u64::try_from(time.seconds).ok()?, u32::try_from(time.nanos).ok()?));
    time.and_then(part).map_or(Duration::ZERO, |(seconds, nanos)| Duration::new(seconds, nanos))
}

/// Hash of a header: of its fields, each as protobuf.
pub(crate) fn header_hash(header: &raw::Header) -> Hash {
    merkle::root(&[
        header.version.unwrap_or_default().encode_to_vec(),
        header.chain_id.encode_to_vec(),
        header.height.encode_to_vec(),
        header.time.unwrap_or_default().encode_to_vec(),
        header.last_block_id.clone().unwrap_or_else(no_block).encode_to_vec(),
        header.last_commit_hash.encode_to_vec(),
        header.data_hash.encode_to_vec(),
        header.validators_hash.encode_to_vec(),
        header.next_validators_hash.encode_to_vec(),
        header.consensus_hash.encode_to_vec(),
        header.app_hash.encode_to_vec(),
        header.last_results_hash.encode_to_vec(),
        header.evidence_hash.encode_to_vec(),
        header.proposer_address.encode_to_vec(),
    ])
}

/// The id of no block, which the first block follows.
pub(crate) fn no_block() -> raw::BlockId {
    raw::BlockId { hash: Vec::new(), part_set_header: Some(raw::PartSetHeader::default()) }
}

/// The commit of no block, which the first block carries.
pub(crate) fn no_commit() -> raw::Commit {
    raw::Commit { height: 0, round: 0, block_id: Some(no_block()), signatures: Vec::new() }
}

/// Hash of a block's transactions.
pub(crate) fn data_hash(txs: &[Vec<u8>]) -> Hash {
    merkle::root(&txs.iter().map(|tx| merkle::sha256(&[tx])).collect::<Vec<_>>())
}

/// Hash of a commit's signatures.
pub(crate) fn commit_hash(commit: &raw::Commit) -> Hash {
    merkle::root(&commit.signatures.iter().map(Message::encode_to_vec).collect::<Vec<_>>())
}

/// Hash of what transactions led to: what is the same on every node.
pub(crate) fn results_hash(results: &[TxResult]) -> Hash {
    let leaf = |result: &TxResult| {
        let gas = |gas: u64| i64::try_from(gas).unwrap_or(i64::MAX);
        let (gas_wanted, gas_used) = (gas(result.gas_wanted), gas(result.gas_used));
        let (code, data) = (result.code, result.data.clone().into());
        ExecTxResult { code, data, gas_wanted, gas_used, ..ExecTxResult::default() }.encode_to_vec()
    };
    merkle::root(&results.iter().map(leaf).collect::<Vec<_>>())
}

/// Hash of the consensus parameters.
pub(crate) fn consensus_hash() -> Hash {
    let params = raw::HashedParams { block_max_bytes: BLOCK_BYTES_MAX, block_max_gas: BLOCK_GAS_MAX };
    merkle::sha256(&[&params.encode_to_vec()])
}

fn block_id(header: &raw::Header, txs: &[Vec<u8>], last_commit: &raw::Commit) -> raw::BlockId {
    let block = raw::Block {
        header: Some(header.clone()),
        data: Some(raw::Data { txs: txs.to_vec() }),
        evidence: Some(raw::EvidenceList::default()),
        last_commit: Some(last_commit.clone()),
    };
    let bytes = block.encode_to_vec();
    let parts: Vec<&[u8]> = bytes.chunks(PART_BYTES).collect();
    let total = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let part_set_header = Some(raw::PartSetHeader { total, hash: merkle::root(&parts).to_vec() });
    raw::BlockId { hash: header_hash(header).to_vec(), part_set_header }
}

/// A commit of round 0 for a block, in which each of the signers votes as its ballot says.
pub(crate) fn commit(
    header: &raw::Header,
    id: &raw::BlockId,
    signers: &[&Validator],
    ballots: &[Ballot],
) -> raw::Commit {
    let slots = signers.iter().zip(ballots).zip(0_u64..);
    let signatures = slots
        .map(|((signer, ballot), position)| {
            // Votes differ in their times, so that what each signs is its own.
            let time = duration(header.time.as_ref()) + Duration::from_nanos(1_000 + position);
            sign(header, id, (signer, *ballot), timestamp(time))
        })
        .collect();
    raw::Commit { height: header.height, round: 0, block_id: Some(id.clone()), signatures }
}

fn sign(header: &raw::Header, id: &raw::BlockId, vote: (&Validator, Ballot), time: Timestamp) -> raw::CommitSig {
    let (signer, ballot) = vote;
    let (flag, block_id) = match ballot {
        Ballot::Absent => {
            return raw::CommitSig {
                block_id_flag: BlockIdFlag::Absent as i32,
                validator_address: Vec::new(),
                timestamp: Some(Timestamp { seconds: ZERO_TIME_SECONDS, nanos: 0 }),
                signature: Vec::new(),
            };
        }
        Ballot::Nil => (BlockIdFlag::Nil, None),
        Ballot::Block => (BlockIdFlag::Commit, Some(canonical(id))),
    };
    let vote = CanonicalVote {
        r#type: raw::SignedMsgType::Precommit as i32,
        height: header.height,
        round: 0,
        block_id,
        timestamp: Some(time),
        chain_id: header.chain_id.clone(),
    };
    raw::CommitSig {
        block_id_flag: flag as i32,
        validator_address: signer.address.to_vec(),
        timestamp: Some(time),
        signature: signer.sign(&vote.encode_length_delimited_to_vec()),
    }
}

fn canonical(id: &raw::BlockId) -> CanonicalBlockId {
    let parts = id.part_set_header.clone().unwrap_or_default();
    let part_set_header = Some(CanonicalPartSetHeader { total: parts.total, hash: parts.hash });
    CanonicalBlockId { hash: id.hash.clone(), part_set_header }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use serde_json::Value;

    use super::*;

    fn recorded(name: &str) -> Value {
        let path = format!("{}/../../tests/vectors/cosmos-rpc/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()["result"].clone()
    }

    fn upper(hash: Hash) -> Value {
        Value::String(hex::encode_upper(hash))
    }

    #[test]
    fn every_hash_of_a_recorded_block_is_found_again() {
        let answer = recorded("block_recv.json");
        let block: tendermint::Block = serde_json::from_value(answer["block"].clone()).unwrap();
        let block: raw::Block = block.into();
        let (header, last_commit) = (block.header.unwrap(), block.last_commit.unwrap());
        let txs = block.data.unwrap().txs;
        let json = &answer["block"]["header"];
        assert_eq!(upper(data_hash(&txs)), json["data_hash"]);
        assert_eq!(upper(commit_hash(&last_commit)), json["last_commit_hash"]);
        assert_eq!(upper(consensus_hash()), json["consensus_hash"]);
        let id = block_id(&header, &txs, &last_commit);
        assert_eq!(hex::encode_upper(&id.hash), answer["block_id"]["hash"]);
        let parts = id.part_set_header.unwrap();
        assert_eq!(hex::encode_upper(&parts.hash), answer["block_id"]["parts"]["hash"]);
        assert_eq!(parts.total, 1);
    }

    #[test]
    fn the_first_block_of_the_recorded_chain_is_hashed_as_there() {
        let answer = recorded("commit_1.json");
        let header: tendermint::block::Header =
            serde_json::from_value(answer["signed_header"]["header"].clone()).unwrap();
        let expect = answer["signed_header"]["commit"]["block_id"]["hash"].clone();
        assert_eq!(upper(header_hash(&header.into())), expect);
    }

    #[test]
    fn results_are_hashed_by_what_is_the_same_on_every_node() {
        let recorded = recorded("block_results_recv.json");
        let result = &recorded["txs_results"][0];
        let number = |name: &str| result[name].as_str().unwrap().parse().unwrap();
        let text = result["data"].as_str().unwrap();
        let data = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
        // By hand: field 2 with its length, field 5 = 230229, field 6 = 153616.
        let leaf = [&[0x12, 97][..], &data, &[0x28, 0xD5, 0x86, 0x0E, 0x30, 0x90, 0xB0, 0x09]].concat();
        let (gas_wanted, gas_used) = (number("gas_wanted"), number("gas_used"));
        let ours = TxResult { data, gas_wanted, gas_used, log: "of this node".into(), ..TxResult::default() };
        assert_eq!(results_hash(&[ours]), merkle::root(&[leaf]));
    }
}
