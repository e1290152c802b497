//! What the node asks its ledger for, in the types of the records.

use catenary_core::fold::{self, keys, HistoryEntry, PacketState, TxSummary};
use catenary_core::record::{
    AnchorSet, ClientHeights, Cursor, Intent, MisbehaviourSeen, Outcome, PathStep, SignedAttestation, SignedTx,
    TrustedState,
};
use catenary_core::store::Entry;
use catenary_core::{PacketKey, Record, Stage, StoreError, StoreOp, Tree};
use catenary_light_clients::Hash32;
use catenary_protocol::{Acknowledgement, Packet};
use serde::de::DeserializeOwned;

use super::Ledger;

/// Most entries of one scan: a page that is quickly read and small in memory.
pub const SCAN_MAX: usize = 1_000;

/// What the journal knows of a key's attestations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttestorMemory {
    /// None by this key.
    None,
    /// All of them, or those since a person reset it.
    Kept,
    /// Those until a backup; the journal was put back since.
    Restored,
}

fn strip<'a>(prefix: &str, key: &'a str) -> &'a str {
    key.strip_prefix(prefix).unwrap_or(key)
}

fn packet_key(prefix: &str, key: &str) -> Result<PacketKey, StoreError> {
    strip(prefix, key).parse().map_err(|error| StoreError::Corrupt { key: key.into(), reason: format!("{error}") })
}

impl Ledger {
    /// The value of a key.
    ///
    /// # Errors
    /// The store failed.
    pub fn get(&self, tree: Tree, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(tree, key)
    }

    /// See [`Store::scan`](catenary_core::Store::scan); at most [`SCAN_MAX`] entries a call.
    ///
    /// # Errors
    /// The store failed.
    pub fn scan(&self, tree: Tree, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>, StoreError> {
        self.store.scan(tree, prefix, after, limit.min(SCAN_MAX))
    }

    fn read<T: DeserializeOwned>(&self, tree: Tree, key: &str) -> Result<Option<T>, StoreError> {
        self.get(tree, key)?.map(|value| fold::read(key, &value)).transpose()
    }

    fn scan_whole(&self, tree: Tree, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|(key, _)| key.clone());
            let page = self.scan(tree, prefix, after.as_deref(), SCAN_MAX)?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// Where a packet stands.
    ///
    /// # Errors
    /// The store failed.
    pub fn packet_state(&self, key: &PacketKey) -> Result<Option<PacketState>, StoreError> {
        self.read(Tree::Packets, &keys::packet_state(key))
    }

    /// A packet as it was first seen.
    ///
    /// # Errors
    /// The store failed.
    pub fn packet(&self, key: &PacketKey) -> Result<Option<Packet>, StoreError> {
        let key = keys::packet_bytes(key);
        let decode = |bytes: Vec<u8>| {
            Packet::proto_decode(&bytes)
                .map_err(|error| StoreError::Corrupt { key: key.clone(), reason: error.to_string() })
        };
        self.get(Tree::Packets, &key)?.map(decode).transpose()
    }

    /// A packet's acknowledgement, when it is known.
    ///
    /// # Errors
    /// The store failed.
    pub fn acknowledgement(&self, key: &PacketKey) -> Result<Option<Acknowledgement>, StoreError> {
        let key = keys::packet_ack(key);
        let decode = |bytes: Vec<u8>| {
            Acknowledgement::proto_decode(&bytes)
                .map_err(|error| StoreError::Corrupt { key: key.clone(), reason: error.to_string() })
        };
        self.get(Tree::Packets, &key)?.map(decode).transpose()
    }

    /// What happened to a packet, by time.
    ///
    /// # Errors
    /// The store failed.
    pub fn history(&self, key: &PacketKey) -> Result<Vec<HistoryEntry>, StoreError> {
        let entries = self.scan_whole(Tree::History, &keys::history(key))?;
        entries.iter().map(|(key, value)| fold::read(key, value)).collect()
    }

    /// Packets of a path that have not ended, by source, client and sequence; all of them, so that the engine can
    /// start from them.
    ///
    /// # Errors
    /// The store failed.
    pub fn open_packets(&self, path: &str) -> Result<Vec<(PacketKey, PacketState)>, StoreError> {
        let prefix = keys::open(path);
        let mut packets = Vec::new();
        for (key, _) in self.scan_whole(Tree::Transfers, &prefix)? {
            let key = packet_key(&prefix, &key)?;
            if let Some(state) = self.packet_state(&key)? {
                packets.push((key, state));
            }
        }
        Ok(packets)
    }

    /// Packets in a stage, a page from the first after `after`.
    ///
    /// # Errors
    /// The store failed.
    pub fn packets_in(
        &self,
        stage: Stage,
        after: Option<&PacketKey>,
        limit: usize,
    ) -> Result<Vec<PacketKey>, StoreError> {
        let prefix = keys::stage(stage);
        let after = after.map(|key| format!("{prefix}{}", key.store_key()));
        let page = self.scan(Tree::Transfers, &prefix, after.as_deref(), limit)?;
        page.iter().map(|(key, _)| packet_key(&prefix, key)).collect()
    }

    /// Packets that carry a payment reference: one, unless senders reuse it. At most [`SCAN_MAX`].
    ///
    /// # Errors
    /// The store failed.
    pub fn packets_of(&self, uetr: &str) -> Result<Vec<PacketKey>, StoreError> {
        let prefix = keys::uetr(uetr);
        let page = self.scan(Tree::Transfers, &prefix, None, SCAN_MAX)?;
        page.iter().map(|(key, _)| packet_key(&prefix, key)).collect()
    }

    /// The height up to which a chain's events are all taken.
    ///
    /// # Errors
    /// The store failed.
    pub fn cursor(&self, chain: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.read::<Cursor>(Tree::Cursors, chain)?.map(|cursor| cursor.height))
    }

    /// The anchor that a person set in place of the config's.
    ///
    /// # Errors
    /// The store failed.
    pub fn anchor(&self, chain: &str) -> Result<Option<AnchorSet>, StoreError> {
        self.read(Tree::Clients, &keys::anchor(chain))
    }

    /// Transactions of a chain whose outcome is not known, with their bytes.
    ///
    /// # Errors
    /// The store failed.
    pub fn open_intents(&self, chain: &str) -> Result<Vec<Intent>, StoreError> {
        let entries = self.scan_whole(Tree::Intents, &format!("open/{chain}/"))?;
        entries.iter().map(|(key, value)| fold::read(key, value)).collect()
    }

    /// A transaction that this node sent.
    ///
    /// # Errors
    /// The store failed.
    pub fn intent(&self, chain: &str, tx_hash: &Hash32) -> Result<Option<TxSummary>, StoreError> {
        self.read(Tree::Intents, &keys::intent(chain, tx_hash))
    }

    /// What became of a transaction.
    ///
    /// # Errors
    /// The store failed.
    pub fn outcome(&self, chain: &str, tx_hash: &Hash32) -> Result<Option<Outcome>, StoreError> {
        self.read(Tree::Intents, &keys::outcome(chain, tx_hash))
    }

    /// What a step of making a path led to.
    ///
    /// # Errors
    /// The store failed.
    pub fn path_step(&self, path: &str, step: &str) -> Result<Option<String>, StoreError> {
        Ok(self.read::<PathStep>(Tree::Paths, &keys::path_step(path, step))?.map(|step| step.value))
    }

    /// What people did, oldest first, a page from the first after `after` (the key that the page before ended at).
    ///
    /// # Errors
    /// The store failed.
    pub fn acts(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, Record)>, StoreError> {
        let page = self.scan(Tree::Acts, "", after, limit)?;
        page.into_iter().map(|(key, value)| fold::read(&key, &value).map(|act| (key, act))).collect()
    }

    /// What a key signed for a nonce.
    ///
    /// # Errors
    /// The store failed.
    pub fn signed_tx(&self, chain: &str, key: &str, nonce: u64) -> Result<Option<SignedTx>, StoreError> {
        self.read(Tree::Nonces, &keys::nonce(chain, key, nonce))
    }

    /// The state that a key attested for a height.
    ///
    /// # Errors
    /// The store failed.
    pub fn signed_state(&self, key: &str, height: u64) -> Result<Option<SignedAttestation>, StoreError> {
        self.read(Tree::Signatures, &keys::state_signature(key, height))
    }

    /// Whether a key already signed this packet attestation.
    ///
    /// # Errors
    /// The store failed.
    pub fn signed_packets(&self, signed: &SignedAttestation) -> Result<bool, StoreError> {
        let key = keys::packets_signature(&signed.key, &signed.instance, signed.height, &signed.digest);
        Ok(self.get(Tree::Signatures, &key)?.is_some())
    }

    /// What the ledger knows of a key's attestations.
    ///
    /// # Errors
    /// The store failed.
    pub fn attestor_memory(&self, key: &str) -> Result<AttestorMemory, StoreError> {
        Ok(match self.get(Tree::Signatures, &keys::signature_memory(key))? {
            None => AttestorMemory::None,
            Some(value) if value == fold::MEMORY_RESTORED => AttestorMemory::Restored,
            Some(_) => AttestorMemory::Kept,
        })
    }

    /// Misbehaviour of a chain that no person has looked at yet.
    ///
    /// # Errors
    /// The store failed.
    pub fn misbehaviour(&self, chain: &str) -> Result<Option<MisbehaviourSeen>, StoreError> {
        self.read(Tree::Clients, &keys::misbehaviour(chain))
    }

    /// Heights that an on-chain client is known to know.
    ///
    /// # Errors
    /// The store failed.
    pub fn client_heights(&self, chain: &str, client: &str) -> Result<Vec<u64>, StoreError> {
        let known: Option<ClientHeights> = self.read(Tree::Clients, &keys::client_heights(chain, client))?;
        Ok(known.map(|known| known.heights).unwrap_or_default())
    }

    /// Keeps a light client's saved state: the bytes beside the journal, their digest in it. The bytes are stored
    /// first, so a crash leaves the older state whole.
    ///
    /// # Errors
    /// `state.digest` is not the digest of `bytes`, or journal or store failed.
    pub fn save_client(&self, state: TrustedState, bytes: &[u8]) -> Result<(), StoreError> {
        let digest = Hash32::sha256(&[bytes]);
        if digest != state.digest {
            let reason = format!("its digest is {digest}, the record says {}", state.digest);
            return Err(StoreError::Corrupt { key: keys::trusted_state(&state.chain), reason });
        }
        let prefix = format!("client/{}/", state.chain);
        let key = format!("{prefix}{digest}");
        let old = self.scan(Tree::Blobs, &prefix, None, SCAN_MAX)?;
        self.store.apply(&[StoreOp::Put { tree: Tree::Blobs, key: key.clone(), value: bytes.to_vec() }])?;
        self.record(vec![Record::TrustedState(state)])?;
        let stale = old.into_iter().map(|(key, _)| key).filter(|old| *old != key);
        let deletes: Vec<_> = stale.map(|key| StoreOp::Delete { tree: Tree::Blobs, key }).collect();
        self.store.apply(&deletes)
    }

    /// A light client's saved state whose digest the journal holds; `None` when there is none, or its bytes are lost
    /// or changed, and then the client starts again from its anchor.
    ///
    /// # Errors
    /// The store failed.
    pub fn saved_client(&self, chain: &str) -> Result<Option<(TrustedState, Vec<u8>)>, StoreError> {
        let Some(state) = self.read::<TrustedState>(Tree::Clients, &keys::trusted_state(chain))? else {
            return Ok(None);
        };
        let bytes = self.get(Tree::Blobs, &format!("client/{chain}/{}", state.digest))?;
        let intact = bytes.filter(|bytes| Hash32::sha256(&[bytes]) == state.digest);
        Ok(intact.map(|bytes| (state, bytes)))
    }
}
