//! Headers that are shown to on-chain clients, against those that the light client retains.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use catenary_api::{ChainSource, ClientClaim, EventClaim, Head, Identity};
use catenary_light_clients::cometbft::testing::{signers, Chain as Blocks, Signer};
use catenary_light_clients::cometbft::{CometBft, Config};
use catenary_light_clients::{Hash32, LightClient, TrustOptions, Verdict};

use super::*;
use crate::chain::endpoints::testing::{error, Fake};
use crate::chain::endpoints::Unobserved;
use crate::chain::{Adapter, ChainOptions};
use crate::platform;

const CHAIN: &str = "east-1";

/// An endpoint that shows these updates.
#[derive(Default)]
struct Shows(Mutex<BTreeMap<u64, Vec<u8>>>);

#[async_trait]
impl ChainSource for Shows {
    async fn identity(&self) -> catenary_api::Result<Identity> {
        Err(error(catenary_light_clients::Class::Bug))
    }

    async fn head(&self) -> catenary_api::Result<Head> {
        Err(error(catenary_light_clients::Class::Bug))
    }

    async fn updates(&self, from: u64, to: u64) -> catenary_api::Result<Vec<Vec<u8>>> {
        Ok(self.0.lock().unwrap().range(from..=to).map(|(_, update)| update.clone()).collect())
    }

    async fn events(&self, _: u64, _: u64) -> catenary_api::Result<Vec<EventClaim>> {
        Ok(Vec::new())
    }

    async fn proofs(&self, _: u64, _: &[Vec<u8>]) -> catenary_api::Result<Vec<ProofClaim>> {
        Ok(Vec::new())
    }

    async fn present(&self, _: &[Vec<u8>]) -> catenary_api::Result<Vec<bool>> {
        Ok(Vec::new())
    }

    async fn client(&self, _: &str) -> catenary_api::Result<Option<ClientClaim>> {
        Ok(None)
    }
}

fn blocks(set: &[Signer], honest_upto: u64, count: u64) -> Blocks {
    let mut blocks = Blocks::of(CHAIN, set.to_vec(), honest_upto);
    (honest_upto..count).for_each(|height| blocks.push(Hash32::sha256(&[b"another", &height.to_be_bytes()])));
    blocks
}

/// A chain whose light client retains the headers of these heights.
fn retaining(honest: &Blocks, heights: &[u64]) -> (Chain, Arc<Shows>) {
    let (first, rest) = heights.split_first().unwrap();
    let (first, config) = (*first, Config { skipping: true, ..honest.config(*first) });
    // The blocks of tests are as old as they are.
    let trust = TrustOptions { trusting_period_seconds: 1_000_000_000, ..config.trust };
    let mut client = CometBft::new(Config { trust, ..config }, &honest.full_update(first)).unwrap();
    for height in rest {
        let verdict = client.advance(&honest.full_update(*height), platform::now());
        assert!(matches!(verdict, Verdict::Verified(_)), "{height}: {verdict:?}");
    }
    let source = Arc::new(Shows::default());
    let adapter = Adapter { source: source.clone(), sink: Arc::new(Fake::default()) };
    let options = ChainOptions {
        name: "east".into(),
        poll_ms: 10,
        stale_after_seconds: 60,
        wait_above_head_ms: 0,
        skipping: false,
    };
    (Chain::new(options, adapter, Box::new(client), Arc::new(Unobserved)), source)
}

/// Found in review: headers between were handed to an on-chain client without a look at those that our own light client
/// has verified, so that a forged one could be brought there by an honest relayer.
#[tokio::test]
async fn a_header_that_contradicts_a_retained_one_is_not_handed_on() {
    let set = signers(7, &[10, 10, 10, 10]);
    let (honest, forked) = (blocks(&set, 10, 10), blocks(&set, 4, 10));
    let all: Vec<u64> = (1..=10).collect();
    let check = |heights: &[u64], height: u64, update: Vec<u8>, expect: Result<(), ()>, frozen: bool| {
        let (chain, source) = retaining(&honest, heights);
        source.0.lock().unwrap().insert(height, update.clone());
        async move {
            let got = chain.uncontradicted_update(height).await;
            assert_eq!(got.as_ref().map(|_| ()).map_err(|_| ()), expect, "{height}: {got:?}");
            assert!(got.is_err() || got.unwrap() == update);
            assert_eq!(chain.status().frozen, frozen, "{height}");
        }
    };
    check(&all, 5, honest.full_update(5), Ok(()), false).await;
    check(&all, 5, forked.full_update(5), Err(()), true).await;
    check(&all, 10, blocks(&set, 9, 10).full_update(10), Err(()), true).await;
    check(&[1, 10], 10, blocks(&set, 9, 10).full_update(10), Err(()), true).await;
    // What follows a forged header contradicts the retained one, though it shows no misbehaviour by itself.
    check(&all, 10, forked.full_update(10), Err(()), false).await;
    let strangers = Blocks::of(CHAIN, signers(900, &[10, 10, 10, 10]), 10);
    check(&all, 5, strangers.full_update(5), Err(()), false).await;
    // What is not retained is for the on-chain client's judge to decide.
    check(&[8, 9, 10], 5, forked.full_update(5), Ok(()), false).await;
    check(&all, 11, blocks(&set, 10, 11).full_update(11), Ok(()), false).await;
}
