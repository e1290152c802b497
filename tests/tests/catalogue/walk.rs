//! The node's way through a chain, from the identity of its endpoint to the receipt of a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use catenary_adapter_testkit::TestKey;
use catenary_api::{Broadcast, BuildRequest, EventClaim, PacketEvent, SignedTx, TxBody, TxHash};
use catenary_devnet::fault::Lies;
use catenary_devnet::wire::Endpoint;
use catenary_light_clients::{Hash32, LightClient, Rejection, Verdict};
use catenary_node::chain::endpoints::Unobserved;
use catenary_node::chain::{Adapter, Chain, ChainOptions, Prover};
use catenary_node::platform;
use catenary_protocol::Packet;
use serde_json::Value;

/// What a walk led to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// What was verified and taken: headers, proven packets and acknowledgements, proven ends.
    pub facts: BTreeSet<String>,
    /// What was only said, by name.
    pub hints: BTreeMap<&'static str, String>,
    /// Where the walk was refused, and with which code.
    pub refused: Option<Refusal>,
}

/// A step and a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    pub step: &'static str,
    pub code: String,
}

/// A chain under the catalogue.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// An endpoint with lies of its own.
    async fn endpoint(&self, lies: Lies) -> Endpoint;
    /// The unchanged adapter, through an endpoint.
    fn open(&self, url: &str) -> Adapter;
    /// A light client with the anchor of the script, from an update for its height.
    ///
    /// # Errors
    /// Its refusal.
    fn light_client(&self, update: &[u8]) -> Result<Box<dyn LightClient>, Rejection>;
    /// What is walked.
    fn script(&self) -> &Script;
    /// Whether a field is read although a row with a wider pattern says of its neighbours that they are not.
    fn is_read(&self, _field: &str) -> bool {
        false
    }
    /// What a call is for, in the words of the table.
    fn role(&self, method: &str, params: &Value) -> String;
}

/// What is walked.
pub struct Script {
    /// Chain id, as configured.
    pub chain_id: String,
    /// Height of the anchor; the next block is there as well.
    pub anchor: u64,
    /// The on-chain clients of the path, ours first.
    pub clients: [&'static str; 2],
    /// Who sends.
    pub key: TestKey,
    /// What is built and sent.
    pub body: TxBody,
    /// A transaction of the history.
    pub included: SignedTx,
    /// A packet that was sent and has not ended.
    pub open: Packet,
    /// Whether the counterparty is proven to have sent exactly this packet; else the code.
    pub sent_there: SentThere,
}

/// The counterparty's answer: nothing, or the code of its refusal.
pub type SentThere = Box<dyn Fn(&Packet) -> Result<(), &'static str> + Send + Sync>;

/// The node's chain around an adapter and a light client.
pub fn chain(adapter: Adapter, client: Box<dyn LightClient>) -> Chain {
    let options = ChainOptions {
        name: "catalogue".to_owned(),
        poll_ms: 1,
        stale_after_seconds: 86_400,
        wait_above_head_ms: 1,
        skipping: false,
    };
    Chain::new(options, adapter, client, Arc::new(Unobserved))
}

/// The code of a verdict that is no success.
pub fn code_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified(_) => "verified",
        Verdict::NeedsIntermediate { reason, .. } | Verdict::Rejected(reason) | Verdict::Held(reason) => reason.code,
        Verdict::Expired { .. } => "NODE-CHN-002",
        Verdict::Conflict(evidence) => evidence.code,
    }
}

type Step = Result<(), Refusal>;

fn refuse<T>(step: &'static str, code: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { step, code: code.into() })
}

fn at(step: &'static str) -> impl Fn(catenary_api::Error) -> Refusal {
    move |error| Refusal { step, code: error.code.to_owned() }
}

/// Walks once. What was verified before a refusal is in the outcome.
pub async fn walk(subject: &dyn Subject, url: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let adapter = subject.open(url);
    outcome.refused = steps(subject, &adapter, &mut outcome).await.err();
    outcome
}

async fn steps(subject: &dyn Subject, adapter: &Adapter, outcome: &mut Outcome) -> Step {
    let script = subject.script();
    let identity = adapter.source.identity().await.map_err(at("identity"))?;
    if identity.chain_id != script.chain_id {
        // The code of the node's own comparison at its start (`check_chain_id`).
        return refuse("identity", "NODE-WIR-005");
    }
    outcome.hints.insert("identity", format!("{:?}", identity.genesis_hash));
    let head = adapter.source.head().await.map_err(at("head"))?;
    outcome.hints.insert("head", format!("{head:?}"));
    let client = anchored(subject, adapter).await?;
    let chain = chain(adapter.clone(), client);
    chain.refresh().await.or_else(|error| refuse("follow", error.code()))?;
    let provable = chain.status().provable_height;
    for height in script.anchor..=provable {
        if let Ok(header) = chain.state(height).await {
            outcome.facts.insert(format!("header {:?}", *header));
        }
    }
    scan(script, &chain, provable, outcome).await?;
    let unreceived = chain.receipt_absences(provable, std::slice::from_ref(&script.open)).await;
    for fact in unreceived.or_else(|error| refuse("absence", error.code()))? {
        let fact = fact.or_else(|error| refuse("absence", error.code()))?;
        outcome.facts.insert(format!("absent {}", hex::encode(&fact.path)));
    }
    let paths = [script.open.commitment_path(), script.open.receipt_path()].map(|path| path.into_bytes());
    let present = adapter.source.present(&paths).await.map_err(at("present"))?;
    outcome.hints.insert("present", format!("{present:?}"));
    let claim = adapter.source.client(script.clients[0]).await.map_err(at("client"))?;
    outcome.hints.insert("client", format!("{claim:?}"));
    let none = adapter.source.client("nobody-77").await.map_err(at("no client"))?;
    outcome.hints.insert("no client", format!("{none:?}"));
    transact(script, adapter, outcome).await
}

/// The light client at its anchor, one block on, so that there is something to prove from.
async fn anchored(subject: &dyn Subject, adapter: &Adapter) -> Result<Box<dyn LightClient>, Refusal> {
    let anchor = subject.script().anchor;
    let first = adapter.source.updates(anchor, anchor).await.map_err(at("anchor"))?;
    let mut client = subject.light_client(&first[0]).or_else(|refusal| refuse("anchor", refusal.code))?;
    let next = adapter.source.updates(anchor + 1, anchor + 1).await.map_err(at("update"))?;
    match client.advance(&next[0], platform::now()) {
        Verdict::Verified(_) => Ok(client),
        other => refuse("update", code_of(&other)),
    }
}

fn is_ours(script: &Script, event: &PacketEvent) -> bool {
    let [here, there] = script.clients;
    let packet = event.packet();
    let (source, destination) = match event {
        PacketEvent::WroteAck { .. } => (there, here),
        _ => (here, there),
    };
    packet.source_client == source && packet.destination_client == destination
}

/// The events of the verified blocks, each proven before it is taken: the screening of the node, and what its engine
/// proves before it acts on an acknowledgement or an end.
async fn scan(script: &Script, chain: &Chain, to: u64, outcome: &mut Outcome) -> Step {
    let from = script.anchor + 1;
    let claims = chain.source().events(from, to).await.map_err(at("events"))?;
    let mut places = Vec::new();
    for claim in claims.into_iter().filter(|claim| is_ours(script, &claim.event)) {
        if !(from..=to).contains(&claim.height) {
            return refuse("screen", "NODE-SCN-001");
        }
        if claim.event.packet().validate().is_err() {
            continue;
        }
        let fact = proven(script, chain, &claim, to).await?;
        places.push(format!("{fact:.40} at {} in {}", claim.height, claim.tx));
        outcome.facts.insert(fact);
    }
    outcome.hints.insert("places", places.join("; "));
    Ok(())
}

async fn proven(script: &Script, chain: &Chain, claim: &EventClaim, head: u64) -> Result<String, Refusal> {
    let packet = claim.event.packet();
    let packets = std::slice::from_ref(packet);
    let name = format!("{} {}", packet.source_client, packet.sequence);
    match &claim.event {
        PacketEvent::Sent(_) => {
            let facts = chain.packets(claim.height, packets).await;
            for fact in facts.or_else(|error| refuse("sent", error.code()))? {
                fact.or_else(|error| refuse("sent", error.code()))?;
            }
            Ok(format!("sent {name}: {packet:?}"))
        }
        PacketEvent::WroteAck { acknowledgement, .. } => {
            acknowledgement.validate().or_else(|error| refuse("acked", error.code()))?;
            let facts = chain.acks(claim.height, packets).await;
            for fact in facts.or_else(|error| refuse("acked", error.code()))? {
                let fact = fact.or_else(|error| refuse("acked", error.code()))?;
                if Hash32::from_slice(&fact.value) != Some(acknowledgement.commitment()) {
                    return refuse("acked", "PR-VER-002");
                }
            }
            (script.sent_there)(packet).or_else(|code| refuse("acked packet", code))?;
            Ok(format!("acknowledged {name}: {packet:?} {acknowledgement:?}"))
        }
        PacketEvent::Acknowledged(_) | PacketEvent::TimedOut(_) => {
            let facts = chain.commitment_absences(head, packets).await;
            for fact in facts.or_else(|error| refuse("ended", error.code()))? {
                fact.or_else(|error| refuse("ended", error.code()))?;
            }
            // The engine takes the sequence alone, as a reason to prove how the packet ended.
            Ok(format!("ended {name}"))
        }
    }
}

fn said(broadcast: &Broadcast) -> String {
    match broadcast {
        Broadcast::Accepted => "accepted".to_owned(),
        Broadcast::Redundant => "redundant".to_owned(),
        Broadcast::Refused(error) => format!("refused {}", error.code),
        Broadcast::NonceMismatch(error) => format!("nonce {}", error.code),
        Broadcast::Unknown(error) => format!("unknown {}", error.code),
    }
}

/// Account, estimate, broadcasts and receipts.
async fn transact(script: &Script, adapter: &Adapter, outcome: &mut Outcome) -> Step {
    let public_key = script.key.public_key();
    let account = adapter.sink.account(&public_key).await.map_err(at("account"))?;
    outcome.hints.insert("account", format!("{account:?}"));
    let request = BuildRequest { body: &script.body, public_key: &public_key, account: &account, nonce: account.nonce };
    let unsigned = adapter.sink.build(request).await.map_err(at("build"))?;
    assert!(unsigned.gas_limit <= adapter.sink.limits().gas_max, "an estimate moved the gas beyond its bound");
    outcome.hints.insert("build", format!("gas {} nonce {}", unsigned.gas_limit, unsigned.nonce));
    let signature = script.key.sign(&unsigned.digest.0).unwrap();
    let signed = adapter.sink.finish(&unsigned, &signature).map_err(at("finish"))?;
    outcome.hints.insert("broadcast", said(&adapter.sink.broadcast(&signed).await));
    outcome.hints.insert("again", said(&adapter.sink.broadcast(&script.included).await));
    let receipt = adapter.sink.receipt(&script.included.hash).await.map_err(at("receipt"))?;
    outcome.hints.insert("receipt", format!("{receipt:?}"));
    let none = adapter.sink.receipt(&TxHash(Hash32([7; 32]))).await.map_err(at("no receipt"))?;
    outcome.hints.insert("no receipt", format!("{none:?}"));
    Ok(())
}
