//! The online half of `catenary check`: the configuration against what the chains say.
//!
//! What is compared here is what endpoints claim; it finds mistakes, and replaces no verification.

use std::collections::BTreeMap;

use catenary_adapter_evm::setup::Role;
use catenary_adapter_evm::{checksummed, parse_address, EvmAdapter};
use catenary_api::ClientClaim;
use catenary_light_clients::Hash32;

use super::output::Failure;
use crate::chain::Prover;
use crate::config::{AdapterConfig, Chain, ClientKind, Config, PathConfig, Side};
use crate::keystore::Keystore;
use crate::wiring::{self, FamilyAdapter};

mod native;

pub(super) fn wrong(what: String, got: &str, expected: &str, next: &str) -> Failure {
    Failure::new("NODE-CHK-001", format!("{what}: the chain says {got}, the configuration {expected}; {next}"))
}

/// Checks chains and paths; gives a line for each thing that holds.
pub(super) async fn check(config: &Config) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    let mut verified = BTreeMap::new();
    let metrics = wiring::metrics_for(config);
    let health = wiring::health_for(config);
    for chain in &config.chains {
        let adapter = wiring::build_adapter(chain)?;
        wiring::check_chain_id(chain, &adapter).await?;
        lines.push(format!("chain {}: the endpoint serves chain id {}", chain.name, chain.chain_id));
        let observer = wiring::observer_for(chain, &metrics, &health, None);
        let connected = wiring::connect(chain, &adapter, None, observer).await?;
        connected.refresh().await?;
        connected.state(connected.head()).await?;
        let status = connected.status();
        lines.push(format!(
            "chain {}: verified from anchor {} to {}",
            chain.name, chain.anchor.height, status.trusted_height
        ));
        wiring::check_contracts(chain, &adapter).await?;
        verified.insert(chain.name.clone(), connected);
        if let FamilyAdapter::Evm(adapter) = &adapter {
            lines.push(format!("chain {}: router and transfer application have code", chain.name));
            lines.extend(may_relay(config, chain, adapter).await?);
        }
    }
    for path in &config.paths {
        for ends in [(&path.a, &path.b), (&path.b, &path.a)] {
            let Some(claim) = side(config, path, ends, &mut lines).await? else { continue };
            if let (ClientKind::Native, Some(judged)) = (ends.0.client_kind, verified.get(&ends.1.chain)) {
                lines.push(native::check(config, path, ends, (&claim, judged.as_ref())).await?);
            }
        }
    }
    Ok(lines)
}

/// Whether this node's keys may relay on the router: anyone may, or they are listed.
async fn may_relay(config: &Config, chain: &Chain, adapter: &EvmAdapter) -> Result<Vec<String>, Failure> {
    let AdapterConfig::Evm(evm) = &chain.adapter else { return Ok(Vec::new()) };
    let Some(router) = evm.router.filter(|_| !chain.transaction_keys.is_empty()) else { return Ok(Vec::new()) };
    if !adapter.relayer_list_enabled().await.map_err(catenary_api::Error::from)? {
        return Ok(vec![format!("chain {}: anyone may relay on the router", chain.name)]);
    }
    let mut lines = Vec::new();
    for key in &chain.transaction_keys {
        let address = Keystore::new(&config.keystore.dir).entry(key)?.address;
        let account = parse_address(&address).map_err(catenary_api::Error::from)?;
        if !adapter.has_role(&router.0, Role::Relayer, &account).await.map_err(catenary_api::Error::from)? {
            let what = format!("chain {}: relayer list of the router", chain.name);
            let next = "have the router's administrator grant RELAYER_ROLE to it";
            return Err(wrong(what, "a list without it", &address, next));
        }
        lines.push(format!("chain {}: key {key} may relay on the router", chain.name));
    }
    Ok(lines)
}

async fn side(
    config: &Config,
    path: &PathConfig,
    (here, there): (&Side, &Side),
    lines: &mut Vec<String>,
) -> Result<Option<ClientClaim>, Failure> {
    let (Some(chain), Some(client)) = (config.chain(&here.chain), here.client.as_ref()) else { return Ok(None) };
    let adapter = wiring::build_adapter(chain)?;
    let what = |field: &str| format!("path {}: client {client} on {}: {field}", path.name, here.chain);
    let claim = adapter.sides().source.client(client).await?.ok_or_else(|| {
        wrong(what("existence"), "no such client", "that it exists", "run `catenary path create`, or correct the id")
    })?;
    if here.client_kind == ClientKind::Attested {
        attestors(&claim, here, &what)?;
    }
    if claim.frozen {
        let next = "packets cannot be proven through it; it must be migrated or the path made anew";
        return Err(wrong(what("state"), "frozen", "active", next));
    }
    if claim.counterparty != there.client {
        let (got, expected) = (claim.counterparty.unwrap_or_default(), there.client.clone().unwrap_or_default());
        return Err(wrong(what("counterparty"), &got, &expected, "correct the client ids"));
    }
    if let (FamilyAdapter::Evm(evm), Some(contract)) = (&adapter, here.light_client) {
        let expected = checksummed(&contract.0);
        if !claim.location.eq_ignore_ascii_case(&expected) {
            let next = "somebody may have migrated the client; ask the members";
            return Err(wrong(what("light client"), &claim.location, &expected, next));
        }
        let code: Option<Hash32> = evm.code_hash(&contract.0).await.map_err(catenary_api::Error::from)?;
        if let (Some(expected), got) = (here.light_client_code_hash, code) {
            if got != Some(expected) {
                let got = got.map_or_else(|| "no code".to_owned(), |hash| hash.to_string());
                return Err(wrong(what("code hash"), &got, &expected.to_string(), "do not use this client"));
            }
        }
    }
    lines.push(format!("path {}: client {client} on {} is the configured one", path.name, here.chain));
    Ok(Some(claim))
}

fn attestors(claim: &ClientClaim, here: &Side, what: &dyn Fn(&str) -> String) -> Result<(), Failure> {
    let sorted = |mut addresses: Vec<[u8; 20]>| {
        addresses.sort_unstable();
        addresses.iter().map(checksummed).collect::<Vec<_>>().join(" ")
    };
    let (got, expected) = (sorted(claim.attestors.clone()), sorted(here.attestor_addresses()));
    if got != expected {
        return Err(wrong(what("attestors"), &got, &expected, "correct the operators' addresses, or make a new path"));
    }
    let (got, expected) = (claim.min_required_sigs.to_string(), here.threshold.to_string());
    if got != expected {
        return Err(wrong(what("threshold"), &got, &expected, "set threshold to what the client requires"));
    }
    Ok(())
}
