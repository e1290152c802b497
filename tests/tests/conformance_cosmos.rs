//! The Cosmos adapter passes the conformance suite on a real ibc-go chain.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use catenary_adapter_testkit::assert_conforms;
use catenary_tests::conformance::{CosmosHarness, Network};
use catenary_tests::localnet::{nodes_are_here, Simd, SimdOptions};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cosmos_adapter_conforms_on_simd() {
    if !nodes_are_here("conformance_cosmos::the_cosmos_adapter_conforms_on_simd") {
        return;
    }
    let node = Arc::new(Simd::start(SimdOptions::default()).unwrap());
    node.wait_for_height(3, MINUTE).unwrap();
    let waiting = node.clone();
    let network = Network {
        endpoint: node.rpc_url(0).trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        chain_id: node.options.chain_id.clone(),
        advance: Box::new(move |blocks| {
            let height = waiting.height(0).map_err(|error| error.to_string())?;
            let reached = waiting.wait_for_node_height(0, height + blocks, MINUTE);
            reached.map(|_| ()).map_err(|error| error.to_string())
        }),
    };
    let harness = CosmosHarness::create("cosmos on simd", network).await.unwrap();
    let report = assert_conforms(&harness, 1).await;
    eprintln!("{report}");
}
