//! Checks of a parsed configuration against what it refers to on this machine: keys, and whether paths are created.

use super::error::{ConfigErrors, Problem, ProblemKind};
use super::types::{AdapterConfig, Chain, Config, PathConfig, Side};
use crate::keystore::{Binding, KeyEntry, Keystore};

impl Config {
    /// Checks that every key is in the keystore, bound to its chain and role, and has the address that members expect.
    /// Needs no passphrase.
    ///
    /// # Errors
    /// All problems.
    pub fn check_keys(&self) -> Result<(), ConfigErrors> {
        let entries = match Keystore::new(&self.keystore.dir).list() {
            Ok(entries) => entries,
            Err(error) => {
                let kind = ProblemKind::Keystore { code: error.code(), reason: error.to_string() };
                return Err(ConfigErrors(vec![Problem { key: "keystore.dir".into(), kind }]));
            }
        };
        let mut problems = Vec::new();
        for (index, chain) in self.chains.iter().enumerate() {
            let mut check = |role: &str, id: &str, needed: &dyn Fn(&Binding) -> bool, needed_text: String| {
                let key = format!("chains[{index}].{role}");
                match entries.iter().find(|entry| entry.id == id) {
                    None => {
                        let kind = ProblemKind::KeyMissing { id: id.into(), dir: self.keystore.dir.clone() };
                        problems.push(Problem { key, kind });
                    }
                    Some(entry) if !needed(&entry.binding) => {
                        let bound = entry.binding.to_string();
                        problems.push(Problem {
                            key,
                            kind: ProblemKind::KeyBound { id: id.into(), bound, needed: needed_text },
                        });
                    }
                    Some(_) => {}
                }
            };
            for id in &chain.transaction_keys {
                let needed = Binding::Transactions { chain: chain.name.clone() };
                check("transaction_key", id, &|bound| *bound == needed, needed.to_string());
            }
            if let Some(attestor) = &chain.attestor {
                let text = match chain.instance() {
                    Some(instance) => Binding::attestor(&chain.name, instance).to_string(),
                    None => format!("attestations of {}", chain.name),
                };
                check("attestor_key", &attestor.key, &|bound| is_attestor_of(bound, chain), text);
            }
        }
        self.check_addresses(&entries, &mut problems);
        fail_on(problems)
    }

    /// Our own attestor addresses, as the members know them, are those of our keys.
    fn check_addresses(&self, entries: &[KeyEntry], problems: &mut Vec<Problem>) {
        let ours = self.operators.iter().enumerate().filter(|(_, operator)| operator.id == self.operator);
        for (index, attestor) in ours.flat_map(|(index, operator)| operator.attestors.iter().map(move |a| (index, a))) {
            let service = self.chain(&attestor.chain).and_then(|chain| chain.attestor.as_ref());
            let entry = service.and_then(|service| entries.iter().find(|entry| entry.id == service.key));
            let Some(entry) = entry else { continue };
            let got = attestor.address.to_string();
            if got != entry.address {
                let key = format!("operators[{index}].attestors.{}.address", attestor.chain);
                let kind = ProblemKind::KeyAddress { id: entry.id.clone(), got, expected: entry.address.clone() };
                problems.push(Problem { key, kind });
            }
        }
    }

    /// Checks that every path can run: its clients are named, and on EVM the router and the light client.
    ///
    /// # Errors
    /// All problems.
    pub fn require_paths(&self) -> Result<(), ConfigErrors> {
        let mut problems = Vec::new();
        if self.paths.is_empty() {
            let what = "name at least one path";
            problems.push(Problem { key: "paths".into(), kind: ProblemKind::Missing { what } });
        }
        for (index, path) in self.paths.iter().enumerate() {
            for (end, side) in [("a", &path.a), ("b", &path.b)] {
                for missing in self.missing_of(side) {
                    let key = format!("paths[{index}].{end}.{missing}");
                    problems.push(Problem { key, kind: ProblemKind::NotCreated { path: path.name.clone() } });
                }
            }
        }
        for (index, chain) in self.chains.iter().enumerate() {
            let uses = |path: &PathConfig| path.a.chain == chain.name || path.b.chain == chain.name;
            if chain.instance().is_none() && self.paths.iter().any(uses) {
                let what = "deploy the contracts with `catenary chain deploy`, and put the router's address here";
                problems
                    .push(Problem { key: format!("chains[{index}].evm.router"), kind: ProblemKind::Missing { what } });
            }
        }
        fail_on(problems)
    }

    fn missing_of(&self, side: &Side) -> Vec<&'static str> {
        let evm = matches!(self.chain(&side.chain).map(|chain| &chain.adapter), Some(AdapterConfig::Evm(_)));
        let client = side.client.is_none().then_some("client");
        let light_client = (evm && side.light_client.is_none()).then_some("light_client");
        client.into_iter().chain(light_client).collect()
    }
}

fn is_attestor_of(bound: &Binding, chain: &Chain) -> bool {
    match (bound, chain.instance()) {
        (Binding::Attestor { chain: name, .. }, Some(instance)) => {
            *name == chain.name && bound.instance() == Some(instance.digest())
        }
        (Binding::Attestor { chain: name, .. }, None) => *name == chain.name,
        (Binding::Transactions { .. }, _) => false,
    }
}

fn fail_on(problems: Vec<Problem>) -> Result<(), ConfigErrors> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigErrors(problems))
    }
}
