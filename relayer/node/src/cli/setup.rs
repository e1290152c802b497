//! Commands that change a chain: contracts, paths, transfers.

use std::sync::Arc;

use catenary_api::KeyId;
use catenary_light_clients::{cometbft, ibft2, qbft, Family};
use catenary_protocol::limits::TIMEOUT_AHEAD_SECONDS_MAX;

use super::args::SendArgs;
use super::output::{object, Failure, Output};
use super::{chain_config, no_router, open_ledger, path_config, queries};
use crate::config::{AdapterConfig, Chain as ChainConfig, ClientKind, Config, Side};
use crate::keystore::{Keystore, KeystoreSigner};
use crate::platform;
use crate::relay::{Effected, PathWatch, Sender, SenderParts};
use crate::setup::{self, Created, Deployed, End, NativePlace, Place, TransferOrder};
use crate::store::Ledger;
use crate::wiring::{self, FamilyAdapter, Signers};

/// Folder in the data directory for the journal of keys that people use while the node runs.
const TOOLS_DIR: &str = "tools";
/// Milliseconds between looks at a transfer that is waited for.
const WAIT_POLL_MS: u64 = 500;

/// A sender of a person's key, with what an earlier run left open settled first. For commands that look in the journal
/// which of their steps are done.
pub(crate) async fn sender(
    config: &Config,
    chain: &ChainConfig,
    key: &str,
    ledger: &Arc<Ledger>,
) -> Result<Arc<Sender>, Failure> {
    Ok(settled_sender(config, chain, key, ledger).await?.0)
}

/// As [`sender`], with the calls of an earlier run that were found to have taken effect.
async fn settled_sender(
    config: &Config,
    chain: &ChainConfig,
    key: &str,
    ledger: &Arc<Ledger>,
) -> Result<(Arc<Sender>, Vec<Effected>), Failure> {
    let passphrase = config.keystore.passphrase.read()?;
    let id = KeyId(key.to_owned());
    let keystore = Keystore::new(&config.keystore.dir);
    let signer = KeystoreSigner::open(keystore, std::slice::from_ref(&id), &passphrase, ledger.clone())?;
    let metrics = wiring::metrics_for(config);
    let observer = PathWatch { metrics, health: wiring::health_for(config), assets: std::collections::BTreeMap::new() };
    let endpoints = wiring::endpoints_for_tools(chain).await?;
    let sender = Sender::new(SenderParts {
        chain: chain.name.clone(),
        key: id,
        replacer: endpoints.replacer(),
        sink: endpoints,
        policy: wiring::send_policy(chain),
        signer: Arc::new(Signers(Arc::new(signer))),
        ledger: ledger.clone(),
        observer: Arc::new(observer),
    })?;
    let effected = sender.reconcile().await?;
    Ok((Arc::new(sender), effected))
}

/// A command that was killed after its broadcast, or ended before the receipt came, and is given again must not send
/// twice unseen. Told once: the outcome is in the journal now.
fn refuse_twice(effected: &[Effected]) -> Result<(), Failure> {
    let Some(last) = effected.last() else { return Ok(()) };
    let message = format!(
        "nothing was sent: a call of an earlier run ({}) took effect in transaction {}; give the command again if another \
         one is wanted",
        last.id, last.tx
    );
    Err(Failure::new("NODE-CLI-023", message))
}

fn transaction_key(chain: &ChainConfig) -> Result<&str, Failure> {
    let message = format!("chain {} has no transaction_key; set it, since somebody has to pay", chain.name);
    chain.transaction_keys.first().map(String::as_str).ok_or_else(|| Failure::new("NODE-CLI-011", message))
}

/// Deploys router and transfer application, and prints what to configure.
pub(super) async fn deploy(config: &Config, name: &str, output: Output) -> Result<(), Failure> {
    let deployed = deploy_on(config, name).await?;
    let text = format!(
        "# put into the configuration, under the chain {name}\n[chains.evm]\nrouter = \"{}\"\ntransfer = \"{}\"",
        deployed.router, deployed.transfer
    );
    output.result(&object(&[("router", &deployed.router), ("transfer", &deployed.transfer)]), &text);
    Ok(())
}

/// Deploys router and transfer application.
pub(crate) async fn deploy_on(config: &Config, name: &str) -> Result<Deployed, Failure> {
    let chain = chain_config(config, name)?;
    if !matches!(chain.adapter, AdapterConfig::Evm(_)) {
        let message = format!("chain {name} is not an EVM chain; a Cosmos chain brings its IBC module along");
        return Err(Failure::new("NODE-CLI-012", message));
    }
    let ledger = open_ledger(config)?;
    let sender = sender(config, chain, transaction_key(chain)?, &ledger).await?;
    Ok(setup::deploy_contracts(&sender).await?)
}

/// Prints a height and hash to pin.
pub(super) async fn anchor(config: &Config, name: &str, height: Option<u64>, output: Output) -> Result<(), Failure> {
    let (height, hash) = anchor_at(config, name, height).await?;
    let text = format!(
        "# as the endpoint says; compare with other members before you pin it\n[chains.anchor]\nheight = {height}\nhash = \"{hash}\""
    );
    output.result(&serde_json::json!({ "height": height, "hash": hash }), &text);
    Ok(())
}

/// A height, or that of the head, and the hash of its header, as the endpoint says.
pub(crate) async fn anchor_at(config: &Config, name: &str, height: Option<u64>) -> Result<(u64, String), Failure> {
    let chain = chain_config(config, name)?;
    let source = wiring::build_adapter(chain)?.sides().source;
    let height = match height {
        Some(height) => height,
        None => source.head().await?.height,
    };
    let updates = source.updates(height, height).await?;
    let update =
        updates.first().ok_or_else(|| Failure::new("NODE-CLI-013", format!("there is no header at {height}")))?;
    let hash = match &chain.adapter {
        AdapterConfig::Evm(evm) => match (chain.family, evm.validator_contract) {
            (Family::Ibft2, _) => ibft2::block_hash(update),
            (_, Some(_)) => qbft::contract_update_hash(update),
            (_, None) => qbft::block_hash(update),
        }
        .map_err(|error| error.to_string()),
        AdapterConfig::Cosmos(_) => cometbft::header_hash(update).map_err(|error| error.to_string()),
    };
    Ok((height, hash.map_err(|error| Failure::new("NODE-CLI-014", error))?.to_string()))
}

async fn end(config: &Config, (here, there): (&Side, &Side), ledger: &Arc<Ledger>) -> Result<End, Failure> {
    let chain = chain_config(config, &here.chain)?;
    let adapter = wiring::build_adapter(chain)?;
    let observer = wiring::observer_for(chain, &wiring::metrics_for(config), &wiring::health_for(config), None);
    let connected = wiring::connect(chain, &adapter, None, observer).await?;
    let place = match &chain.adapter {
        AdapterConfig::Evm(evm) => Place::Evm { router: evm.router.ok_or_else(|| no_router(&chain.name))?.0 },
        AdapterConfig::Cosmos(cosmos) if there.client_kind == ClientKind::Native => Place::Native(NativePlace {
            terms: catenary_adapter_cosmos::native::Terms {
                chain_id: chain.chain_id.clone(),
                trusting_period_seconds: chain.trust.trusting_period_seconds,
                clock_drift_seconds: chain.trust.clock_drift_seconds,
            },
            prefix: cosmos.store_prefix.iter().map(|part| part.clone().into_bytes()).collect(),
        }),
        AdapterConfig::Cosmos(_) => Place::Cosmos,
    };
    // The client on the other end judges this chain, so its attestors attest this one.
    let threshold = u8::try_from(there.threshold)
        .map_err(|_| Failure::new("NODE-CLI-015", format!("threshold {} is above 255", there.threshold)))?;
    Ok(End {
        chain: connected,
        sender: sender(config, chain, transaction_key(chain)?, ledger).await?,
        place,
        attestors: there.attestor_addresses(),
        threshold,
    })
}

/// The clients of a path, and the side that is the EVM end.
pub(crate) struct CreatedPath {
    pub(crate) created: Created,
    pub(crate) light_client_code_hash: String,
    evm_is_a: bool,
}

/// Creates the clients of a path; `progress` is told of each step.
pub(crate) async fn create_clients(
    config: &Config,
    name: &str,
    progress: &(dyn Fn(&str, &str) + Sync),
) -> Result<CreatedPath, Failure> {
    let path = path_config(config, name)?;
    let ledger = open_ledger(config)?;
    let ends = [end(config, (&path.a, &path.b), &ledger).await?, end(config, (&path.b, &path.a), &ledger).await?];
    let created = setup::create_path(name, &ends, &ledger, progress).await?;
    let evm_is_a = matches!(ends, [End { place: Place::Evm { .. }, .. }, _]);
    let side = if evm_is_a { &path.a } else { &path.b };
    let light_client_code_hash = code_hash(config, side, &created.light_client).await?;
    Ok(CreatedPath { created, light_client_code_hash, evm_is_a })
}

/// Creates the two clients of a native path; `progress` is told of each step. Gives the ids in the order of the ends.
pub(crate) async fn create_native_clients(
    config: &Config,
    name: &str,
    progress: &(dyn Fn(&str, &str) + Sync),
) -> Result<[String; 2], Failure> {
    let path = path_config(config, name)?;
    let ledger = open_ledger(config)?;
    let ends = [end(config, (&path.a, &path.b), &ledger).await?, end(config, (&path.b, &path.a), &ledger).await?];
    Ok(setup::create_native_path(name, &ends, &ledger, progress).await?)
}

/// Creates the clients of a path, and prints what to configure.
pub(super) async fn create_path(config: &Config, name: &str, output: Output) -> Result<(), Failure> {
    let progress = |step: &str, value: &str| output.step(&format!("{step}: {value}"));
    if path_config(config, name)?.a.client_kind == ClientKind::Native {
        let [a, b] = create_native_clients(config, name, &progress).await?;
        let text = format!(
            "# put into the configuration of every operator, under the path {name}\n[paths.a]\nclient = \"{a}\"\n\
             [paths.b]\nclient = \"{b}\""
        );
        output.result(&object(&[("client_a", &a), ("client_b", &b)]), &text);
        return Ok(());
    }
    let CreatedPath { created, light_client_code_hash: code_hash, evm_is_a } =
        create_clients(config, name, &progress).await?;
    let (evm_side, cosmos_side) = if evm_is_a { ("a", "b") } else { ("b", "a") };
    let text = format!(
        "# put into the configuration of every operator, under the path {name}\n[paths.{evm_side}]\nclient = \"{}\"\n\
         light_client = \"{}\"\nlight_client_code_hash = \"{code_hash}\"\n[paths.{cosmos_side}]\nclient = \"{}\"",
        created.evm_client, created.light_client, created.cosmos_client
    );
    let value = object(&[
        ("evm_client", &created.evm_client),
        ("light_client", &created.light_client),
        ("light_client_code_hash", &code_hash),
        ("cosmos_client", &created.cosmos_client),
    ]);
    output.result(&value, &text);
    Ok(())
}

async fn code_hash(config: &Config, side: &Side, light_client: &str) -> Result<String, Failure> {
    let FamilyAdapter::Evm(evm) = wiring::build_adapter(chain_config(config, &side.chain)?)? else {
        return Ok(String::new());
    };
    let address = catenary_adapter_evm::parse_address(light_client).map_err(catenary_api::Error::from)?;
    let hash = evm.code_hash(&address).await.map_err(catenary_api::Error::from)?;
    Ok(hash.map(|hash| hash.to_string()).unwrap_or_default())
}

fn memo(args: &SendArgs) -> String {
    match &args.uetr {
        Some(uetr) => serde_json::json!({ "settlement": { "uetr": uetr } }).to_string(),
        None => args.memo.clone(),
    }
}

/// Sends a transfer, and with `--wait` waits until it has ended.
pub(super) async fn transfer(config: &Config, args: SendArgs, output: Output) -> Result<(), Failure> {
    let chain = chain_config(config, &args.from)?;
    let path = path_config(config, &args.path)?;
    let side = [&path.a, &path.b].into_iter().find(|side| side.chain == args.from).ok_or_else(|| {
        let message = format!("path {} joins {} and {}, not {}", path.name, path.a.chain, path.b.chain, args.from);
        Failure::new("NODE-CLI-017", message)
    })?;
    let source_client = side.client.clone().ok_or_else(|| {
        Failure::new("NODE-CLI-018", format!("path {} is not created; run `catenary path create`", path.name))
    })?;
    if !(1..=TIMEOUT_AHEAD_SECONDS_MAX).contains(&args.timeout_seconds) {
        let message =
            format!("--timeout-seconds is {}, allowed are 1 to {TIMEOUT_AHEAD_SECONDS_MAX}", args.timeout_seconds);
        return Err(Failure::new("NODE-CLI-019", message));
    }
    let key = match &args.key {
        Some(key) => key.as_str(),
        None => transaction_key(chain)?,
    };
    // The node's own keys are remembered in its own journal, so that they are not used behind its back.
    let own = config.key_ids().contains(&KeyId(key.to_owned()));
    let dir = if own { config.data_dir.clone() } else { config.data_dir.join(TOOLS_DIR) };
    let ledger = Arc::new(Ledger::open(&dir)?.0);
    let (sender, effected) = settled_sender(config, chain, key, &ledger).await?;
    refuse_twice(&effected)?;
    let order = TransferOrder {
        path: path.name.clone(),
        source_client: source_client.clone(),
        asset: args.asset.clone(),
        amount: args.amount.clone(),
        receiver: args.receiver.clone(),
        timeout_timestamp_seconds: platform::now().seconds().saturating_add(args.timeout_seconds),
        memo: memo(&args),
    };
    let app = match &chain.adapter {
        AdapterConfig::Evm(evm) => evm.transfer.map(|address| address.0),
        AdapterConfig::Cosmos(_) => None,
    };
    let sent = setup::send_transfer(&sender, app.as_ref(), &order).await?;
    let key = format!("{}/{source_client}/{}", chain.name, sent.sequence);
    if args.wait {
        return wait(config, &key, output).await;
    }
    let text =
        format!("sent {key} in transaction {} at height {}; see `catenary transfer show {key}`", sent.tx, sent.height);
    let value = serde_json::json!({ "packet": key, "tx": sent.tx, "height": sent.height, "gas_used": sent.gas_used });
    output.result(&value, &text);
    Ok(())
}

async fn wait(config: &Config, key: &str, output: Output) -> Result<(), Failure> {
    output.step(&format!("sent {key}; waiting until it is acknowledged or refunded"));
    loop {
        // Not known yet is no failure: the node's scan is a block behind.
        if let Ok(views) = queries::find(config, key).await {
            if views.iter().any(|view| matches!(view.stage.as_str(), "acknowledged" | "refunded")) {
                return queries::show(config, key, output).await;
            }
        }
        platform::sleep(std::time::Duration::from_millis(WAIT_POLL_MS)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

    use catenary_api::TxHash;
    use catenary_light_clients::Hash32;

    use super::*;

    #[test]
    fn a_transfer_given_again_after_the_first_took_effect_is_refused_with_its_transaction() {
        refuse_twice(&[]).unwrap();
        let tx = TxHash(Hash32([7; 32]));
        let failure = refuse_twice(&[Effected { id: "transfer of 3".into(), tx }]).unwrap_err();
        assert_eq!(failure.code(), "NODE-CLI-023");
        for part in ["transfer of 3", &tx.to_string(), "give the command again"] {
            assert!(failure.message().contains(part), "{}", failure.message());
        }
    }
}
