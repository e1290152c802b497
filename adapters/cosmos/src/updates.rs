//! Light-client updates: a block's commit, with the validator sets that the light client may not know.
//!
//! A light client remembers the set of its newest header only, and this adapter does not know which light clients
//! there are. So each call stands on its own: the first update of a range carries its validator set, and every later
//! one whose set differs from the one before; a set that the next block will use is sent along when it differs.
//! Sets are kept by hash, so this costs a request only when a set is new. What is kept was hashed here, so that a
//! wrong set cannot outlive the endpoint that served it.

use core::num::NonZeroUsize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use catenary_light_clients::cometbft::encode_update;
use prost_tendermint::Message;
use tendermint::block::signed_header::SignedHeader;
use tendermint::block::Height;
use tendermint::validator;
use tendermint::Hash;
use tendermint_proto::v0_38::types as raw;
use tendermint_rpc::endpoint::{commit, validators};

use crate::error::{Error, Result};
use crate::limits;
use crate::transport::{Attempts, Transport};

/// Encoded validator sets by hash, the least recently added first.
#[derive(Debug, Default)]
pub(crate) struct SetCache(Mutex<VecDeque<(Hash, Arc<Vec<u8>>)>>);

impl SetCache {
    fn get(&self, hash: Hash) -> Option<Arc<Vec<u8>>> {
        let sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.iter().find(|(known, _)| *known == hash).map(|(_, bytes)| Arc::clone(bytes))
    }

    fn put(&self, hash: Hash, bytes: Arc<Vec<u8>>) {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.iter().any(|(known, _)| *known == hash) {
            return;
        }
        if sets.len() >= limits::SETS_MAX {
            sets.pop_front();
        }
        sets.push_back((hash, bytes));
    }
}

/// The commits of some heights.
pub(crate) async fn signed_headers(transport: &Transport, heights: Vec<Height>) -> Result<Vec<SignedHeader>> {
    let answers = transport.batch(heights.iter().copied().map(commit::Request::new).collect()).await?;
    let of_height = |(height, answer): (Height, commit::Response)| {
        let got = answer.signed_header.header.height;
        if got == height {
            return Ok(answer.signed_header);
        }
        let (expected, got) = (height.to_string(), got.to_string());
        Err(Error::Mismatch { chain: transport.chain().to_owned(), what: "commit of height", expected, got })
    };
    heights.into_iter().zip(answers).map(of_height).collect()
}

/// The updates of consecutive signed headers.
pub(crate) async fn encode(
    transport: &Transport,
    cache: &SetCache,
    headers: Vec<SignedHeader>,
) -> Result<Vec<Vec<u8>>> {
    let mut updates = Vec::with_capacity(headers.len());
    let mut sent = None;
    for signed in headers {
        let header = &signed.header;
        let (own, next) = (header.validators_hash, header.next_validators_hash);
        let mut sets = (None, None);
        if sent != Some((own, next)) {
            sets.0 = Some(set(transport, cache, header.height, own).await?);
            if next != own {
                sets.1 = Some(set(transport, cache, header.height.increment(), next).await?);
            }
            sent = Some((own, next));
        }
        let signed: raw::SignedHeader = signed.into();
        let bytes = |set: &Option<Arc<Vec<u8>>>| set.as_ref().map(|set| set.as_slice().to_vec());
        updates.push(encode_update(&signed.encode_to_vec(), bytes(&sets.0).as_deref(), bytes(&sets.1).as_deref()));
    }
    Ok(updates)
}

/// The set of a height, which must have the hash.
async fn set(transport: &Transport, cache: &SetCache, height: Height, hash: Hash) -> Result<Arc<Vec<u8>>> {
    if let Some(bytes) = cache.get(hash) {
        return Ok(bytes);
    }
    let infos = all_pages(transport, height).await?;
    let bytes = Arc::new(encode_set(transport.chain(), hash, infos)?);
    cache.put(hash, Arc::clone(&bytes));
    Ok(bytes)
}

fn encode_set(chain: &str, hash: Hash, infos: Vec<validator::Info>) -> Result<Vec<u8>> {
    let mismatch = |got: String| Error::Mismatch {
        chain: chain.to_owned(),
        what: "validator set",
        expected: hash.to_string(),
        got,
    };
    // The set's own constructor panics on powers that sum to too much; the conversion refuses them.
    let validators = infos.into_iter().map(Into::into).collect();
    let set = raw::ValidatorSet { validators, proposer: None, total_voting_power: 0 };
    let set = validator::Set::try_from(set).map_err(|error| mismatch(error.detail().to_string()))?;
    let got = set.hash();
    if got != hash {
        return Err(mismatch(got.to_string()));
    }
    let raw: raw::ValidatorSet = set.into();
    Ok(raw.encode_to_vec())
}

async fn all_pages(transport: &Transport, height: Height) -> Result<Vec<validator::Info>> {
    let mut infos: Vec<validator::Info> = Vec::new();
    let pages_max = limits::VALIDATORS_MAX.div_ceil(usize::from(limits::VALIDATORS_PER_PAGE));
    let mismatch = |what, expected: String, got: String| Error::Mismatch {
        chain: transport.chain().to_owned(),
        what,
        expected,
        got,
    };
    for page in (1..=pages_max).filter_map(NonZeroUsize::new) {
        let per_page = Some(limits::VALIDATORS_PER_PAGE.into());
        let request = validators::Request::new(Some(height), Some(page.get().into()), per_page);
        let answer = transport.call(request, Attempts::Retry).await?;
        if answer.block_height != height {
            return Err(mismatch("validators of height", height.to_string(), answer.block_height.to_string()));
        }
        let added = answer.validators.len();
        infos.extend(answer.validators);
        let total = usize::try_from(answer.total).unwrap_or_default();
        if infos.len() >= total {
            return Ok(infos);
        }
        if added == 0 {
            return Err(mismatch("validators in all", total.to_string(), infos.len().to_string()));
        }
    }
    let (got, max) = (infos.len() as u64, limits::VALIDATORS_MAX as u64);
    Err(Error::Range { what: "validators", got, max })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn the_cache_is_bounded_and_keeps_the_newest() {
        let cache = SetCache::default();
        let hash = |n: u8| Hash::Sha256([n; 32]);
        let fits = u8::try_from(limits::SETS_MAX).unwrap();
        for n in 0..=fits {
            cache.put(hash(n), Arc::new(vec![n]));
            cache.put(hash(n), Arc::new(vec![99]));
        }
        assert_eq!(cache.get(hash(0)), None, "the first one made room");
        assert_eq!(cache.get(hash(1)).unwrap().as_slice(), [1], "known sets are not replaced");
        assert_eq!(cache.0.lock().unwrap().len(), limits::SETS_MAX);
    }

    fn vote_power(power: i64) -> tendermint::vote::Power {
        power.try_into().unwrap()
    }

    #[test]
    fn recorded_commits_keep_their_hash() {
        use tendermint_rpc::response::Response as _;
        let one = include_str!("../../../tests/vectors/cosmos-rpc/commit_1.json");
        let three = include_str!("../../../tests/vectors/cosmos-rpc/commit_of_three.json");
        for text in [one, three] {
            let signed = commit::Response::from_string(text).unwrap().signed_header;
            assert_eq!(signed.header.hash(), signed.commit.block_id.hash, "no field is lost on the way");
        }
        let mut spoilt: serde_json::Value = serde_json::from_str(three).unwrap();
        spoilt["result"]["signed_header"]["commit"]["signatures"][0]["block_id_flag"] = serde_json::json!(7);
        assert!(commit::Response::from_string(spoilt.to_string()).is_err(), "an unknown flag does not decode");
    }

    /// A recorded header with other sets.
    fn header_with(own: u8, next: u8) -> SignedHeader {
        use tendermint_rpc::response::Response as _;
        let one = include_str!("../../../tests/vectors/cosmos-rpc/commit_1.json");
        let mut signed = commit::Response::from_string(one).unwrap().signed_header;
        signed.header.validators_hash = Hash::Sha256([own; 32]);
        signed.header.next_validators_hash = Hash::Sha256([next; 32]);
        signed
    }

    /// Own and next sets of each header, and which of them go along.
    type SetRow = (&'static str, &'static [(u8, u8)], &'static [(Option<u8>, Option<u8>)]);

    #[tokio::test]
    async fn each_range_stands_on_its_own() {
        let config = crate::config::testing::config();
        let transport = Transport::new(&config).unwrap();
        let cache = SetCache::default();
        for set in [1, 2] {
            cache.put(Hash::Sha256([set; 32]), Arc::new(vec![set]));
        }
        let rows: &[SetRow] = &[
            ("one", &[(1, 1)], &[(Some(1), None)]),
            ("the same set", &[(1, 1), (1, 1), (1, 1)], &[(Some(1), None), (None, None), (None, None)]),
            ("a change", &[(1, 1), (1, 2), (2, 2)], &[(Some(1), None), (Some(1), Some(2)), (Some(2), None)]),
            ("begins with the change", &[(1, 2), (2, 2)], &[(Some(1), Some(2)), (Some(2), None)]),
            ("there and back", &[(1, 2), (2, 1), (1, 1)], &[(Some(1), Some(2)), (Some(2), Some(1)), (Some(1), None)]),
        ];
        for (name, sets, expect) in rows {
            let headers: Vec<_> = sets.iter().map(|(own, next)| header_with(*own, *next)).collect();
            let expect: Vec<Vec<u8>> = headers
                .iter()
                .zip(*expect)
                .map(|(signed, (own, next))| {
                    let signed = raw::SignedHeader::from(signed.clone()).encode_to_vec();
                    let (own, next) = (own.map(|set| vec![set]), next.map(|set| vec![set]));
                    encode_update(&signed, own.as_deref(), next.as_deref())
                })
                .collect();
            assert_eq!(encode(&transport, &cache, headers).await, Ok(expect), "{name}");
        }
        let unknown = encode(&transport, &cache, vec![header_with(3, 3)]).await;
        assert!(matches!(unknown, Err(Error::Connect { .. })), "an unknown set is asked for: {unknown:?}");
    }

    #[test]
    fn the_recorded_set_has_the_hash_of_its_header() {
        use tendermint_rpc::response::Response as _;
        let three = include_str!("../../../tests/vectors/cosmos-rpc/commit_of_three.json");
        let four = include_str!("../../../tests/vectors/cosmos-rpc/validators_of_four.json");
        let header = commit::Response::from_string(three).unwrap().signed_header.header;
        let answer = validators::Response::from_string(four).unwrap();
        assert_eq!((answer.block_height, answer.total), (header.height, 4));
        assert!(encode_set("sim", header.validators_hash, answer.validators.clone()).is_ok());
        let cut = answer.validators[..3].to_vec();
        assert!(encode_set("sim", header.validators_hash, cut).is_err(), "a page is missing");
    }

    #[test]
    fn a_set_with_another_hash_is_refused() {
        let key = tendermint::PublicKey::from_raw_ed25519(&[7; 32]);
        let Some(key) = key else { unreachable!("any 32 bytes are accepted as a key") };
        let info = validator::Info::new(key, 10_u32.into());
        let hash = validator::Set::without_proposer(vec![info.clone()]).hash();
        assert!(encode_set("c", hash, vec![info.clone()]).is_ok());
        let refused = [
            ("another hash", encode_set("c", Hash::Sha256([1; 32]), vec![info.clone()])),
            ("another power", encode_set("c", hash, vec![validator::Info::new(key, 11_u32.into())])),
            ("one more", encode_set("c", hash, vec![info.clone(), info])),
            ("none", encode_set("c", hash, vec![])),
            ("too much power", encode_set("c", hash, vec![validator::Info::new(key, vote_power(i64::MAX)); 2])),
        ];
        for (name, got) in refused {
            assert!(matches!(got, Err(Error::Mismatch { what: "validator set", .. })), "{name}: {got:?}");
        }
    }
}
