//! Validators: their keys, their sets, and whose turn it is to propose.

use ed25519_consensus::SigningKey;
use prost_tendermint::Message;
use tendermint_proto::v0_38::crypto::{public_key::Sum, PublicKey};
use tendermint_proto::v0_38::types::SimpleValidator;

use super::merkle::{self, sha256, Hash};

/// A validator's address.
pub(crate) type Address = [u8; 20];

/// Most that priorities may differ, in total powers (CometBFT `PriorityWindowSizeFactor`).
const PRIORITY_WINDOW: i128 = 2;

/// A validator with its key.
#[derive(Clone, Debug)]
pub(crate) struct Validator {
    key: SigningKey,
    /// The public key.
    pub(crate) public_key: [u8; 32],
    /// First 20 bytes of the SHA-256 of the public key.
    pub(crate) address: Address,
    /// Voting power.
    pub(crate) power: u64,
    /// How near its turn to propose is.
    pub(crate) priority: i128,
}

impl Validator {
    /// Validator `number` of the network with this seed; those of another `kind` have other keys.
    pub(crate) fn new(seed: u64, kind: &str, number: u64, power: u64) -> Self {
        let secret = sha256(&[b"catenary devnet ", kind.as_bytes(), &seed.to_be_bytes(), &number.to_be_bytes()]);
        let key = SigningKey::from(secret);
        let public_key = key.verification_key().to_bytes();
        let mut address = [0; 20];
        address.copy_from_slice(&sha256(&[&public_key])[..20]);
        Self { key, public_key, address, power, priority: 0 }
    }

    /// Signs a message.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).to_bytes().to_vec()
    }

    /// The power as protobuf and JSON have it.
    pub(crate) fn power_signed(&self) -> i64 {
        i64::try_from(self.power).unwrap_or(i64::MAX)
    }
}

/// Validators by falling power, then by rising address.
#[derive(Clone, Debug)]
pub(crate) struct ValidatorSet {
    /// The validators.
    pub(crate) validators: Vec<Validator>,
    /// Who proposes.
    pub(crate) proposer: Address,
}

impl ValidatorSet {
    /// The set of a first block.
    pub(crate) fn new(validators: Vec<Validator>) -> Self {
        let mut set = Self { validators, proposer: Address::default() };
        set.order();
        set.next_turn();
        set
    }

    fn order(&mut self) {
        self.validators.sort_by_key(|validator| (std::cmp::Reverse(validator.power), validator.address));
    }

    /// Total power.
    pub(crate) fn total(&self) -> u64 {
        self.validators.iter().map(|validator| validator.power).sum()
    }

    /// Whether this power is more than two thirds of the total.
    pub(crate) fn is_quorum(&self, power: u64) -> bool {
        u128::from(power) * 3 > u128::from(self.total()) * 2
    }

    /// Hash of the set: keys and powers.
    pub(crate) fn hash(&self) -> Hash {
        let leaf = |validator: &Validator| {
            let pub_key = Some(PublicKey { sum: Some(Sum::Ed25519(validator.public_key.to_vec())) });
            SimpleValidator { pub_key, voting_power: validator.power_signed() }.encode_to_vec()
        };
        merkle::root(&self.validators.iter().map(leaf).collect::<Vec<_>>())
    }

    /// Sets powers; zero removes, and who is new joins.
    pub(crate) fn change(&mut self, changes: &[Validator]) {
        let total: u64 = self.total() + changes.iter().map(|change| change.power).sum::<u64>();
        for change in changes {
            match self.validators.iter_mut().find(|known| known.address == change.address) {
                Some(known) => known.power = change.power,
                // Who leaves and joins again gains nothing by it (CometBFT `computeNewPriorities`).
                None => {
                    let priority = -(i128::from(total) + i128::from(total) / 8);
                    self.validators.push(Validator { priority, ..change.clone() });
                }
            }
        }
        self.validators.retain(|validator| validator.power > 0);
        self.centre();
        self.order();
    }

    /// Gives the turn to the next proposer.
    pub(crate) fn next_turn(&mut self) {
        self.centre();
        for validator in &mut self.validators {
            validator.priority += i128::from(validator.power);
        }
        let total = i128::from(self.total());
        let first = self.validators.iter_mut().max_by_key(|v| (v.priority, std::cmp::Reverse(v.address)));
        if let Some(first) = first {
            first.priority -= total;
            self.proposer = first.address;
        }
    }

    /// Keeps the priorities near zero and near each other.
    fn centre(&mut self) {
        let priorities = || self.validators.iter().map(|validator| validator.priority);
        let (Some(lowest), Some(highest)) = (priorities().min(), priorities().max()) else { return };
        let window = PRIORITY_WINDOW * i128::from(self.total());
        let (spread, count) = (highest - lowest, self.validators.len() as i128);
        if window > 0 && spread > window {
            let ratio = (spread + window - 1) / window;
            self.validators.iter_mut().for_each(|validator| validator.priority /= ratio);
        }
        let average = self.validators.iter().map(|validator| validator.priority).sum::<i128>().div_euclid(count);
        self.validators.iter_mut().for_each(|validator| validator.priority -= average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(powers: &[u64]) -> ValidatorSet {
        ValidatorSet::new((0..).zip(powers).map(|(n, power)| Validator::new(1, "validator", n, *power)).collect())
    }

    #[test]
    fn turns_are_in_proportion_to_power() {
        for powers in [&[10, 10, 10, 10][..], &[1, 2, 3], &[70, 20, 10], &[5]] {
            let mut set = set(powers);
            let total = set.total();
            let mut turns = vec![0; set.validators.len()];
            for _ in 0..total {
                let at = set.validators.iter().position(|v| v.address == set.proposer);
                turns[at.unwrap_or_default()] += 1;
                set.next_turn();
            }
            let powers: Vec<u64> = set.validators.iter().map(|v| v.power).collect();
            assert_eq!(turns, powers);
        }
    }

    #[test]
    fn equal_powers_come_round_to_zero_as_on_the_recorded_chain() {
        // Its four validators had priority 0 at height 4.
        let mut set = set(&[1_000; 4]);
        (0..3).for_each(|_| set.next_turn());
        assert!(set.validators.iter().all(|validator| validator.priority == 0), "{set:?}");
    }

    #[test]
    fn changes_replace_remove_and_add() {
        let mut set = set(&[10, 10, 10]);
        let before = set.hash();
        let joins = Validator::new(1, "validator", 9, 30);
        let leaves = Validator { power: 0, ..set.validators[0].clone() };
        set.change(&[joins.clone(), leaves]);
        assert_eq!(set.validators.len(), 3);
        assert_eq!(set.validators[0].address, joins.address, "the most powerful is the first");
        assert_ne!(set.hash(), before);
        assert!(set.is_quorum(34) && !set.is_quorum(33), "of 50");
    }

    #[test]
    fn the_hash_is_that_of_the_recorded_header() {
        let file = |name: &str| {
            let path = format!("{}/../../tests/vectors/cosmos-rpc/{name}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).unwrap_or_default();
            serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default()["result"].clone()
        };
        let (set, commit) = (file("validators_of_four.json"), file("commit_of_three.json"));
        let leaves: Vec<Vec<u8>> = set["validators"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| {
                let key = base64::Engine::decode(
                    &base64::engine::general_purpose::STANDARD,
                    entry["pub_key"]["value"].as_str().unwrap_or_default(),
                );
                let pub_key = Some(PublicKey { sum: Some(Sum::Ed25519(key.unwrap_or_default())) });
                SimpleValidator { pub_key, voting_power: 1_000 }.encode_to_vec()
            })
            .collect();
        let expect = commit["signed_header"]["header"]["validators_hash"].clone();
        assert_eq!(serde_json::json!(hex::encode_upper(merkle::root(&leaves))), expect);
    }
}
