//! From records to the working state: a pure function, so that a store can always be made again from the journal.
//!
//! | record | tree: key → value |
//! | --- | --- |
//! | start | meta: `start` → record |
//! | intent | intents: `open/{chain}/{hash}` → record, `all/{chain}/{hash}` → [`TxSummary`]; history: one entry a packet |
//! | outcome | intents: removes `open/{chain}/{hash}`, `outcome/{chain}/{hash}` → record |
//! | signed_attestation | signatures: `state/{key}/{height}` or `packets/{key}/{instance}/{height}/{digest}` → record; `memory/{key}` |
//! | signed_tx | nonces: `{chain}/{key}/{nonce}` → record |
//! | nonce_released | nonces: removes `{chain}/{key}/{nonce}` |
//! | trusted_state | clients: `state/{chain}` → record |
//! | anchor_set | clients: `anchor/{chain}` → record, removes `state/{chain}` and `misbehaviour/{chain}` |
//! | misbehaviour_seen | clients: `misbehaviour/{chain}` → record |
//! | client_heights | clients: `heights/{chain}/{client}` → record |
//! | cursor | cursors: `{chain}` → record |
//! | packet | packets: `state/{packet}` → [`PacketState`], `bytes/{packet}`, `ack/{packet}`; transfers: `stage/{stage}/{packet}`, `open/{path}/{packet}`, `uetr/{uetr}/{packet}`; history |
//! | path_step | paths: `{path}/{step}` → record |
//! | act | acts: `{time}/{digest}` → record |
//! | attestor_reset | signatures: `memory/{key}`; acts |
//! | pruned | packets, history, transfers: removes all of these packets, `closed/{path}/{chain}/{client}` → [`Runs`]; intents: removes `all/…` and `outcome/…` of these transactions |
//! | checkpoint | meta: `checkpoint` → record |
//! | restored | signatures: `memory/{key}` of these keys, until a reset; acts |
//!
//! Numbers in keys are padded to 20 digits, so keys sort by them. The function sees one record at a time: that a
//! packet never steps back is the engine's duty. Only `pruned` needs what was folded before, see [`prune`].

use catenary_light_clients::Hash32;
use catenary_protocol::{ics20, Packet};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::packet_key::PacketKey;
use crate::record::{
    Intent, IntentKind, Outcome, PacketStep, Pruned, PrunedPackets, Record, SignedAttestation, Stage, StatementKind,
};
use crate::runs::Runs;
use crate::store::{Store, StoreError, StoreOp, Tree};

/// Version of the store's layout. A store of another version is made again from the journal.
///
/// 2: a [`Restored`](crate::record::Restored) journal leaves the mark [`MEMORY_RESTORED`] on each key; a store of version 1
/// may have folded such a record and let the key attest.
pub const STORE_SCHEMA: u32 = 2;
/// What stands for a key's memory when its journal was put back: it may have attested more than the journal knows.
pub const MEMORY_RESTORED: &[u8] = b"restored";

/// Where a packet stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketState {
    /// Path.
    pub path: String,
    /// Stage.
    pub stage: Stage,
    /// Height at which it was entered, on the chain where it happened.
    pub height: u64,
    /// Why it is parked, or ended as it did.
    pub reason: Option<String>,
    /// When that was seen, in Unix seconds.
    pub at_seconds: u64,
}

/// A transaction without its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TxSummary {
    /// Name of the batch or the call.
    pub id: String,
    /// Path.
    pub path: String,
    /// Chain.
    pub chain: String,
    /// Key.
    pub key: String,
    /// Nonce or sequence.
    pub nonce: u64,
    /// Hash, in hex.
    pub tx_hash: String,
    /// What it is for.
    pub kind: IntentKind,
    /// How many packets it carries messages of.
    pub packets: usize,
    /// When it was decided, in Unix seconds.
    pub at_seconds: u64,
}

/// An entry of a packet's history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum HistoryEntry {
    /// It entered a stage.
    Step(PacketState),
    /// A transaction that carries a message of it.
    Tx(TxSummary),
}

/// Keys of the store.
pub mod keys {
    use super::{Hash32, PacketKey, Stage};

    /// A number that sorts as text.
    #[must_use]
    pub fn number(number: u64) -> String {
        format!("{number:020}")
    }

    /// Where a packet's state is.
    #[must_use]
    pub fn packet_state(key: &PacketKey) -> String {
        format!("state/{}", key.store_key())
    }

    /// Where a packet's bytes are.
    #[must_use]
    pub fn packet_bytes(key: &PacketKey) -> String {
        format!("bytes/{}", key.store_key())
    }

    /// Sequences of a path that have ended and left the working state; chain and client follow.
    #[must_use]
    pub fn closed(path: &str) -> String {
        format!("closed/{path}/")
    }

    /// Where a packet's acknowledgement is.
    #[must_use]
    pub fn packet_ack(key: &PacketKey) -> String {
        format!("ack/{}", key.store_key())
    }

    /// Prefix of a packet's history.
    #[must_use]
    pub fn history(key: &PacketKey) -> String {
        format!("{}/", key.store_key())
    }

    /// Prefix of the packets in a stage.
    #[must_use]
    pub fn stage(stage: Stage) -> String {
        format!("stage/{}/", stage.name())
    }

    /// Prefix of a path's packets that have not ended.
    #[must_use]
    pub fn open(path: &str) -> String {
        format!("open/{path}/")
    }

    /// Prefix of the packets with a payment reference.
    #[must_use]
    pub fn uetr(uetr: &str) -> String {
        format!("uetr/{}/", uetr.to_ascii_lowercase())
    }

    /// What a key signed for a nonce.
    #[must_use]
    pub fn nonce(chain: &str, key: &str, nonce: u64) -> String {
        format!("{chain}/{key}/{}", number(nonce))
    }

    /// The state attestation of a key for a height, whatever light client it was of: a new anchor must not let a key sign
    /// another time for a height that it has signed.
    #[must_use]
    pub fn state_signature(key: &str, height: u64) -> String {
        format!("state/{key}/{}", number(height))
    }

    /// A packet attestation of a key for a height.
    #[must_use]
    pub fn packets_signature(key: &str, instance: &Hash32, height: u64, digest: &Hash32) -> String {
        format!("packets/{key}/{instance}/{}/{digest}", number(height))
    }

    /// Present once the store knows of a signature of this key, or of a reset.
    #[must_use]
    pub fn signature_memory(key: &str) -> String {
        format!("memory/{key}")
    }

    /// A transaction without a known outcome.
    #[must_use]
    pub fn open_intent(chain: &str, tx_hash: &Hash32) -> String {
        format!("open/{chain}/{tx_hash}")
    }

    /// A transaction.
    #[must_use]
    pub fn intent(chain: &str, tx_hash: &Hash32) -> String {
        format!("all/{chain}/{tx_hash}")
    }

    /// A transaction's outcome.
    #[must_use]
    pub fn outcome(chain: &str, tx_hash: &Hash32) -> String {
        format!("outcome/{chain}/{tx_hash}")
    }

    /// A light client's trusted state.
    #[must_use]
    pub fn trusted_state(chain: &str) -> String {
        format!("state/{chain}")
    }

    /// The anchor that a person set.
    #[must_use]
    pub fn anchor(chain: &str) -> String {
        format!("anchor/{chain}")
    }

    /// Misbehaviour of a chain that no person has looked at yet.
    #[must_use]
    pub fn misbehaviour(chain: &str) -> String {
        format!("misbehaviour/{chain}")
    }

    /// Heights that an on-chain client knows.
    #[must_use]
    pub fn client_heights(chain: &str, client: &str) -> String {
        format!("heights/{chain}/{client}")
    }

    /// A step of making a path.
    #[must_use]
    pub fn path_step(path: &str, step: &str) -> String {
        format!("{path}/{step}")
    }
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Structs of strings and numbers always encode; an empty value would read back as corrupt, never as another.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Reads a JSON value of the store.
///
/// # Errors
/// [`StoreError::Corrupt`] when it does not decode.
pub fn read<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError::Corrupt { key: key.into(), reason: error.to_string() })
}

struct Ops(Vec<StoreOp>);

impl Ops {
    fn put(&mut self, tree: Tree, key: String, value: Vec<u8>) {
        self.0.push(StoreOp::Put { tree, key, value });
    }

    fn delete(&mut self, tree: Tree, key: String) {
        self.0.push(StoreOp::Delete { tree, key });
    }
}

/// The changes that a record makes.
#[must_use]
pub fn fold(record: &Record) -> Vec<StoreOp> {
    let mut ops = Ops(Vec::new());
    match record {
        Record::Start(start) => ops.put(Tree::Meta, "start".into(), json(start)),
        Record::Intent(intent) => fold_intent(&mut ops, intent),
        Record::Outcome(outcome) => fold_outcome(&mut ops, outcome),
        Record::SignedAttestation(signed) => fold_attestation(&mut ops, signed),
        Record::SignedTx(signed) => {
            ops.put(Tree::Nonces, keys::nonce(&signed.chain, &signed.key, signed.nonce), json(signed));
        }
        Record::NonceReleased(released) => {
            ops.delete(Tree::Nonces, keys::nonce(&released.chain, &released.key, released.nonce));
            fold_act(&mut ops, record, released.at_seconds);
        }
        Record::TrustedState(state) => ops.put(Tree::Clients, keys::trusted_state(&state.chain), json(state)),
        Record::AnchorSet(anchor) => {
            ops.put(Tree::Clients, keys::anchor(&anchor.chain), json(anchor));
            ops.delete(Tree::Clients, keys::trusted_state(&anchor.chain));
            ops.delete(Tree::Clients, keys::misbehaviour(&anchor.chain));
            fold_act(&mut ops, record, anchor.at_seconds);
        }
        Record::MisbehaviourSeen(seen) => ops.put(Tree::Clients, keys::misbehaviour(&seen.chain), json(seen)),
        Record::ClientHeights(known) => {
            ops.put(Tree::Clients, keys::client_heights(&known.chain, &known.client), json(known));
        }
        Record::Cursor(cursor) => ops.put(Tree::Cursors, cursor.chain.clone(), json(cursor)),
        Record::Packet(step) => fold_packet(&mut ops, step),
        Record::PathStep(step) => ops.put(Tree::Paths, keys::path_step(&step.path, &step.step), json(step)),
        Record::Act(act) => fold_act(&mut ops, record, act.at_seconds),
        Record::AttestorReset(reset) => {
            ops.put(Tree::Signatures, keys::signature_memory(&reset.key), b"reset".to_vec());
            fold_act(&mut ops, record, reset.at_seconds);
        }
        // Needs what was folded before: see `prune`.
        Record::Pruned(_) => {}
        // Nothing depends on it: it is in the journal for whoever replays it.
        Record::Decision(_) => {}
        Record::Checkpoint(checkpoint) => ops.put(Tree::Meta, "checkpoint".into(), json(checkpoint)),
        Record::Restored(restored) => {
            for key in &restored.keys {
                ops.put(Tree::Signatures, keys::signature_memory(key), MEMORY_RESTORED.to_vec());
            }
            fold_act(&mut ops, record, restored.at_seconds);
        }
    }
    ops.0
}

/// Most entries of a packet's history that are read at once.
const HISTORY_PAGE: usize = 1_000;

/// The changes that a [`Pruned`] makes to a store that has folded everything before it. Folding it again changes nothing
/// more.
///
/// # Errors
/// The store failed.
pub fn prune(store: &dyn Store, pruned: &Pruned) -> Result<Vec<StoreOp>, StoreError> {
    let mut ops = Ops(Vec::new());
    for packets in &pruned.packets {
        prune_packets(store, &mut ops, packets)?;
    }
    for tx in &pruned.transactions {
        ops.delete(Tree::Intents, keys::intent(&tx.chain, &tx.tx_hash));
        ops.delete(Tree::Intents, keys::outcome(&tx.chain, &tx.tx_hash));
    }
    Ok(ops.0)
}

fn prune_packets(store: &dyn Store, ops: &mut Ops, packets: &PrunedPackets) -> Result<(), StoreError> {
    let PrunedPackets { path, source_chain, source_client, runs } = packets;
    let closed = format!("{}{source_chain}/{source_client}", keys::closed(path));
    let mut known = match store.get(Tree::Transfers, &closed)? {
        Some(value) => read::<Runs>(&closed, &value)?,
        None => Runs::default(),
    };
    for (first, last) in runs {
        known.insert(*first, *last);
        for sequence in *first..=*last {
            let (source_chain, source_client) = (source_chain.clone(), source_client.clone());
            prune_packet(store, ops, path, &PacketKey { source_chain, source_client, sequence })?;
        }
    }
    ops.put(Tree::Transfers, closed, json(&known));
    Ok(())
}

fn prune_packet(store: &dyn Store, ops: &mut Ops, path: &str, key: &PacketKey) -> Result<(), StoreError> {
    let name = key.store_key();
    let bytes = keys::packet_bytes(key);
    if let Some(uetr) = store.get(Tree::Packets, &bytes)?.as_deref().and_then(payment_reference) {
        ops.delete(Tree::Transfers, format!("{}{name}", keys::uetr(&uetr)));
    }
    ops.delete(Tree::Packets, keys::packet_state(key));
    ops.delete(Tree::Packets, bytes);
    ops.delete(Tree::Packets, keys::packet_ack(key));
    for stage in Stage::ALL {
        ops.delete(Tree::Transfers, format!("{}{name}", keys::stage(stage)));
    }
    ops.delete(Tree::Transfers, format!("{}{name}", keys::open(path)));
    let prefix = keys::history(key);
    let mut after: Option<String> = None;
    loop {
        let page = store.scan(Tree::History, &prefix, after.as_deref(), HISTORY_PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        page.into_iter().for_each(|(key, _)| ops.delete(Tree::History, key));
    }
}

/// Acts of people are kept by time; the digest tells apart two of one second.
fn fold_act(ops: &mut Ops, record: &Record, at_seconds: u64) {
    let value = json(record);
    let digest = Hash32::sha256(&[&value]);
    ops.put(Tree::Acts, format!("{}/{digest}", keys::number(at_seconds)), value);
}

fn fold_intent(ops: &mut Ops, intent: &Intent) {
    let summary = TxSummary {
        id: intent.id.clone(),
        path: intent.path.clone(),
        chain: intent.chain.clone(),
        key: intent.key.clone(),
        nonce: intent.nonce,
        tx_hash: intent.tx_hash.to_string(),
        kind: intent.kind,
        packets: intent.packets.len(),
        at_seconds: intent.at_seconds,
    };
    ops.put(Tree::Intents, keys::open_intent(&intent.chain, &intent.tx_hash), json(intent));
    ops.put(Tree::Intents, keys::intent(&intent.chain, &intent.tx_hash), json(&summary));
    let entry = json(&HistoryEntry::Tx(summary));
    for packet in &intent.packets {
        let key = format!("{}{}/tx/{}", keys::history(packet), keys::number(intent.at_seconds), intent.tx_hash);
        ops.put(Tree::History, key, entry.clone());
    }
}

fn fold_outcome(ops: &mut Ops, outcome: &Outcome) {
    ops.delete(Tree::Intents, keys::open_intent(&outcome.chain, &outcome.tx_hash));
    ops.put(Tree::Intents, keys::outcome(&outcome.chain, &outcome.tx_hash), json(outcome));
}

fn fold_attestation(ops: &mut Ops, signed: &SignedAttestation) {
    let key = match signed.statement {
        StatementKind::State => keys::state_signature(&signed.key, signed.height),
        StatementKind::Packets => keys::packets_signature(&signed.key, &signed.instance, signed.height, &signed.digest),
    };
    ops.put(Tree::Signatures, key, json(signed));
    ops.put(Tree::Signatures, keys::signature_memory(&signed.key), b"signed".to_vec());
}

fn fold_packet(ops: &mut Ops, step: &PacketStep) {
    let name = step.key.store_key();
    let state = PacketState {
        path: step.path.clone(),
        stage: step.stage,
        height: step.height,
        reason: step.reason.clone(),
        at_seconds: step.at_seconds,
    };
    ops.put(Tree::Packets, keys::packet_state(&step.key), json(&state));
    for stage in Stage::ALL {
        let key = format!("{}{name}", keys::stage(stage));
        if stage == step.stage {
            ops.put(Tree::Transfers, key, step.path.clone().into_bytes());
        } else {
            ops.delete(Tree::Transfers, key);
        }
    }
    let open = format!("{}{name}", keys::open(&step.path));
    if step.stage.is_terminal() {
        ops.delete(Tree::Transfers, open);
    } else {
        ops.put(Tree::Transfers, open, step.stage.name().into());
    }
    if let Some(bytes) = &step.packet {
        ops.put(Tree::Packets, keys::packet_bytes(&step.key), bytes.clone());
        if let Some(uetr) = payment_reference(bytes) {
            ops.put(Tree::Transfers, format!("{}{name}", keys::uetr(&uetr)), Vec::new());
        }
    }
    match &step.ack {
        Some(ack) => ops.put(Tree::Packets, keys::packet_ack(&step.key), ack.clone()),
        // Not received after all: an acknowledgement that was believed once is none, or a start would take the packet
        // for a received one, which is never refunded.
        None if step.stage == Stage::Sent => ops.delete(Tree::Packets, keys::packet_ack(&step.key)),
        None => {}
    }
    let key = format!("{}{}/{}", keys::history(&step.key), keys::number(step.at_seconds), step.stage.name());
    ops.put(Tree::History, key, json(&HistoryEntry::Step(state)));
}

#[derive(Deserialize)]
struct Memo {
    settlement: Settlement,
}

#[derive(Deserialize)]
struct Settlement {
    uetr: String,
}

/// The payment reference (UETR) in a transfer's memo, in lower case: 36 of `0-9 a-f -`. The memo is the sender's
/// free text, so anything else means that there is none.
#[must_use]
pub fn payment_reference(packet: &[u8]) -> Option<String> {
    let packet = Packet::proto_decode(packet).ok()?;
    let transfer = ics20::Transfer::from_payload(packet.payload().ok()?).ok()?;
    let memo: Memo = serde_json::from_str(&transfer.memo).ok()?;
    let uetr = memo.settlement.uetr.to_ascii_lowercase();
    let allowed = |b: u8| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (uetr.len() == 36 && uetr.bytes().all(allowed)).then_some(uetr)
}

#[cfg(test)]
mod tests;
