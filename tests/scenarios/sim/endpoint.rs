//! A member's endpoint of a chain: late, stale, lossy and lying as the plan says, and cut off when the member dies.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, ChainSource, ClientClaim, Error, EventClaim, Head, Identity, Message,
    PacketEvent, ProofClaim, PublicKey, ReplacingSink, Result, SignedTx, SinkLimits, TxHash, TxReceipt, UnsignedTx,
};
use catenary_light_clients::testing::keys;
use catenary_light_clients::{Class, Timestamp};
use catenary_node::platform::{self, simulation};
use catenary_protocol::handler::{Key as StoreKey, Store};
use catenary_protocol::Acknowledgement;
use prost::Message as _;

use super::chain::{Admission, Arrival, Chain, PRICE_MAX};
use super::plan::EndpointFaults;
use super::rng::Rng;
use super::tx::{self, Body, Tx};
use super::world::{lock, World};

/// Milliseconds for which an endpoint is as far behind as it is.
const STALE_MS: u64 = 4_000;

/// One member's way to one chain; there may be others.
pub(crate) struct Endpoint {
    world: Arc<World>,
    member: usize,
    life: u64,
    chain: usize,
    /// Which of several.
    which: usize,
    faults: EndpointFaults,
    rng: Mutex<Rng>,
}

fn error(code: &'static str, class: Class, message: impl Into<String>) -> Error {
    Error { code, class, message: message.into() }
}

fn lost() -> Error {
    error("SIM-001", Class::Transient, "no answer")
}

fn not_there(what: &str) -> Error {
    error("SIM-002", Class::Transient, format!("{what} is not there yet"))
}

/// What the n-th of several endpoints is called; the first one has no number.
fn place(which: usize) -> String {
    if which == 0 {
        String::new()
    } else {
        format!(" {which}")
    }
}

fn unsigned(body: &Body) -> UnsignedTx {
    let payload = body.encode_to_vec();
    let (digest, size_bytes) = (tx::digest(&payload), payload.len() + 65);
    UnsignedTx { digest, payload, nonce: body.nonce, gas_limit: 1_000_000, size_bytes }
}

impl Endpoint {
    /// All endpoints that a member has of a chain.
    pub(crate) fn all(world: &Arc<World>, (member, life): (usize, u64), chain: usize) -> Vec<Arc<Self>> {
        let one = |(which, faults): (usize, EndpointFaults)| {
            let rng = Rng::of(world.plan.seed, &format!("endpoint {member} {life} {chain}{}", place(which)));
            let (world, rng) = (world.clone(), Mutex::new(rng));
            Arc::new(Self { world, member, life, chain, which, faults, rng })
        };
        world.plan.all_endpoints().enumerate().map(one).collect()
    }

    /// What it draws in one stretch of some seconds.
    fn stretch(&self, what: &str) -> Rng {
        let (member, chain, at) = (self.member, self.chain, simulation::elapsed_ms() / STALE_MS);
        Rng::of(self.world.plan.seed, &format!("{what} {member} {chain} {at}{}", place(self.which)))
    }

    fn is_down(&self) -> bool {
        self.faults.down > 0 && self.world.is_faulty() && self.stretch("down").chance(self.faults.down)
    }

    fn has_taken(&self, hash: &TxHash) -> bool {
        lock(&self.world.members[self.member].state).taken.contains(&(self.chain, self.which, hash.0))
    }

    /// Whether its own pool does not want a transaction that it has not taken before.
    fn is_refused(&self, hash: &TxHash) -> bool {
        let refuses = self.world.is_faulty() && lock(&self.rng).chance(self.faults.refuses);
        refuses && !self.has_taken(hash)
    }

    /// Waits as long as an answer takes, fails when it is lost, and says whether it is a lie. A dead member's requests
    /// go nowhere.
    async fn request(&self) -> Result<bool> {
        let (faults, faulty) = (self.faults, self.world.is_faulty());
        let (delay, is_lost, lies) = {
            let mut rng = lock(&self.rng);
            let most = if faulty { faults.latency_ms.max(1) } else { 60 };
            (rng.range(1, most), faulty && rng.chance(faults.loss), faulty && rng.chance(faults.lies))
        };
        platform::sleep(Duration::from_millis(delay)).await;
        if !self.world.is_alive(self.member, self.life) {
            std::future::pending::<()>().await;
        }
        if is_lost || self.is_down() {
            return Err(lost());
        }
        Ok(lies)
    }

    /// How the pool has what is handed in here.
    fn arrival(&self) -> Arrival {
        let (faults, faulty) = (self.world.plan.chains, self.world.is_faulty());
        let mut rng = lock(&self.rng);
        let late = if faulty && rng.chance(faults.late) { rng.range(1, 25) } else { 0 };
        let keeps_old = faults.kept > 0 && faulty && rng.chance(faults.kept);
        Arrival { late, keeps_old, seconds: World::now_seconds() }
    }

    fn draw(&self, low: u64, high: u64) -> u64 {
        lock(&self.rng).range(low, high)
    }

    /// The newest height that it knows of.
    fn seen(&self, chain: &Chain) -> u64 {
        let most = self.faults.stale_blocks;
        if most == 0 || !self.world.is_faulty() {
            return chain.tip_height();
        }
        let mut rng = self.stretch("stale");
        let behind = if rng.chance(400) { rng.range(1, most) } else { 0 };
        chain.tip_height().saturating_sub(behind).max(chain.spec.first_height)
    }

    /// The newest final height that it knows of.
    fn seen_final(&self, chain: &Chain) -> u64 {
        chain.final_height().min(self.seen(chain))
    }

    fn lie_about_events(&self, events: &mut Vec<EventClaim>, (from, to): (u64, u64)) {
        let height = self.draw(from, to);
        let tx = TxHash(catenary_light_clients::Hash32([7; 32]));
        // What the other chain sent: a lie about something that exists is harder to see.
        let packets: Vec<_> = {
            let other = self.world.chain(1 - self.chain);
            let sent = other.blocks.iter().flat_map(|block| &block.events);
            sent.filter_map(|claim| match &claim.event {
                PacketEvent::Sent(packet) => Some(packet.clone()),
                _ => None,
            })
            .collect()
        };
        // What nobody tells of is found by those who ask for it.
        let withholds = u64::from(self.world.plan.sweep_seconds.is_some());
        match self.draw(0, 5 + withholds) {
            6 => events.retain(|claim| !matches!(claim.event, PacketEvent::Sent(_))),
            0 => events.retain(|claim| matches!(claim.event, PacketEvent::Sent(_))),
            1 => events.iter_mut().for_each(|claim| claim.height += 1),
            2 => events.extend(events.clone()),
            3 => {
                if let Some(packet) = packets.last().cloned() {
                    let acknowledgement =
                        Acknowledgement { app_acknowledgements: vec![b"{\"result\":\"AQ==\"}".to_vec()] };
                    events.push(EventClaim { height, tx, event: PacketEvent::WroteAck { packet, acknowledgement } });
                }
            }
            4 => {
                let mut forged: Vec<EventClaim> = Vec::new();
                for claim in events.iter() {
                    if let PacketEvent::Sent(packet) = &claim.event {
                        let mut packet = packet.clone();
                        packet.timeout_timestamp_seconds += 1;
                        forged.push(EventClaim { event: PacketEvent::Sent(packet), ..claim.clone() });
                    }
                }
                events.extend(forged);
            }
            _ => {
                let own = self.world.chain(self.chain);
                let sent = own.blocks.iter().flat_map(|block| &block.events).find_map(|claim| match &claim.event {
                    PacketEvent::Sent(packet) => Some(packet.clone()),
                    _ => None,
                });
                if let Some(mut packet) = sent {
                    let event = PacketEvent::Acknowledged(packet.clone());
                    events.push(EventClaim { height, tx, event });
                    packet.sequence += 1_000;
                    events.push(EventClaim { height, tx, event: PacketEvent::Sent(packet) });
                }
            }
        }
    }
}

#[async_trait]
impl ChainSource for Endpoint {
    async fn identity(&self) -> Result<Identity> {
        self.request().await?;
        Ok(Identity { chain_id: self.world.chain(self.chain).spec.name.into(), genesis_hash: None })
    }

    async fn head(&self) -> Result<Head> {
        let lies = self.request().await?;
        let chain = self.world.chain(self.chain);
        let mut height = self.seen_final(&chain);
        let block = chain.block(height).ok_or_else(lost)?;
        let timestamp = Timestamp::from_seconds(block.header.time_seconds);
        if lies {
            height = (height + 20).saturating_sub(self.draw(0, 40));
        }
        Ok(Head { height, timestamp })
    }

    async fn updates(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        let lies = self.request().await?;
        let chain = self.world.chain(self.chain);
        if to > self.seen_final(&chain) {
            return Err(not_there("the block"));
        }
        let blocks = (from..=to).map(|height| chain.block(height)).collect::<Option<Vec<_>>>().ok_or_else(lost)?;
        let mut headers: Vec<Vec<u8>> = blocks.iter().map(|block| block.encoded.to_vec()).collect();
        if let (true, Some(block), Some(last)) = (lies, blocks.last(), headers.last_mut()) {
            let mut forged = block.header.clone();
            forged.state_root = catenary_light_clients::Hash32([9; 32]);
            let strangers = keys(9).split_off(8);
            *last = forged.sealed(&strangers).encode();
        }
        Ok(headers)
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        let lies = self.request().await?;
        let mut events = {
            let chain = self.world.chain(self.chain);
            if to > self.seen_final(&chain) {
                return Err(not_there("the block"));
            }
            let blocks = (from..=to).map(|height| chain.block(height));
            let blocks = blocks.collect::<Option<Vec<_>>>().ok_or_else(lost)?;
            blocks.into_iter().flat_map(|block| block.events.clone()).collect()
        };
        if lies {
            self.lie_about_events(&mut events, (from, to));
        }
        Ok(events)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        let lies = self.request().await?;
        let chain = self.world.chain(self.chain);
        if height > self.seen_final(&chain) {
            return Err(not_there("the state"));
        }
        let claim = |path: &Vec<u8>| chain.proof(height, path).map(|(value, proof)| ProofClaim { value, proof });
        let mut claims = paths.iter().map(claim).collect::<Option<Vec<_>>>().ok_or_else(lost)?;
        if lies {
            let choice = self.draw(0, 4);
            for claim in &mut claims {
                match choice {
                    0 => claim.value = claim.value.is_none().then(|| vec![7; 32]),
                    1 => claim.proof.iter_mut().rev().take(40).for_each(|byte| *byte ^= 1),
                    2 => claim.value = Some(vec![3; 32]),
                    3 => {
                        *claim = chain
                            .proof(height, b"nowhere")
                            .map_or_else(|| claim.clone(), |(value, proof)| ProofClaim { value, proof })
                    }
                    _ => claim.proof.truncate(claim.proof.len() / 2),
                }
            }
        }
        Ok(claims)
    }

    async fn present(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        let lies = self.request().await?;
        let chain = self.world.chain(self.chain);
        let block = chain.block(self.seen(&chain)).ok_or_else(lost)?;
        let held = |path: &Vec<u8>| block.snapshot.host.get(&StoreKey::Provable(path.clone())).is_some() != lies;
        Ok(paths.iter().map(held).collect())
    }

    async fn client(&self, _: &str) -> Result<Option<ClientClaim>> {
        self.request().await?;
        let plan = &self.world.plan;
        Ok(plan.frozen.then(|| ClientClaim {
            attestors: Vec::new(),
            min_required_sigs: 1,
            latest_height: 0,
            frozen: self.chain == 1 && self.world.is_faulty(),
            counterparty: None,
            location: String::new(),
            native: None,
        }))
    }
}

#[async_trait]
impl ChainSink for Endpoint {
    async fn account(&self, key: &PublicKey) -> Result<Account> {
        let lies = self.request().await?;
        let account = tx::account_of(&key.0).ok_or_else(lost)?;
        let chain = self.world.chain(self.chain);
        let block = chain.block(self.seen(&chain)).ok_or_else(lost)?;
        let mut nonce = block.snapshot.nonces.get(&account).copied().unwrap_or_default();
        if lies {
            nonce = (nonce + 2).saturating_sub(self.draw(0, 4));
        }
        Ok(Account { address: tx::text(&account), number: 0, nonce, balance: "1000000".into() })
    }

    fn address(&self, key: &PublicKey) -> Result<String> {
        tx::account_of(&key.0).map(|account| tx::text(&account)).ok_or_else(lost)
    }

    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        self.request().await?;
        let account = tx::account_of(&request.public_key.0).ok_or_else(lost)?;
        let messages = tx::messages(&request.body.view(), &tx::text(&account));
        let simulated = self.world.chain(self.chain).simulate(&messages, &tx::text(&account), World::now_seconds());
        if let Err(reason) = simulated {
            return Err(error("SIM-003", Class::Permanent, reason));
        }
        let price = self.world.chain(self.chain).price.min(PRICE_MAX);
        Ok(unsigned(&Body { account: account.to_vec(), nonce: request.nonce, messages, price }))
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
        let (bytes, hash) = tx::sign(&unsigned.payload, signature);
        Ok(SignedTx { bytes, hash })
    }

    async fn broadcast(&self, signed: &SignedTx) -> Broadcast {
        let refused = |what: &str| Broadcast::Refused(error("SIM-004", Class::Permanent, what));
        let Some(tx) = Tx::decode(&signed.bytes) else { return refused("the signature does not hold") };
        if let Err(error) = self.request().await {
            return Broadcast::Unknown(error);
        }
        let (hash, nonce) = (tx.hash, tx.nonce);
        self.world.check_broadcast(self.member, self.chain, &tx);
        let (member, chain, which) = (self.member, self.chain, self.which);
        if self.is_refused(&hash) {
            self.world.happened("refused by one");
            self.world.note(format!("member {member} broadcasts to {chain}: endpoint {which} refuses {hash}"));
            return refused("this pool does not want it");
        }
        let arrival = self.arrival();
        let admission = self.world.chain(self.chain).admit(tx, arrival);
        if admission == Admission::Accepted {
            lock(&self.world.members[member].state).taken.insert((chain, which, hash.0));
        }
        self.world.note(format!("member {member} broadcasts to {chain} nonce {nonce} {hash}: {admission:?}"));
        // The answer may be lost as well.
        if let Err(error) = self.request().await {
            return Broadcast::Unknown(error);
        }
        match admission {
            Admission::Accepted => Broadcast::Accepted,
            Admission::Redundant => Broadcast::Redundant,
            Admission::Refused(why) => refused(why),
            Admission::Nonce { got, expected } => {
                let message = format!("nonce {got}, the account's is {expected}");
                Broadcast::NonceMismatch(error("SIM-005", Class::Transient, message))
            }
        }
    }

    async fn receipt(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let lies = self.request().await?;
        let chain = self.world.chain(self.chain);
        let seen = self.seen(&chain);
        // Only of what is final, as the trait says: a receipt that is taken back would free its nonce.
        let truth = chain.receipt(hash, self.seen_final(&chain));
        if !lies {
            return Ok(truth);
        }
        let forged = TxReceipt {
            height: seen + self.draw(0, 100),
            success: true,
            gas_used: 1,
            fee: "1".into(),
            error: None,
            created: None,
            output: None,
        };
        Ok(if truth.is_some() { None } else { Some(forged) })
    }

    fn size_bytes(&self, message: &Message) -> usize {
        tx::encode(&message.view(), "0x").value.len() + 100
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { tx_bytes_max: 64 * 1024, gas_max: 30_000_000, messages_max: 16 }
    }
}

#[async_trait]
impl ReplacingSink for Endpoint {
    async fn replacement(&self, previous: &SignedTx) -> Result<Option<UnsignedTx>> {
        self.request().await?;
        let old = Tx::decode(&previous.bytes).ok_or_else(|| error("SIM-006", Class::Bug, "not a transaction"))?;
        let raised = (old.price * 9).div_ceil(8);
        if raised > PRICE_MAX {
            return Ok(None);
        }
        let price = raised.max(self.world.chain(self.chain).price).min(PRICE_MAX);
        self.world.happened("replacement");
        let Tx { account, nonce, messages, .. } = old;
        Ok(Some(unsigned(&Body { account: account.to_vec(), nonce, messages, price })))
    }
}
