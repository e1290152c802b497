//! The parts of a full node, put together: client, pool, Aura import queue and author, GRANDPA.

use crate::api::{AccountId, Block, Nonce, RuntimeApi};
use jsonrpsee::RpcModule;
use sc_client_api::BlockBackend;
use sc_consensus_aura::{ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_grandpa::{FinalityProofProvider, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_network::{service::traits::NotificationService, Litep2pNetworkBackend, NetworkBackend, ProtocolName};
use sc_network_sync::SyncingService;
use sc_service::{error::Error, Configuration, TaskManager};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::{inherents::InherentDataProvider as SlotProvider, sr25519::AuthorityPair, SlotDuration};
use sp_runtime::traits::Block as BlockT;
use sp_timestamp::InherentDataProvider as TimeProvider;
use std::{sync::Arc, time::Duration};
use substrate_frame_rpc_system::{System, SystemApiServer};

type Net = Litep2pNetworkBackend;
type NetConfig = sc_network::config::FullNetworkConfiguration<Block, Hash, Net>;
type Hash = <Block as BlockT>::Hash;
type Inherents = (SlotProvider, TimeProvider);
type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;
type Client = sc_service::TFullClient<Block, RuntimeApi, Executor>;
type Backend = sc_service::TFullBackend<Block>;
type LongestChain = sc_consensus::LongestChain<Backend, Block>;
type Pool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;
type GrandpaImport = sc_consensus_grandpa::GrandpaBlockImport<Backend, Block, Client, LongestChain>;
type GrandpaLink = sc_consensus_grandpa::LinkHalf<Block, Client, LongestChain>;

/// What is there before the network is.
struct Parts {
    client: Arc<Client>,
    backend: Arc<Backend>,
    keystore: sc_service::KeystoreContainer,
    tasks: TaskManager,
    select_chain: LongestChain,
    pool: Arc<Pool>,
    slot: SlotDuration,
}

/// GRANDPA's place in the network.
struct Gossip {
    protocol: ProtocolName,
    notifications: Box<dyn NotificationService>,
}

fn inherents(slot: SlotDuration) -> Inherents {
    let now = TimeProvider::from_system_time();
    (SlotProvider::from_timestamp_and_slot_duration(*now, slot), now)
}

impl Parts {
    fn new(config: &Configuration) -> Result<Self, Error> {
        let executor: Executor = sc_service::new_wasm_executor(&config.executor);
        let (client, backend, keystore, tasks) =
            sc_service::new_full_parts::<Block, RuntimeApi, _>(config, None, executor, Vec::new())?;
        let client = Arc::new(client);
        let select_chain = sc_consensus::LongestChain::new(backend.clone());
        let pool = sc_transaction_pool::Builder::new(
            tasks.spawn_essential_handle(),
            client.clone(),
            config.role.is_authority().into(),
        )
        .with_options(config.transaction_pool.clone())
        .with_prometheus(config.prometheus_registry())
        .build();
        let slot = sc_consensus_aura::slot_duration(&*client)?;
        Ok(Self { client, backend, keystore, tasks, select_chain, pool: Arc::from(pool), slot })
    }

    fn import_queue(
        &self,
        config: &Configuration,
        block_import: &GrandpaImport,
    ) -> Result<sc_consensus::DefaultImportQueue<Block>, Error> {
        let slot = self.slot;
        let queue = sc_consensus_aura::import_queue::<AuthorityPair, _, _, _, _, _>(ImportQueueParams {
            block_import: block_import.clone(),
            justification_import: Some(Box::new(block_import.clone())),
            client: self.client.clone(),
            create_inherent_data_providers: move |_, ()| async move { Ok(inherents(slot)) },
            spawner: &self.tasks.spawn_essential_handle(),
            registry: config.prometheus_registry(),
            check_for_equivocation: Default::default(),
            telemetry: None,
            compatibility_mode: Default::default(),
        })?;
        Ok(queue)
    }

    /// Makes blocks when it is this node's turn.
    fn author(
        &self,
        block_import: GrandpaImport,
        sync: &Arc<SyncingService<Block>>,
        force_authoring: bool,
    ) -> Result<(), Error> {
        let (slot, handle) = (self.slot, self.tasks.spawn_handle());
        let (client, pool) = (self.client.clone(), self.pool.clone());
        let proposer_factory = sc_basic_authorship::ProposerFactory::new(handle, client.clone(), pool, None, None);
        let aura = sc_consensus_aura::start_aura::<AuthorityPair, _, _, _, _, _, _, _, _, _, _>(StartAuraParams {
            slot_duration: slot,
            client,
            select_chain: self.select_chain.clone(),
            block_import,
            proposer_factory,
            create_inherent_data_providers: move |_, ()| async move { Ok(inherents(slot)) },
            force_authoring,
            backoff_authoring_blocks: Option::<()>::None,
            keystore: self.keystore.keystore(),
            sync_oracle: sync.clone(),
            justification_sync_link: sync.clone(),
            block_proposal_slot_portion: SlotProportion::new(2f32 / 3f32),
            max_block_proposal_slot_portion: None,
            telemetry: None,
            compatibility_mode: Default::default(),
        })?;
        self.tasks.spawn_essential_handle().spawn_blocking("aura", Some("block-authoring"), aura);
        Ok(())
    }

    /// `grandpa_*` and `system_accountNextIndex`, beside the standard methods.
    fn rpc(
        &self,
        link: &GrandpaLink,
        voter_state: SharedVoterState,
    ) -> Box<dyn Fn(sc_rpc::SubscriptionTaskExecutor) -> Result<RpcModule<()>, Error>> {
        let (client, pool) = (self.client.clone(), self.pool.clone());
        let authority_set = link.shared_authority_set().clone();
        let justifications = link.justification_stream();
        let proofs = FinalityProofProvider::new_for_service(self.backend.clone(), Some(authority_set.clone()));
        Box::new(move |executor| {
            let mut module = RpcModule::new(());
            let error = |e: jsonrpsee::core::RegisterMethodError| Error::Application(Box::new(e));
            let system = System::new(client.clone(), pool.clone());
            module.merge(SystemApiServer::<Hash, AccountId, Nonce>::into_rpc(system)).map_err(error)?;
            let (state, stream) = (voter_state.clone(), justifications.clone());
            let grandpa = Grandpa::new(executor, authority_set.clone(), state, stream, proofs.clone());
            module.merge(grandpa.into_rpc()).map_err(error)?;
            Ok(module)
        })
    }
}

/// Adds GRANDPA's gossip to the network.
fn gossip(
    config: &Configuration,
    net_config: &mut NetConfig,
    metrics: sc_network::service::NotificationMetrics,
    genesis: Hash,
) -> Gossip {
    let protocol = sc_consensus_grandpa::protocol_standard_name(&genesis, &config.chain_spec);
    let peers = net_config.peer_store_handle();
    let (net, notifications) =
        sc_consensus_grandpa::grandpa_peers_set_config::<Block, Net>(protocol.clone(), metrics, peers);
    net_config.add_notification_protocol(net);
    Gossip { protocol, notifications }
}

/// Starts the node; it runs while the task manager lives.
pub fn start(config: Configuration, justification_period: u32) -> Result<TaskManager, Error> {
    let mut parts = Parts::new(&config)?;
    let (client, pool) = (parts.client.clone(), parts.pool.clone());
    let (block_import, link) = sc_consensus_grandpa::block_import(
        client.clone(),
        justification_period,
        &client,
        parts.select_chain.clone(),
        None,
    )?;
    let import_queue = parts.import_queue(&config, &block_import)?;

    let registry = config.prometheus_registry().cloned();
    let metrics = <Net as NetworkBackend<Block, Hash>>::register_notification_metrics(registry.as_ref());
    let mut net_config = NetConfig::new(&config.network, registry);
    let genesis = client.block_hash(0).ok().flatten().expect("a chain has a genesis block");
    let gossip = gossip(&config, &mut net_config, metrics.clone(), genesis);
    let (network, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
        sc_service::build_network(sc_service::BuildNetworkParams {
            config: &config,
            net_config,
            client: client.clone(),
            transaction_pool: pool.clone(),
            spawn_handle: parts.tasks.spawn_handle(),
            spawn_essential_handle: parts.tasks.spawn_essential_handle(),
            import_queue,
            block_announce_validator_builder: None,
            warp_sync_config: None,
            block_relay: None,
            metrics,
            gap_sync_body_policy: None,
        })?;

    let voter = Voter::of(&config, justification_period, &parts);
    let (authority, force_authoring) = (config.role.is_authority(), config.force_authoring);
    let rpc_builder = parts.rpc(&link, voter.state.clone());
    sc_service::spawn_tasks(sc_service::SpawnTasksParams {
        config,
        client,
        backend: parts.backend.clone(),
        task_manager: &mut parts.tasks,
        keystore: parts.keystore.keystore(),
        transaction_pool: pool,
        rpc_builder,
        network: Arc::new(network.clone()),
        system_rpc_tx,
        tx_handler_controller,
        sync_service: sync.clone(),
        telemetry: None,
        tracing_execute_block: None,
    })?;
    if authority {
        parts.author(block_import, &sync, force_authoring)?;
    }
    voter.spawn(&parts, (link, gossip), (network, sync))?;
    Ok(parts.tasks)
}

/// How this node votes.
struct Voter {
    config: sc_consensus_grandpa::Config,
    state: SharedVoterState,
}

impl Voter {
    fn of(config: &Configuration, justification_period: u32, parts: &Parts) -> Self {
        let grandpa = sc_consensus_grandpa::Config {
            gossip_duration: Duration::from_millis(333),
            justification_generation_period: justification_period,
            name: Some(config.network.node_name.clone()),
            observer_enabled: false,
            keystore: config.role.is_authority().then(|| parts.keystore.keystore()),
            local_role: config.role,
            telemetry: None,
            protocol_name: ProtocolName::from(""),
        };
        Self { config: grandpa, state: SharedVoterState::empty() }
    }

    fn spawn(
        mut self,
        parts: &Parts,
        (link, gossip): (GrandpaLink, Gossip),
        (network, sync): (Arc<dyn sc_network::service::traits::NetworkService>, Arc<SyncingService<Block>>),
    ) -> Result<(), Error> {
        self.config.protocol_name = gossip.protocol;
        let voter = sc_consensus_grandpa::run_grandpa_voter(sc_consensus_grandpa::GrandpaParams {
            config: self.config,
            link,
            network,
            sync: Arc::new(sync),
            notification_service: gossip.notifications,
            // Vote for the best block itself: the default rules hold back two blocks, for no use here.
            voting_rule: (),
            prometheus_registry: None,
            shared_voter_state: self.state,
            telemetry: None,
            offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(parts.pool.clone()),
        })?;
        parts.tasks.spawn_essential_handle().spawn_blocking("grandpa-voter", None, voter);
        Ok(())
    }
}
