//! The EVM adapter in its own process passes the conformance suite on a real GoQuorum network.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catenary_adapter_testkit::run_only;
use catenary_tests::conformance::{EvmHarness, Network};
use catenary_tests::localnet::{nodes_are_here, Quorum, QuorumOptions};

const MINUTE: Duration = Duration::from_secs(60);
/// What hangs or floods at an endpoint is the adapter's own affair, which it shows in the node's process; here it would
/// take minutes more. Plugins that hang and flood are in the tests of the host.
const LEFT_OUT: [&str; 3] = ["deadline.reads", "deadline.writes", "bounds.flood"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_evm_adapter_conforms_in_its_own_process() {
    if !nodes_are_here("catenary-adapter-evm-process conformance::the_evm_adapter_conforms_in_its_own_process") {
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
    // The manifest as it is shipped, beside the program as it was just built.
    let program = Path::new(env!("CARGO_BIN_EXE_catenary-adapter-evm"));
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(program, folder.path().join("catenary-adapter-evm")).unwrap();
    let manifest = folder.path().join("evm.toml");
    std::fs::write(&manifest, include_str!("../evm.toml")).unwrap();

    let open = EvmHarness::in_process_of_its_own(manifest, program).unwrap();
    let harness = EvmHarness::deploy("evm in its own process on GoQuorum", network, open).await.unwrap();
    let report = run_only(&harness, 2, |name| !LEFT_OUT.contains(&name)).await;
    assert!(report.conforms(), "{report}");
    assert_eq!(report.passed().len(), 35, "{report}");
    eprintln!("{report}");
}
