//! The set-up, as three operators do it by hand: keys, contracts, anchors, path. It goes through the functions behind
//! the commands `chain deploy`, `chain anchor` and `path create`.

use std::path::PathBuf;
use std::sync::Arc;

use catenary_adapter_cosmos::{account_address, CosmosAdapter};
use catenary_adapter_evm::setup as evm;
use catenary_adapter_evm::{checksummed, parse_address, EvmAdapter};
use catenary_api::{Call, PublicKey, TxBody, TxReceipt};
use catenary_core::record::IntentKind;

use super::config::{
    attestor_key, render, transaction_key, OperatorPorts, Own, Shared, CHAINS, COSMOS, EVM, OPERATORS, PATH, PREFIX,
};
use super::folder::{write_private, Folder, Ports};
use super::networks::{Genesis, Networks};
use super::operator::Operator;
use super::transfers::Customers;
use super::{keys, Settings, DENOM, SYMBOL};
use crate::cli::output::Failure;
use crate::cli::setup as commands;
use crate::config::Config;
use crate::keystore::{Binding, KeyEntry, Keystore, Passphrase};
use crate::relay::{Note, Sender, Sent};
use crate::store::Ledger;
use crate::wiring::{self, FamilyAdapter};

/// Opens the demo's keys. They guard nothing; the commands need one.
const PASSPHRASE: &str = "catenary demo, worth nothing";
/// Who sends and receives in the demo.
const CUSTOMER: &str = "customer";
/// Keys for the person who watches, to send with by hand.
pub(super) const VISITOR: &str = "visitor";
/// What customer and visitor hold of each asset, in base units.
const HOLDINGS: u128 = 1_000_000_000;

/// What the set-up knows, step by step.
#[derive(Debug)]
pub(super) struct Site {
    settings: Settings,
    dirs: Vec<PathBuf>,
    passphrase_file: PathBuf,
    ports: Ports,
    pub(super) shared: Shared,
    customer: [KeyEntry; 2],
    visitor: [KeyEntry; 2],
    ledger: Arc<Ledger>,
}

/// What is there when the set-up is done.
#[derive(Debug)]
pub(super) struct World {
    pub(super) networks: Networks,
    pub(super) customers: Customers,
    pub(super) cosmos: Arc<CosmosAdapter>,
    /// Addresses of the visitor on each chain.
    pub(super) visitor: [String; 2],
    pub(super) site: Site,
}

/// Makes folders and keys and starts the networks, whose accounts belong to the keys.
pub(super) async fn networks(settings: Settings, folder: &Folder) -> Result<(Site, Networks), Failure> {
    let passphrase_file = folder.path().join("passphrase");
    write_private(&passphrase_file, PASSPHRASE)?;
    let dirs = OPERATORS.map(|id| folder.make_dir(id)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut payers = Vec::new();
    for (id, dir) in OPERATORS.iter().zip(&dirs) {
        for chain in [EVM, COSMOS] {
            payers.push(import_payer(settings.seed, dir, &transaction_key(id, chain), chain)?);
        }
    }
    let own =
        |who: &str, chain: usize| import_payer(settings.seed, &dirs[0], &format!("{who}-{}", CHAINS[chain]), chain);
    let customer = [own(CUSTOMER, EVM)?, own(CUSTOMER, COSMOS)?];
    let visitor = [own(VISITOR, EVM)?, own(VISITOR, COSMOS)?];
    let all: Vec<&KeyEntry> = payers.iter().chain(&customer).chain(&visitor).collect();
    let rich = [&customer[COSMOS], &visitor[COSMOS]].map(cosmos_address);
    let money = rich.into_iter().map(|address| Ok((address?, DENOM.to_owned(), HOLDINGS)));
    let networks = Networks::start(Genesis {
        seed: settings.seed,
        block_interval: settings.block_interval,
        evm_accounts: all.iter().map(|entry| evm_address(entry)).collect::<Result<_, _>>()?,
        cosmos_accounts: all.iter().map(|entry| cosmos_address(entry)).collect::<Result<_, _>>()?,
        money: money.collect::<Result<_, Failure>>()?,
    })
    .await?;
    let ports = Ports::take(3 * OPERATORS.len())?;
    let triples = ports.numbers.chunks_exact(3);
    let of_operators = triples.map(|p| OperatorPorts { telemetry: p[0], attestors: [p[1], p[2]] }).collect();
    // Nothing is pinned before the contracts are there, and the parser takes no zeros.
    let nothing = || (1, format!("0x{}", "11".repeat(32)));
    let shared = Shared {
        chain_ids: networks.chain_ids(),
        ports: of_operators,
        anchors: [nothing(), nothing()],
        contracts: None,
        attestors: Vec::new(),
        path: None,
    };
    let ledger = Arc::new(Ledger::open(&folder.path().join("customers"))?.0);
    let site = Site { settings, dirs, passphrase_file, ports, shared, customer, visitor, ledger };
    site.write(&networks)?;
    Ok((site, networks))
}

fn import(dir: &std::path::Path, (seed, name): (u64, &str), binding: Binding) -> Result<KeyEntry, Failure> {
    let (keystore, passphrase) = (Keystore::new(&dir.join("keys")), Passphrase::new(PASSPHRASE.to_owned()));
    let secret = keys::secret(seed, name);
    // Encrypting a key takes its time by design.
    Ok(tokio::task::block_in_place(|| keystore.import(name, binding, secret.as_bytes(), &passphrase))?)
}

fn import_payer(seed: u64, dir: &std::path::Path, name: &str, chain: usize) -> Result<KeyEntry, Failure> {
    import(dir, (seed, name), Binding::Transactions { chain: CHAINS[chain].to_owned() })
}

fn evm_address(entry: &KeyEntry) -> Result<[u8; 20], Failure> {
    parse_address(&entry.address).map_err(|error| catenary_api::Error::from(error).into())
}

fn cosmos_address(entry: &KeyEntry) -> Result<String, Failure> {
    let key = hex::decode(&entry.public_key).ok().and_then(|bytes| <[u8; 33]>::try_from(bytes).ok());
    let unusable = || Failure::new("NODE-DEMO-013", format!("key {} has no public key of 33 bytes", entry.id));
    let address = account_address(PREFIX, &PublicKey(key.ok_or_else(unusable)?));
    address.map_err(|error| catenary_api::Error::from(error).into())
}

impl Site {
    /// The operators, none of them started.
    pub(super) fn operators(&self) -> Result<Vec<Operator>, Failure> {
        let parts = OPERATORS.iter().zip(&self.dirs).zip(&self.shared.ports);
        parts.map(|((id, dir), ports)| Operator::new(id, dir.clone(), ports.telemetry)).collect()
    }

    /// Writes the configuration of every operator as far as it is known.
    fn write(&self, networks: &Networks) -> Result<(), Failure> {
        for (index, dir) in self.dirs.iter().enumerate() {
            self.write_one(index, dir, networks.urls_of(index))?;
        }
        Ok(())
    }

    /// Writes the configuration of an operator with some endpoints into a folder, and reads it.
    pub(super) fn write_one(&self, index: usize, dir: &std::path::Path, urls: [String; 2]) -> Result<Config, Failure> {
        let own = Own { index, dir, passphrase_file: &self.passphrase_file, urls };
        let file = dir.join("catenary.toml");
        write_private(&file, &render(&self.shared, &own))?;
        Ok(Config::load(&file, &[])?)
    }

    /// A folder for a configuration whose endpoint forges.
    pub(super) fn folder_of_forger(&self) -> Result<PathBuf, Failure> {
        let dir = self.passphrase_file.with_file_name("forged");
        let made = std::fs::create_dir_all(&dir);
        made.map_err(|error| Failure::new("NODE-DEMO-028", format!("{} cannot be made: {error}", dir.display())))?;
        Ok(dir)
    }

    fn config(&self, index: usize) -> Result<Config, Failure> {
        Ok(Config::load(&self.dirs[index].join("catenary.toml"), &[])?)
    }

    /// Who sends the customer's transactions on a chain.
    async fn sender(&self, config: &Config, chain: usize) -> Result<Arc<Sender>, Failure> {
        let known = config.chain(CHAINS[chain]);
        let known = known.ok_or_else(|| Failure::new("NODE-DEMO-014", format!("no chain {}", CHAINS[chain])))?;
        commands::sender(config, known, &self.customer[chain].id, &self.ledger).await
    }

    /// Deploys the contracts and a token, and pins where trust starts. Gives the token's address.
    pub(super) async fn contracts(&mut self, networks: &Networks) -> Result<String, Failure> {
        let config = self.config(0)?;
        let (deployed, token) =
            futures::future::join(Box::pin(commands::deploy_on(&config, CHAINS[EVM])), Box::pin(self.token(&config)))
                .await;
        self.shared.contracts = Some(deployed?);
        for chain in [EVM, COSMOS] {
            // A CometBFT header proves the state before it, so the one before the head proves something at once.
            let height = (chain == COSMOS).then(|| networks.cosmos.height().saturating_sub(1).max(1));
            self.shared.anchors[chain] = commands::anchor_at(&config, CHAINS[chain], height).await?;
        }
        self.write(networks)?;
        self.attestors()?;
        self.write(networks)?;
        token
    }

    /// Deploys the ERC-20 and gives some of it to customer and visitor.
    async fn token(&self, config: &Config) -> Result<String, Failure> {
        let sender = self.sender(config, EVM).await?;
        let deploy = evm::deploy_test_token("Demo Euro", SYMBOL).map_err(refused)?;
        let created = call(&sender, deploy).await?.created;
        let token = created.ok_or_else(|| Failure::new("NODE-DEMO-015", "the token's receipt names no contract"))?;
        for who in [&self.customer[EVM], &self.visitor[EVM]] {
            let mint = evm::mint(&token, &evm_address(who)?, &HOLDINGS.to_string()).map_err(refused)?;
            call(&sender, mint).await?;
        }
        Ok(checksummed(&token))
    }

    /// Makes the attestor keys, each bound to the chain and anchor that it will attest.
    fn attestors(&mut self) -> Result<(), Failure> {
        for (index, id) in OPERATORS.iter().enumerate() {
            let config = self.config(index)?;
            let make = |chain: usize| {
                let instance = config.chain(CHAINS[chain]).and_then(crate::config::Chain::instance);
                let instance = instance.ok_or_else(|| {
                    Failure::new("NODE-DEMO-016", format!("chain {} has no light client yet", CHAINS[chain]))
                })?;
                let binding = Binding::attestor(CHAINS[chain], instance);
                import(&self.dirs[index], (self.settings.seed, &attestor_key(id, chain)), binding)
            };
            self.shared.attestors.push([make(EVM)?.address, make(COSMOS)?.address]);
        }
        Ok(())
    }

    /// Creates the clients of the path on both chains. `progress` is told of each step.
    pub(super) async fn path(
        mut self,
        networks: Networks,
        token: String,
        progress: &(dyn Fn(&str, &str) + Sync),
    ) -> Result<World, Failure> {
        let made = commands::create_clients(&self.config(0)?, PATH, progress).await?;
        let created = made.created;
        self.shared.path = Some((created.clone(), made.light_client_code_hash));
        self.write(&networks)?;
        let config = self.config(0)?;
        let (evm, cosmos) = adapters(&config)?;
        let contracts = self.shared.contracts.as_ref().map(|contracts| contracts.transfer.as_str());
        let addresses = |entries: &[KeyEntry; 2]| -> Result<[String; 2], Failure> {
            Ok([entries[EVM].address.clone(), cosmos_address(&entries[COSMOS])?])
        };
        let customers = Customers {
            seed: self.settings.seed,
            senders: [self.sender(&config, EVM).await?, self.sender(&config, COSMOS).await?],
            addresses: addresses(&self.customer)?,
            clients: [created.evm_client, created.cosmos_client],
            app: parse_address(contracts.unwrap_or_default()).map_err(refused)?,
            token,
            evm,
        };
        let visitor = addresses(&self.visitor)?;
        Ok(World { networks, customers, cosmos, visitor, site: self })
    }

    /// Lets go of the operators' ports, right before they open them.
    pub(super) fn release_ports(&mut self) {
        self.ports.release();
    }
}

/// Adapters of both chains, to read with.
fn adapters(config: &Config) -> Result<(Arc<EvmAdapter>, Arc<CosmosAdapter>), Failure> {
    let mut built = config.chains.iter().map(wiring::build_adapter);
    match (built.next().transpose()?, built.next().transpose()?) {
        (Some(FamilyAdapter::Evm(evm)), Some(FamilyAdapter::Cosmos(cosmos))) => Ok((evm, cosmos)),
        other => Err(Failure::new("NODE-DEMO-017", format!("the configuration has no two chains: {other:?}"))),
    }
}

fn refused(error: catenary_adapter_evm::Error) -> Failure {
    catenary_api::Error::from(error).into()
}

/// A call that must succeed.
async fn call(sender: &Sender, call: Call) -> Result<TxReceipt, Failure> {
    let summary = call.summary.clone();
    let note = Note { id: summary.clone(), path: String::new(), kind: IntentKind::Call, packets: Vec::new() };
    match sender.send(&TxBody::Call(vec![call]), &note).await? {
        Sent::Included { receipt, .. } => Ok(receipt),
        Sent::Redundant => Err(Failure::new("NODE-DEMO-018", format!("the chain calls it redundant to {summary}"))),
    }
}
