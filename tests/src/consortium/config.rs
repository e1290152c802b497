//! The configuration file of each member, in the stages of the set-up: before the contracts are deployed, before the
//! attestor keys exist, before the path is created, and complete.

use std::fmt::Write as _;
use std::path::Path;

/// Names of the two chains in every configuration, in the order of the path's ends.
pub const CHAINS: [&str; 2] = ["quorum", "simd"];
/// Name of the path.
pub const PATH: &str = "quorum-simd";
/// Names of the members.
pub const MEMBERS: [&str; 3] = ["alpha", "beta", "gamma"];
/// The variable that holds the passphrase of the keys.
pub(super) const PASSPHRASE_ENV: &str = "CATENARY_PASSPHRASE";

/// A head older than this is stale: long enough for a loaded machine, short enough for a test to see it.
const STALE_AFTER: &str = "30s";

/// Loopback ports of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) telemetry: u16,
    /// Attestation service of each chain.
    pub(super) attestors: [u16; 2],
}

/// What all members agree on.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) chain_ids: [String; 2],
    pub(super) ports: Vec<Ports>,
    /// Height and hash of each chain.
    pub(super) anchors: [(u64, String); 2],
    /// Router and transfer application, once they are deployed.
    pub(super) contracts: Option<(String, String)>,
    /// Attestor addresses of each member, once their keys exist.
    pub(super) attestors: Vec<[String; 2]>,
    /// What `path create` made.
    pub(super) clients: Option<Clients>,
    pub(super) turn_delay_blocks: Option<u64>,
    pub(super) turn_bucket_sequences: Option<u64>,
    pub(super) attestation_chunk: Option<u64>,
}

/// The on-chain clients of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Client on the EVM chain.
    pub evm: String,
    /// Client on the Cosmos chain.
    pub cosmos: String,
    /// Address of the light client contract.
    pub light_client: String,
    /// Hash of its code.
    pub light_client_code_hash: String,
}

/// One member's own part.
#[derive(Clone, Debug)]
pub(super) struct Own<'a> {
    pub(super) index: usize,
    pub(super) dir: &'a Path,
    /// Endpoint of each chain.
    pub(super) urls: [String; 2],
}

/// Name of a member's transaction key on a chain.
pub(super) fn transaction_key(member: &str, chain: usize) -> String {
    format!("{member}-pays-{}", CHAINS[chain])
}

/// Name of a member's attestor key for a chain.
pub(super) fn attestor_key(member: &str, chain: usize) -> String {
    format!("{member}-attests-{}", CHAINS[chain])
}

/// The file of one member.
pub(super) fn render(shared: &Shared, own: &Own<'_>) -> String {
    let mut text = String::new();
    let mut put = |line: &str| writeln!(text, "{line}").expect("writing to a string cannot fail");
    let member = MEMBERS[own.index];
    let ports = shared.ports[own.index];
    put(&format!("operator = \"{member}\"\ndata_dir = \"{}\"", own.dir.join("data").display()));
    put(&format!(
        "[telemetry]\nlisten = \"127.0.0.1:{}\"\nlog = \"info,catenary_node::relay=debug\"\nlog_format = \"text\"\n[keystore]\ndir = \"{}\"\n\
         passphrase_env = \"{PASSPHRASE_ENV}\"",
        ports.telemetry,
        own.dir.join("keys").display()
    ));
    if let Some(bucket) = shared.turn_bucket_sequences {
        put(&format!("[limits]\nturn_bucket_sequences = {bucket}"));
    }
    for chain in 0..2 {
        put(&chain_section(shared, own, chain));
    }
    for (index, id) in MEMBERS.iter().enumerate() {
        put(&format!("[[operators]]\nid = \"{id}\""));
        for (chain, address) in shared.attestors.get(index).into_iter().flatten().enumerate() {
            put(&format!(
                "[operators.attestors.{}]\nurl = \"http://127.0.0.1:{}\"\naddress = \"{address}\"",
                CHAINS[chain], shared.ports[index].attestors[chain]
            ));
        }
    }
    if !shared.attestors.is_empty() {
        put(&path_section(shared));
    }
    text
}

fn chain_section(shared: &Shared, own: &Own<'_>, chain: usize) -> String {
    let member = MEMBERS[own.index];
    let (height, hash) = &shared.anchors[chain];
    let mut text = format!(
        "[[chains]]\nname = \"{}\"\nfamily = \"{}\"\nchain_id = \"{}\"\nurls = [\"{}\"]\ntransaction_key = \"{}\"\n\
         attestor_key = \"{}\"\nattestor_listen = \"127.0.0.1:{}\"\nstale_after = \"{STALE_AFTER}\"\n[chains.anchor]\nheight = {height}\nhash = \"{hash}\"\n\
         [chains.trust]\ntrusting_period = \"14d\"\n",
        CHAINS[chain],
        ["qbft", "cometbft"][chain],
        shared.chain_ids[chain],
        own.urls[chain],
        transaction_key(member, chain),
        attestor_key(member, chain),
        shared.ports[own.index].attestors[chain],
    );
    if chain == 0 {
        text.push_str("[chains.evm]\ngas_price = \"0\"\n");
        if let Some((router, transfer)) = &shared.contracts {
            text.push_str(&format!("router = \"{router}\"\ntransfer = \"{transfer}\"\n"));
        }
    } else {
        text.push_str("[chains.cosmos]\naddress_prefix = \"cosmos\"\nfee_denom = \"stake\"\ngas_price = \"0\"\n");
    }
    text
}

fn path_section(shared: &Shared) -> String {
    let [evm, cosmos] = match &shared.clients {
        None => [String::new(), String::new()],
        Some(clients) => [
            format!(
                "client = \"{}\"\nlight_client = \"{}\"\nlight_client_code_hash = \"{}\"\n",
                clients.evm, clients.light_client, clients.light_client_code_hash
            ),
            format!("client = \"{}\"\n", clients.cosmos),
        ],
    };
    let option = |key: &str, value: Option<u64>| value.map(|value| format!("{key} = {value}\n")).unwrap_or_default();
    let delay = option("turn_delay_blocks", shared.turn_delay_blocks);
    let chunk = option("attestation_chunk", shared.attestation_chunk);
    format!(
        "[[paths]]\nname = \"{PATH}\"\n{delay}{chunk}\
         [paths.a]\nchain = \"{}\"\nthreshold = 2\n{evm}[paths.b]\nchain = \"{}\"\nthreshold = 2\n{cosmos}",
        CHAINS[0], CHAINS[1]
    )
}
