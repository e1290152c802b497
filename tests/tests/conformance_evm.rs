//! The EVM adapter passes the conformance suite on a real GoQuorum network.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use catenary_adapter_testkit::assert_conforms;
use catenary_tests::conformance::{EvmHarness, Network};
use catenary_tests::localnet::{nodes_are_here, Quorum, QuorumOptions};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_evm_adapter_conforms_on_goquorum() {
    if !nodes_are_here("conformance_evm::the_evm_adapter_conforms_on_goquorum") {
        return;
    }
    let node = Arc::new(Quorum::start(QuorumOptions::default()).unwrap());
    let waiting = node.clone();
    let network = Network {
        endpoint: node.rpc_url(0).trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        chain_id: node.options.chain_id.to_string(),
        advance: Box::new(move |blocks| {
            let height = waiting.height(0).map_err(|error| error.to_string())?;
            let reached = waiting.wait_for_node_height(0, height + blocks, MINUTE);
            reached.map(|_| ()).map_err(|error| error.to_string())
        }),
    };
    let harness = EvmHarness::deploy("evm on GoQuorum", network, EvmHarness::in_process()).await.unwrap();
    let report = assert_conforms(&harness, 1).await;
    eprintln!("{report}");
}
