//! Both adapters pass the conformance suite on devnets: the same checks as on real nodes, with blocks made on demand.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::time::Duration;

use catenary_adapter_testkit::run_only;
use catenary_devnet::cometbft::{CometConfig, CometDevnet};
use catenary_devnet::evm::{EvmConfig, EvmDevnet};
use catenary_tests::conformance::{CosmosHarness, EvmHarness, Network};
use catenary_tests::localnet::Account;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cosmos_adapter_conforms_on_the_devnet() {
    let funded = Account::defaults().into_iter().map(|account| (account.cosmos_address, "stake".into(), 1_000_000_000));
    let config = CometConfig { funded: funded.collect(), ..CometConfig::default() };
    let chain_id = config.chain_id.clone();
    let devnet = Arc::new(CometDevnet::start(config).await.unwrap());
    devnet.wait_for_height(3).await;
    let mining = devnet.clone();
    let network = Network {
        endpoint: devnet.url().trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        chain_id,
        advance: Box::new(move |blocks| mining.mine(blocks).map(|_| ()).map_err(|error| error.to_string())),
    };
    let harness = CosmosHarness::create("cosmos on the devnet", network).await.unwrap();
    // Deadlines take a minute and have nothing to do with the chain behind the endpoint: see conformance_cosmos.rs.
    let report = run_only(&harness, 1, |name| !name.starts_with("deadline.")).await;
    assert!(report.conforms(), "{report}");
    eprintln!("{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_evm_adapter_conforms_on_the_devnet() {
    let funded = Account::defaults().into_iter().map(|account| (account.evm_address, 10u128.pow(24)));
    let config = EvmConfig { funded: funded.collect(), ..EvmConfig::default() };
    let chain_id = config.chain_id.to_string();
    let devnet = Arc::new(EvmDevnet::start(config).await.unwrap());
    devnet.wait_for_height(3, Duration::from_secs(60)).await.unwrap();
    let mining = devnet.clone();
    let network = Network {
        endpoint: devnet.url().trim_start_matches("http://").trim_end_matches('/').parse().unwrap(),
        chain_id,
        advance: Box::new(move |blocks| {
            let mined = tokio::runtime::Handle::current().block_on(mining.mine(blocks));
            mined.map(|_| ()).map_err(|error| error.to_string())
        }),
    };
    let harness = EvmHarness::deploy("evm on the devnet", network, EvmHarness::in_process()).await.unwrap();
    // See above.
    let report = run_only(&harness, 1, |name| !name.starts_with("deadline.")).await;
    assert!(report.conforms(), "{report}");
    eprintln!("{report}");
}
