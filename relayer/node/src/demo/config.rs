//! The configuration file of each operator, in the stages of the set-up: before the contracts are deployed, before the
//! attestor keys exist, before the path is created, and complete. The files are those of any operator, so every command
//! of `catenary` takes them.

use std::path::Path;

use crate::setup::{Created, Deployed};

/// Names of the two chains, in the order of the path's ends.
pub(super) const CHAINS: [&str; 2] = ["evm", "cosmos"];
/// Place of the EVM chain in [`CHAINS`].
pub(super) const EVM: usize = 0;
/// Place of the Cosmos chain in [`CHAINS`].
pub(super) const COSMOS: usize = 1;
/// Name of the path.
pub(super) const PATH: &str = "evm-cosmos";
/// Names of the operators.
pub(super) const OPERATORS: [&str; 3] = ["alpha", "beta", "gamma"];
/// How many of the operators must have verified a packet for themselves.
pub(super) const THRESHOLD: usize = 2;
/// Prefix of addresses on the Cosmos chain.
pub(super) const PREFIX: &str = "cosmos";
/// What fees would be paid in on the Cosmos chain; they are zero.
pub(super) const FEE_DENOM: &str = "stake";
/// Seconds that a delivery is given: what times out sooner is not delivered but refunded. Short, so that a missed
/// deadline can be watched.
pub(super) const RECV_MARGIN_SECONDS: u64 = 10;

/// Loopback ports of an operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct OperatorPorts {
    pub(super) telemetry: u16,
    /// Attestation service of each chain.
    pub(super) attestors: [u16; 2],
}

/// What all operators agree on.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) chain_ids: [String; 2],
    pub(super) ports: Vec<OperatorPorts>,
    /// Height and hash of each chain.
    pub(super) anchors: [(u64, String); 2],
    /// Router and transfer application, once they are deployed.
    pub(super) contracts: Option<Deployed>,
    /// Attestor addresses of each operator, once their keys exist.
    pub(super) attestors: Vec<[String; 2]>,
    /// The clients of the path and the hash of the light client's code, once they are created.
    pub(super) path: Option<(Created, String)>,
}

/// One operator's own part.
#[derive(Clone, Debug)]
pub(super) struct Own<'a> {
    pub(super) index: usize,
    pub(super) dir: &'a Path,
    pub(super) passphrase_file: &'a Path,
    /// Endpoint of each chain.
    pub(super) urls: [String; 2],
}

/// Name of an operator's transaction key on a chain.
pub(super) fn transaction_key(operator: &str, chain: usize) -> String {
    format!("{operator}-pays-{}", CHAINS[chain])
}

/// Name of an operator's attestor key for a chain.
pub(super) fn attestor_key(operator: &str, chain: usize) -> String {
    format!("{operator}-attests-{}", CHAINS[chain])
}

/// The file of one operator.
pub(super) fn render(shared: &Shared, own: &Own<'_>) -> String {
    let mut text = format!(
        "# Made by `catenary demo`.\noperator = \"{}\"\ndata_dir = {}\n\n[telemetry]\nlisten = \"127.0.0.1:{}\"\n\n\
         [keystore]\ndir = {}\npassphrase_file = {}\n\n[limits]\nrecv_margin = \"{RECV_MARGIN_SECONDS}s\"\n",
        OPERATORS[own.index],
        quoted(&own.dir.join("data")),
        shared.ports[own.index].telemetry,
        quoted(&own.dir.join("keys")),
        quoted(own.passphrase_file),
    );
    for chain in [EVM, COSMOS] {
        text.push_str(&chain_section(shared, own, chain));
    }
    for (index, id) in OPERATORS.iter().enumerate() {
        text.push_str(&format!("\n[[operators]]\nid = \"{id}\"\n"));
        for (chain, address) in shared.attestors.get(index).into_iter().flatten().enumerate() {
            text.push_str(&format!(
                "[operators.attestors.{}]\nurl = \"http://127.0.0.1:{}\"\naddress = \"{address}\"\n",
                CHAINS[chain], shared.ports[index].attestors[chain]
            ));
        }
    }
    if !shared.attestors.is_empty() {
        text.push_str(&path_section(shared));
    }
    text
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

fn chain_section(shared: &Shared, own: &Own<'_>, chain: usize) -> String {
    let operator = OPERATORS[own.index];
    let (height, hash) = &shared.anchors[chain];
    let mut text = format!(
        "\n[[chains]]\nname = \"{}\"\nfamily = \"{}\"\nchain_id = \"{}\"\nurls = [\"{}\"]\ntransaction_key = \"{}\"\n\
         attestor_key = \"{}\"\nattestor_listen = \"127.0.0.1:{}\"\n[chains.anchor]\nheight = {height}\nhash = \"{hash}\"\n\
         [chains.trust]\ntrusting_period = \"14d\"\n",
        CHAINS[chain],
        ["qbft", "cometbft"][chain],
        shared.chain_ids[chain],
        own.urls[chain],
        transaction_key(operator, chain),
        attestor_key(operator, chain),
        shared.ports[own.index].attestors[chain],
    );
    if chain == COSMOS {
        text.push_str(&format!(
            "[chains.cosmos]\naddress_prefix = \"{PREFIX}\"\nfee_denom = \"{FEE_DENOM}\"\ngas_price = \"0\"\n"
        ));
        return text;
    }
    text.push_str("[chains.evm]\ngas_price = \"0\"\n");
    if let Some(Deployed { router, transfer }) = &shared.contracts {
        text.push_str(&format!("router = \"{router}\"\ntransfer = \"{transfer}\"\n"));
    }
    text
}

fn path_section(shared: &Shared) -> String {
    let [evm, cosmos] = match &shared.path {
        None => [String::new(), String::new()],
        Some((created, code_hash)) => [
            format!(
                "client = \"{}\"\nlight_client = \"{}\"\nlight_client_code_hash = \"{code_hash}\"\n",
                created.evm_client, created.light_client
            ),
            format!("client = \"{}\"\n", created.cosmos_client),
        ],
    };
    // Idle, the EVM network makes a block every two seconds, so who is next in turn waits some four.
    format!(
        "\n[[paths]]\nname = \"{PATH}\"\nturn_delay_blocks = 2\n\
         [paths.a]\nchain = \"{}\"\nthreshold = {THRESHOLD}\n{evm}[paths.b]\nchain = \"{}\"\nthreshold = {THRESHOLD}\n{cosmos}",
        CHAINS[EVM], CHAINS[COSMOS]
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    /// What is known at a stage, and whether the file is complete then.
    fn check(change: impl Fn(&mut Shared), complete: bool) {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("a \"folder\"");
        std::fs::create_dir_all(&odd).unwrap();
        let ports = |n: u16| OperatorPorts { telemetry: 20_000 + n, attestors: [20_100 + n, 20_200 + n] };
        let anchor = || (1, format!("0x{}", "11".repeat(32)));
        let mut shared = Shared {
            chain_ids: ["1337".to_owned(), "devnet-1".to_owned()],
            ports: (0..3).map(ports).collect(),
            anchors: [anchor(), anchor()],
            contracts: None,
            attestors: Vec::new(),
            path: None,
        };
        change(&mut shared);
        for (index, id) in OPERATORS.iter().enumerate() {
            let urls = ["http://127.0.0.1:1".to_owned(), "http://127.0.0.1:2".to_owned()];
            let own = Own { index, dir: &odd, passphrase_file: &odd.join("passphrase"), urls };
            let file = odd.join("catenary.toml");
            std::fs::write(&file, render(&shared, &own)).unwrap();
            let config = Config::load(&file, &[]).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(config.operator, *id);
            assert_eq!(config.data_dir, odd.join("data"));
            assert_eq!(config.require_paths().is_ok(), complete);
        }
    }

    #[test]
    fn the_file_of_every_stage_is_taken_by_the_parser() {
        let address = |n: usize| format!("0x{}", format!("{n:02x}").repeat(20));
        let contracts = |shared: &mut Shared| {
            shared.contracts = Some(Deployed { router: address(1), transfer: address(2) });
        };
        let attestors = |shared: &mut Shared| {
            contracts(shared);
            shared.attestors = (0..3).map(|n| [address(10 + 2 * n), address(11 + 2 * n)]).collect();
        };
        check(|_| {}, false);
        check(contracts, false);
        check(attestors, false);
        check(
            |shared| {
                attestors(shared);
                let created = Created {
                    light_client: address(3),
                    evm_client: "client-0".to_owned(),
                    cosmos_client: "attestations-0".to_owned(),
                };
                shared.path = Some((created, format!("0x{}", "22".repeat(32))));
            },
            true,
        );
    }
}
