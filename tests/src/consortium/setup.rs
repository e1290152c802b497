//! The set-up of a consortium, step by step as its members do it by hand.

use std::path::Path;
use std::time::Duration;

use catenary_adapter_cosmos::{CosmosAdapter, CosmosConfig};
use catenary_adapter_evm::setup as evm;
use catenary_adapter_evm::{EvmAdapter, EvmConfig};
use catenary_api::ChainSource;
use serde_json::Value;

use super::config::{attestor_key, render, transaction_key, Own, Ports, Shared};
use super::moves::address;
use super::{
    binary, chain_error, Clients, Consortium, ConsortiumOptions, NetworkKind, Networks, Operator, Trail, CHAINS,
    MEMBERS, PATH,
};
use crate::localnet::workdir::Workdir;
use crate::localnet::{ports, Account, LocalnetError};
use crate::proxy::Proxy;

/// How long the members may take to be ready, in seconds; generous for loaded machines.
const READY_SECONDS: u64 = 180;
/// What the users hold of the ERC-20, in base units.
const MINTED: &str = "1000000000000";

/// What the set-up works on.
struct Site {
    dir: Workdir,
    operators: Vec<Operator>,
    urls: Vec<[String; 2]>,
    shared: Shared,
    progress: fn(&str),
}

impl Consortium {
    /// Starts both networks and the members, and waits until all are ready.
    ///
    /// # Errors
    /// The first step that failed, with what the program printed or the end of a log.
    pub fn start(options: &ConsortiumOptions) -> Result<Self, LocalnetError> {
        let step = options.progress;
        if options.networks == NetworkKind::Real {
            step("building the node programs, if they are not there yet");
            crate::localnet::ensure_built()?;
        }
        let binary = binary::catenary()?;
        let runtime = tokio::runtime::Runtime::new().map_err(LocalnetError::io("making a runtime"))?;
        let networks = Networks::start(options, accounts(), &runtime)?;
        let proxies = if options.proxied {
            networks.urls(0).iter().map(|url| Proxy::start(url)).collect::<Result<_, _>>()?
        } else {
            Vec::new()
        };
        let mut site = site(options, &binary, &networks, &proxies)?;
        let clients = site.set_up()?;
        let mut consortium = assemble(site, clients, (networks, runtime), proxies)?;
        step("making a token for the users");
        consortium.make_token()?;
        step("starting alpha, beta and gamma");
        for operator in &mut consortium.operators {
            operator.start(None)?;
        }
        consortium.wait_ready(Duration::from_secs(READY_SECONDS))?;
        step("ready");
        Ok(consortium)
    }

    /// Deploys the ERC-20, mints it for the EVM user and lets the transfer application take it.
    fn make_token(&mut self) -> Result<(), LocalnetError> {
        let created = self.evm_call(evm::deploy_test_token("Test", "TST").map_err(chain_error)?)?;
        self.token = created.created.ok_or_else(|| LocalnetError::answer("deploying a token", "no address"))?;
        let owner = self.evm_user.evm_address;
        self.evm_call(evm::mint(&self.token, &owner, MINTED).map_err(chain_error)?)?;
        self.evm_call(evm::approve(&self.token, &self.app, MINTED).map_err(chain_error)?)?;
        Ok(())
    }
}

/// The usual accounts, and one a member and chain.
fn accounts() -> Vec<Account> {
    let payers = (0..MEMBERS.len() * 2).map(|i| payer(i / 2, i % 2));
    Account::defaults().into_iter().chain(payers).collect()
}

/// The account that a member pays with on a chain.
fn payer(member: usize, chain: usize) -> Account {
    Account::named(&transaction_key(MEMBERS[member], chain))
}

fn site(
    options: &ConsortiumOptions,
    binary: &Path,
    networks: &Networks,
    proxies: &[Proxy],
) -> Result<Site, LocalnetError> {
    let dir = Workdir::new("members")?;
    let reserved = ports::reserve(3 * MEMBERS.len())?;
    let triples = reserved.ports().chunks_exact(3);
    let ports: Vec<Ports> = triples.map(|p| Ports { telemetry: p[0], attestors: [p[1], p[2]] }).collect();
    let _ = reserved.release();
    let mut operators = Vec::new();
    let mut urls = Vec::new();
    for (index, id) in MEMBERS.iter().enumerate() {
        let home = dir.path().join(id);
        std::fs::create_dir_all(&home).map_err(LocalnetError::io("making a member's folder"))?;
        operators.push(Operator::new(id, home, binary, ports[index].telemetry));
        urls.push(match (index, proxies) {
            (0, [a, b]) => [a.url(), b.url()],
            _ => networks.urls(index),
        });
    }
    let nothing = || (1, format!("0x{}", "11".repeat(32)));
    let shared = Shared {
        chain_ids: networks.chain_ids(),
        ports,
        anchors: [nothing(), nothing()],
        contracts: None,
        attestors: Vec::new(),
        clients: None,
        turn_delay_blocks: options.turn_delay_blocks,
        turn_bucket_sequences: options.turn_bucket_sequences,
        attestation_chunk: options.attestation_chunk,
    };
    Ok(Site { dir, operators, urls, shared, progress: options.progress })
}

impl Site {
    fn configure(&self) -> Result<(), LocalnetError> {
        for (index, operator) in self.operators.iter().enumerate() {
            let own = Own { index, dir: operator.dir(), urls: self.urls[index].clone() };
            operator.configure(&render(&self.shared, &own))?;
        }
        Ok(())
    }

    fn set_up(&mut self) -> Result<Clients, LocalnetError> {
        self.configure()?;
        (self.progress)("importing the keys that pay");
        self.import_payers()?;
        (self.progress)("deploying the contracts (catenary chain deploy)");
        let deployed = self.operators[0].cli(&["chain", "deploy", CHAINS[0]])?;
        self.shared.contracts = Some((text(&deployed, "router")?, text(&deployed, "transfer")?));
        for (chain, name) in CHAINS.iter().enumerate() {
            let anchor = self.operators[0].cli(&["chain", "anchor", name])?;
            let height = anchor["height"].as_u64().ok_or_else(|| LocalnetError::answer("chain anchor", &anchor))?;
            self.shared.anchors[chain] = (height, text(&anchor, "hash")?);
        }
        self.configure()?;
        (self.progress)("making the attestor keys (catenary keys new)");
        self.make_attestors()?;
        self.configure()?;
        (self.progress)("creating the path (catenary path create)");
        let created = self.operators[0].cli(&["path", "create", PATH])?;
        let clients = Clients {
            evm: text(&created, "evm_client")?,
            cosmos: text(&created, "cosmos_client")?,
            light_client: text(&created, "light_client")?,
            light_client_code_hash: text(&created, "light_client_code_hash")?,
        };
        self.shared.clients = Some(clients.clone());
        self.configure()?;
        (self.progress)("checking (catenary check --online)");
        for operator in &self.operators {
            operator.cli(&["check", "--online"])?;
        }
        Ok(clients)
    }

    fn import_payers(&self) -> Result<(), LocalnetError> {
        for (index, operator) in self.operators.iter().enumerate() {
            for (chain, name) in CHAINS.iter().enumerate() {
                let id = transaction_key(MEMBERS[index], chain);
                let file = operator.dir().join("import.hex");
                write_private(&file, &hex::encode(payer(index, chain).private_key))?;
                let path = file.display().to_string();
                let args = ["keys", "import", &id, "--chain", name, "--purpose", "transactions", "--file", &path];
                operator.cli(&args)?;
                std::fs::remove_file(&file).map_err(LocalnetError::io("removing an imported key"))?;
            }
        }
        Ok(())
    }

    fn make_attestors(&mut self) -> Result<(), LocalnetError> {
        for (index, operator) in self.operators.iter().enumerate() {
            let ids = [attestor_key(MEMBERS[index], 0), attestor_key(MEMBERS[index], 1)];
            for (id, chain) in ids.iter().zip(CHAINS) {
                operator.cli(&["keys", "new", id, "--chain", chain, "--purpose", "attestations"])?;
            }
            let keys = operator.cli(&["keys", "list"])?;
            let found = ids
                .map(|id| keys.as_array()?.iter().find(|key| key["id"] == *id)?["address"].as_str().map(str::to_owned));
            let [Some(a), Some(b)] = found else { return Err(LocalnetError::answer("keys list", keys)) };
            self.shared.attestors.push([a, b]);
        }
        Ok(())
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), LocalnetError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(LocalnetError::io("writing a key to import"))
}

fn text(value: &Value, field: &str) -> Result<String, LocalnetError> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| LocalnetError::answer(field, value))
}

fn assemble(
    site: Site,
    clients: Clients,
    (networks, runtime): (Networks, tokio::runtime::Runtime),
    proxies: Vec<Proxy>,
) -> Result<Consortium, LocalnetError> {
    let (router, transfer) = site.shared.contracts.clone().unwrap_or_default();
    let (router, app) = (address(&router)?, address(&transfer)?);
    // Users ask another validator than the members, where there are enough.
    let [evm_url, cosmos_url] = networks.urls(MEMBERS.len());
    let [evm_chain_id, cosmos_chain_id] = networks.chain_ids();
    let evm_chain_id = evm_chain_id.parse().map_err(|_| LocalnetError::answer("a chain id", &evm_chain_id))?;
    let mut config = EvmConfig::new("users-evm", &evm_url, evm_chain_id);
    config.router = Some(router);
    let evm = EvmAdapter::new(config).map_err(chain_error)?;
    let cosmos = CosmosAdapter::new(CosmosConfig {
        name: "users-cosmos".to_owned(),
        urls: vec![cosmos_url],
        chain_id: cosmos_chain_id,
        address_prefix: "cosmos".to_owned(),
        fee_denom: "stake".to_owned(),
        gas_price: "0".to_owned(),
        gas_multiplier_percent: 150,
        gas_max: 60_000_000,
        tx_bytes_max: 1_000_000,
        messages_max: 200,
    })
    .map_err(chain_error)?;
    let heads = runtime.block_on(async { (evm.head().await, cosmos.head().await) });
    let started_at = [heads.0.map_err(chain_error)?.height, heads.1.map_err(chain_error)?.height];
    Ok(Consortium {
        operators: site.operators,
        clients,
        proxies,
        evm,
        cosmos,
        evm_user: Account::named("user-0"),
        cosmos_user: Account::named("user-1"),
        router,
        app,
        token: [0; 20],
        trail: Trail::starting_at(started_at),
        started_at,
        shared: site.shared,
        networks,
        runtime,
        dir: site.dir,
    })
}

impl Consortium {
    /// The member who signs as `signer` on either chain.
    #[must_use]
    pub fn member_of_signer(&self, signer: &str) -> Option<usize> {
        (0..MEMBERS.len()).find(|member| {
            let accounts = [payer(*member, 0), payer(*member, 1)];
            accounts.iter().any(|account| account.evm_hex() == signer || account.cosmos_address == signer)
        })
    }
}
