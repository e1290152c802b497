//! A simulated chain: the protocol's own handler over a state in a Merkle-Patricia trie, headers sealed by real keys,
//! accounts with nonces, a pool, and blocks that become final when enough others stand on them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};

use catenary_api::{EventClaim, PacketEvent, TxHash, TxReceipt};
use catenary_light_clients::crypto::keccak256;
use catenary_light_clients::qbft::{commitment_slot, Config};
use catenary_light_clients::testing::{keys, EvmState, HeaderSpec, Key, COMMITMENT_SLOT, TRUST};
use catenary_light_clients::{Address, Anchor, Hash32, Timestamp};
use catenary_protocol::handler::{
    atomically, Amount, AttestationClient, Bank, Context, Event, Handler, Key as StoreKey, MemoryHost, PacketResult,
    Store, TransferApp,
};
use catenary_protocol::proto;
use prost::Message;

use super::tx::{self, Account, Tx};
use super::world::lock;

/// When every world begins, in Unix seconds.
pub(crate) const START_SECONDS: u64 = 1_795_000_000;
/// The IBC router's address, under which commitments are stored.
const ROUTER: Address = Address([0xc0; 20]);
/// Who creates the clients.
const CREATOR: &str = "creator";
/// The least that a block asks for when there is room for all, and the most that anybody here pays.
pub(crate) const PRICE: u64 = 100;
pub(crate) const PRICE_MAX: u64 = 400;
/// How far above the account's nonce the pool takes transactions.
const NONCE_AHEAD_MAX: u64 = 8;

/// What is fixed about a chain.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// Height of the first block; the two chains' heights have nothing to do with each other.
    pub(crate) first_height: u64,
    pub(crate) validators: usize,
    /// Client here that judges the other chain.
    pub(crate) client_id: &'static str,
    /// The other chain's client, first height, and the addresses that attest it.
    pub(crate) other_client_id: &'static str,
    pub(crate) other_first_height: u64,
    pub(crate) attestors: Vec<String>,
    pub(crate) threshold: usize,
    /// Blocks that stand on a block before it is final.
    pub(crate) confirmations: u64,
    /// Whether transactions of which everything is done are refused, as ibc-go does, and not included, as on EVM.
    pub(crate) refuses_redundant: bool,
    /// Whether a dearer transaction takes the place of one with its nonce that waits, as on EVM.
    pub(crate) replaces: bool,
}

/// The state after a block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) host: MemoryHost,
    pub(crate) nonces: BTreeMap<Account, u64>,
}

/// What headers commit to, and what was asked of it: all members ask for the same proofs, and blocks in which nothing
/// happened share their state.
#[derive(Debug)]
pub(crate) struct Provable {
    evm: EvmState,
    proofs: Mutex<BTreeMap<Vec<u8>, Claimed>>,
    by_hash: OnceLock<BTreeMap<Hash32, Vec<u8>>>,
}

/// A value, or that there is none, and its proof.
type Claimed = (Option<Vec<u8>>, Vec<u8>);

impl Provable {
    fn root(&self) -> Hash32 {
        Hash32(*self.evm.root().as_bytes())
    }

    fn new(evm: EvmState) -> Arc<Self> {
        Arc::new(Self { evm, proofs: Mutex::default(), by_hash: OnceLock::new() })
    }

    /// What is held, by the hash of its path, as attestations name it; `host` is the state that this was made of.
    pub(crate) fn by_hash(&self, host: &MemoryHost) -> &BTreeMap<Hash32, Vec<u8>> {
        self.by_hash.get_or_init(|| {
            let held = host.entries().filter(|(key, _)| key.is_provable());
            held.map(|(key, value)| (keccak256(&[key.as_bytes()]), value.to_vec())).collect()
        })
    }

    fn proof(&self, path: &[u8]) -> Claimed {
        if let Some(known) = lock(&self.proofs).get(path) {
            return known.clone();
        }
        let slot = commitment_slot(path, &COMMITMENT_SLOT);
        let value = self.evm.slot(ROUTER, &slot).map(|value| value.to_vec());
        let claimed = (value, self.evm.proof(ROUTER, &slot));
        lock(&self.proofs).insert(path.to_vec(), claimed.clone());
        claimed
    }
}

/// A block with the state after it.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: HeaderSpec,
    /// The header as endpoints give it, and its hash.
    pub(crate) encoded: Arc<[u8]>,
    pub(crate) hash: Hash32,
    pub(crate) state: Arc<Provable>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) events: Vec<EventClaim>,
    pub(crate) receipts: BTreeMap<Hash32, TxReceipt>,
    included: Vec<Tx>,
    calls: Vec<UserCall>,
}

/// Something that a user asked for.
#[derive(Clone, Debug)]
pub(crate) struct UserCall {
    pub(crate) signer: String,
    pub(crate) message: proto::Any,
}

/// A transaction that waits, not before a height.
#[derive(Clone, Debug)]
struct Pooled {
    tx: Tx,
    not_before: u64,
}

/// What the pool says to a transaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Admission {
    Accepted,
    Redundant,
    Nonce { got: u64, expected: u64 },
    Refused(&'static str),
}

/// The chain.
pub(crate) struct Chain {
    pub(crate) spec: Spec,
    handler: Handler<MemoryHost>,
    keys: Vec<Key>,
    pub(crate) blocks: Vec<Block>,
    /// Receipts of all transactions in these blocks.
    landed: BTreeMap<Hash32, TxReceipt>,
    /// How often what happened in the blocks has changed.
    pub(crate) changes: u64,
    pool: Vec<Pooled>,
    /// The least that the newest block asked for.
    pub(crate) price: u64,
    /// The newest height that was ever final: it stays so.
    finalised: u64,
    pub(crate) calls: VecDeque<UserCall>,
}

/// How a transaction comes into the pool.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrival {
    /// It waits for so many blocks.
    pub(crate) late: u64,
    /// One that it replaces stays in somebody's pool as well.
    pub(crate) keeps_old: bool,
    /// When, in Unix seconds.
    pub(crate) seconds: u64,
}

/// What goes wrong in the next block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mishaps {
    /// It takes nothing that pays less, if that is more than usual.
    pub(crate) price: u64,
    /// A competing relayer does what the first transaction in the pool would have done.
    pub(crate) rival: bool,
    /// Somebody else uses a nonce of this account.
    pub(crate) foreign: Option<Account>,
    /// So many blocks that are not final are replaced.
    pub(crate) reorganised: u64,
}

fn any(type_url: &str, message: &impl Message) -> proto::Any {
    proto::Any { type_url: type_url.into(), value: message.encode_to_vec() }
}

impl Chain {
    /// A chain whose first block is sealed, with its client and value for its users.
    pub(crate) fn new(spec: Spec, funds: &[(&str, &str, u64)]) -> Self {
        let handler = Handler::new().with_client(AttestationClient).with_app(TransferApp);
        let mut host = MemoryHost::default();
        for (account, denom, amount) in funds {
            host.mint(account.as_bytes(), denom, Amount::from(*amount)).expect("a small amount");
        }
        let keys = keys(spec.validators);
        let state = Provable::new(router());
        let mut header = HeaderSpec::new(spec.first_height, START_SECONDS, &keys);
        header.state_root = state.root();
        let header = header.sealed(&keys);
        let first = Block {
            encoded: header.encode().into(),
            hash: header.hash(),
            header,
            state,
            snapshot: Arc::new(Snapshot::default()),
            events: Vec::new(),
            receipts: BTreeMap::new(),
            included: Vec::new(),
            calls: Vec::new(),
        };
        let mut chain = Self {
            finalised: spec.first_height,
            spec,
            handler,
            keys,
            blocks: vec![first],
            landed: BTreeMap::new(),
            changes: 0,
            pool: Vec::new(),
            price: PRICE,
            calls: VecDeque::new(),
        };
        chain.create_client(&mut host);
        chain.blocks[0].snapshot = Arc::new(Snapshot { host, nonces: BTreeMap::new() });
        chain
    }

    fn create_client(&self, host: &mut MemoryHost) {
        let client = proto::AttestationClientState {
            attestor_addresses: self.spec.attestors.clone(),
            min_required_sigs: u32::try_from(self.spec.threshold).expect("a few"),
            latest_height: self.spec.other_first_height,
            is_frozen: false,
        };
        let consensus = proto::AttestationConsensusState { timestamp: START_SECONDS * 1_000_000_000 };
        let create = proto::MsgCreateClient {
            client_state: Some(any(proto::ATTESTATION_CLIENT_STATE, &client)),
            consensus_state: Some(any(proto::ATTESTATION_CONSENSUS_STATE, &consensus)),
            signer: CREATOR.into(),
        };
        let register = proto::MsgRegisterCounterparty {
            client_id: self.spec.client_id.into(),
            counterparty_merkle_prefix: vec![Vec::new()],
            counterparty_client_id: self.spec.other_client_id.into(),
            signer: CREATOR.into(),
        };
        let context = Context { time: Timestamp::from_seconds(START_SECONDS), signer: CREATOR };
        // Clients that are never used shift the ids, so that no two ids are mixed up unseen.
        while catenary_protocol::handler::state::client_state(host, self.spec.client_id).expect("readable").is_none() {
            self.handler
                .handle(host, context, proto::MSG_CREATE_CLIENT, &create.encode_to_vec())
                .expect("the client's states are good");
        }
        self.handler
            .handle(host, context, proto::MSG_REGISTER_COUNTERPARTY, &register.encode_to_vec())
            .expect("the creator may");
    }

    /// What a light client of this chain is made of.
    pub(crate) fn config(&self) -> Config {
        let first = &self.blocks[0].header;
        Config {
            chain_id: self.spec.name.into(),
            anchor: Anchor { height: first.number, hash: first.hash() },
            router: ROUTER.0,
            commitment_slot: COMMITMENT_SLOT,
            trust: TRUST,
            skipping: false,
            validator_contract: None,
        }
    }

    pub(crate) fn tip(&self) -> &Block {
        self.blocks.last().expect("there is a first block")
    }

    pub(crate) fn tip_height(&self) -> u64 {
        self.tip().header.number
    }

    /// The newest final height.
    pub(crate) const fn final_height(&self) -> u64 {
        self.finalised
    }

    pub(crate) fn block(&self, height: u64) -> Option<&Block> {
        let index = height.checked_sub(self.spec.first_height)?;
        self.blocks.get(usize::try_from(index).ok()?)
    }

    /// What a path holds in the state after a block.
    pub(crate) fn value(&self, height: u64, path: &[u8]) -> Option<Vec<u8>> {
        self.block(height)?.snapshot.host.get(&StoreKey::Provable(path.to_vec()))
    }

    /// The value as a trie has it, and its proof or that of its absence.
    pub(crate) fn proof(&self, height: u64, path: &[u8]) -> Option<Claimed> {
        Some(self.block(height)?.state.proof(path))
    }

    pub(crate) fn nonce(&self, account: &Account) -> u64 {
        self.tip().snapshot.nonces.get(account).copied().unwrap_or_default()
    }

    pub(crate) fn receipt(&self, hash: &TxHash, upto: u64) -> Option<TxReceipt> {
        self.landed.get(&hash.0).filter(|receipt| receipt.height <= upto).cloned()
    }

    /// Runs messages as the next block would and says whether all of the packet messages are done already.
    ///
    /// # Errors
    /// Why the messages would fail.
    pub(crate) fn simulate(&self, messages: &[proto::Any], signer: &str, seconds: u64) -> Result<bool, String> {
        let mut host = self.tip().snapshot.host.clone();
        let mut work = false;
        for message in messages {
            let context = Context { time: Timestamp::from_seconds(seconds), signer };
            let outcome = self
                .handler
                .handle(&mut host, context, &message.type_url, &message.value)
                .map_err(|error| format!("{}: {error}", error.code()))?;
            if message.type_url != proto::MSG_UPDATE_CLIENT {
                work |= !is_noop(&outcome.response);
            }
        }
        Ok(!work)
    }

    /// Takes a transaction into the pool.
    pub(crate) fn admit(&mut self, tx: Tx, arrival: Arrival) -> Admission {
        if self.receipt(&tx.hash, u64::MAX).is_some() || self.pool.iter().any(|pooled| pooled.tx.hash == tx.hash) {
            return Admission::Accepted;
        }
        let expected = self.nonce(&tx.account);
        if tx.nonce < expected || tx.nonce > expected + NONCE_AHEAD_MAX {
            return Admission::Nonce { got: tx.nonce, expected };
        }
        let is_rival = |pooled: &Pooled| pooled.tx.account == tx.account && pooled.tx.nonce == tx.nonce;
        let dearest = self.pool.iter().filter(|pooled| is_rival(pooled)).map(|pooled| pooled.tx.price).max();
        match dearest {
            Some(_) if !self.spec.replaces => return Admission::Refused("another transaction with this nonce waits"),
            // As pools ask for: an eighth more.
            Some(old) if tx.price * 8 < old * 9 => return Admission::Nonce { got: tx.nonce, expected },
            Some(_) if !arrival.keeps_old => self.pool.retain(|pooled| !is_rival(pooled)),
            _ => {}
        }
        if self.spec.refuses_redundant {
            match self.simulate(&tx.messages, &tx::text(&tx.account), arrival.seconds) {
                Ok(true) => return Admission::Redundant,
                Ok(false) => {}
                Err(_) => return Admission::Refused("the messages would fail"),
            }
        }
        let not_before = self.tip_height() + 1 + arrival.late;
        self.pool.push(Pooled { tx, not_before });
        Admission::Accepted
    }

    /// Whether a transaction with this nonce waits or is in a block.
    pub(crate) fn holds(&self, account: &Account, nonce: u64) -> bool {
        let included = self.blocks.iter().flat_map(|block| &block.included);
        included.chain(self.pool.iter().map(|pooled| &pooled.tx)).any(|tx| tx.account == *account && tx.nonce == nonce)
    }

    /// Forgets the first transaction in the pool, as a node that restarts does.
    pub(crate) fn drop_one(&mut self) -> Option<TxHash> {
        (!self.pool.is_empty()).then(|| self.pool.remove(0).tx.hash)
    }

    /// Makes the next block.
    pub(crate) fn make_block(&mut self, seconds: u64, mishaps: &Mishaps) {
        self.reorganise(mishaps.reorganised);
        let parent = self.tip();
        let mut header = parent.header.child(&self.keys);
        header.time_seconds = seconds.max(parent.header.time_seconds + 1);
        let (before, before_state, state_root) =
            (parent.snapshot.clone(), parent.state.clone(), parent.header.state_root);
        // Most blocks are empty, and their state is that of the one before.
        let is_quiet = self.calls.is_empty() && self.pool.is_empty() && mishaps.foreign.is_none();
        let mut snapshot = if is_quiet { Snapshot::default() } else { (*before).clone() };
        let mut making = Making { header: &header, events: Vec::new(), receipts: BTreeMap::new() };
        let calls: Vec<UserCall> = self.calls.drain(..).collect();
        for call in &calls {
            let hash = TxHash(Hash32::sha256(&[&call.message.value, &header.number.to_be_bytes()]));
            let _ = making.run(
                &self.handler,
                &mut snapshot.host,
                std::slice::from_ref(&call.message),
                (call.signer.as_str(), hash),
            );
        }
        if let Some(account) = mishaps.foreign {
            *snapshot.nonces.entry(account).or_default() += 1;
        }
        let ready: Vec<Tx> = self
            .pool
            .iter()
            .filter(|pooled| pooled.not_before <= header.number && pooled.tx.price >= mishaps.price)
            .map(|pooled| pooled.tx.clone())
            .collect();
        if mishaps.rival {
            if let Some(first) = ready.first() {
                let rival = "rival-relayer";
                let messages: Option<Vec<_>> = first.messages.iter().map(|m| tx::signed_by(m, rival)).collect();
                let hash = TxHash(Hash32::sha256(&[b"rival", first.hash.0.as_bytes()]));
                let _ = making.run(&self.handler, &mut snapshot.host, &messages.unwrap_or_default(), (rival, hash));
            }
        }
        let mut included = Vec::new();
        for tx in ready {
            let nonce = snapshot.nonces.entry(tx.account).or_default();
            if tx.nonce != *nonce {
                continue;
            }
            *nonce += 1;
            let signer = tx::text(&tx.account);
            let outcome = making.run(&self.handler, &mut snapshot.host, &tx.messages, (signer.as_str(), tx.hash));
            making.receipts.insert(tx.hash.0, receipt((header.number, tx.price), outcome));
            included.push(tx);
        }
        let Making { events, receipts, .. } = making;
        let nonces = &snapshot.nonces;
        self.pool.retain(|Pooled { tx, .. }| tx.nonce >= nonces.get(&tx.account).copied().unwrap_or_default());
        let snapshot = if is_quiet { before } else { Arc::new(snapshot) };
        (header.state_root, self.changes) = (state_root, self.changes + u64::from(!events.is_empty()));
        let state = if events.is_empty() { before_state } else { Provable::new(trie(&snapshot.host)) };
        if !events.is_empty() {
            header.state_root = state.root();
        }
        self.landed.extend(receipts.iter().map(|(hash, receipt)| (*hash, receipt.clone())));
        let header = header.sealed(&self.keys);
        let (encoded, hash) = (header.encode().into(), header.hash());
        self.blocks.push(Block { header, encoded, hash, state, snapshot, events, receipts, included, calls });
        self.finalised = self.finalised.max(self.tip_height().saturating_sub(self.spec.confirmations));
        self.price = mishaps.price.max(PRICE);
    }

    /// Takes back blocks that are not final; what was in them waits again.
    fn reorganise(&mut self, blocks: u64) {
        let first = self.final_height() + 1;
        for _ in 0..blocks.min((self.tip_height() + 1).saturating_sub(first)) {
            let Some(block) = self.blocks.pop() else { return };
            self.changes += u64::from(!block.events.is_empty());
            block.receipts.keys().for_each(|hash| drop(self.landed.remove(hash)));
            for call in block.calls.into_iter().rev() {
                self.calls.push_front(call);
            }
            let not_before = block.header.number;
            for tx in block.included.into_iter().rev() {
                self.pool.insert(0, Pooled { tx, not_before });
            }
        }
    }
}

/// Whether a relayed message changed nothing.
pub(crate) fn is_noop(response: &[u8]) -> bool {
    proto::PacketResponse::decode(response).is_ok_and(|response| response.result == PacketResult::Noop as i32)
}

fn receipt((height, price): (u64, u64), outcome: Result<(), String>) -> TxReceipt {
    TxReceipt {
        height,
        success: outcome.is_ok(),
        gas_used: 100_000,
        fee: (price * 1_000).to_string(),
        error: outcome.err(),
        created: None,
        output: None,
    }
}

/// A state whose router has a storage, as every deployed one has.
fn router() -> EvmState {
    let mut state = EvmState::default();
    state.insert_contract(ROUTER);
    state.insert_slot(ROUTER, [1; 32], [1; 32]);
    state
}

/// The provable state as headers commit to it.
fn trie(host: &MemoryHost) -> EvmState {
    let mut state = router();
    for (key, value) in host.entries().filter(|(key, _)| key.is_provable()) {
        let mut word = [0; 32];
        word[32 - value.len()..].copy_from_slice(value);
        state.insert_slot(ROUTER, commitment_slot(key.as_bytes(), &COMMITMENT_SLOT), word);
    }
    state
}

/// A block that is being made.
struct Making<'a> {
    header: &'a HeaderSpec,
    events: Vec<EventClaim>,
    receipts: BTreeMap<Hash32, TxReceipt>,
}

impl Making<'_> {
    /// Runs messages, all or nothing.
    fn run(
        &mut self,
        handler: &Handler<MemoryHost>,
        host: &mut MemoryHost,
        messages: &[proto::Any],
        (signer, tx): (&str, TxHash),
    ) -> Result<(), String> {
        let context = Context { time: Timestamp::from_seconds(self.header.time_seconds), signer };
        let events = atomically(host, |host| {
            let mut events = Vec::new();
            for message in messages {
                let outcome = handler
                    .handle(host, context, &message.type_url, &message.value)
                    .map_err(|error| format!("{}: {error}", error.code()))?;
                events.extend(outcome.events);
            }
            Ok::<_, String>(events)
        })?;
        let height = self.header.number;
        self.events.extend(events.into_iter().filter_map(claimed).map(|event| EventClaim { height, tx, event }));
        Ok(())
    }
}

fn claimed(event: Event) -> Option<PacketEvent> {
    match event {
        Event::SendPacket(packet) => Some(PacketEvent::Sent(packet)),
        Event::WriteAcknowledgement(packet, acknowledgement) => Some(PacketEvent::WroteAck { packet, acknowledgement }),
        Event::AcknowledgePacket(packet) => Some(PacketEvent::Acknowledged(packet)),
        Event::TimeoutPacket(packet) => Some(PacketEvent::TimedOut(packet)),
        _ => None,
    }
}
