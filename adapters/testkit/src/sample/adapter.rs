//! The sample chain's adapter, sound or with one flaw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use catenary_api::limits::{HEIGHTS_MAX, PATHS_MAX, SEARCH_HEIGHTS_MAX, SEARCH_SEQUENCES_MAX};
use catenary_api::{
    Account, Broadcast, BuildRequest, ChainSink, ChainSource, ClientClaim, Error, EventClaim, Head, Identity, Message,
    PacketEvent, PacketSearch, ProofClaim, PublicKey, Result, Search, SignedTx, SinkLimits, TxBody, TxHash, TxReceipt,
    UnsignedTx,
};
use catenary_light_clients::{Class, Hash32, Timestamp};
use serde_json::{json, Value};

use super::{ask, bytes, hash_of, packet};

/// What is wrong with an adapter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flaw {
    HeadTooHigh,
    HeadFalls,
    UpdatesChange,
    UpdatesReversed,
    ClientError,
    SkipsFirstOfRange,
    ForgetsAfterRestart,
    PartBeyondHead,
    ProofsOfNewest,
    ProofsSorted,
    PresentLies,
    CountsTooFew,
    FindsAllButOne,
    FindsTooMuch,
    NoSearchBound,
    SizeTooSmall,
    FinishesAnything,
    IncludesTwice,
    KnownIsRefused,
    BrokenIsUnknown,
    OneSignerOnly,
    NonceCounted,
    UsedIsRefused,
    StuckAfterDrop,
    NoHeightBound,
    NoPathBound,
    BoundsAfterWork,
    NoAnswerBound,
    OutageIsPermanent,
    SecretInError,
    NeverRecovers,
    LostIsRefused,
    NeverSentIsAccepted,
    NoDeadline,
}

const DEADLINE: Duration = Duration::from_millis(200);

/// An adapter to the sample chain.
pub(crate) struct SampleAdapter {
    url: String,
    endpoint: SocketAddr,
    flaw: Option<Flaw>,
    calls: AtomicU64,
    broken: AtomicBool,
    sent: AtomicU64,
    first_account: std::sync::OnceLock<PublicKey>,
}

fn error(code: &'static str, class: Class, message: &str) -> Error {
    Error { code, class, message: message.to_owned() }
}

/// Marks a call that was begun, and unmarks it when it ends.
struct Busy<'a>(&'a AtomicBool, bool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.1 {
            self.0.store(false, Ordering::Relaxed);
        }
    }
}

impl SampleAdapter {
    pub(crate) fn new(url: &str, flaw: Option<Flaw>) -> Self {
        let endpoint = url.rsplit('@').next().unwrap().parse().unwrap();
        let url = url.to_owned();
        Self {
            url,
            endpoint,
            flaw,
            calls: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            first_account: std::sync::OnceLock::new(),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    async fn call(&self, request: Value) -> Result<Value> {
        if (self.has(Flaw::NeverRecovers) || self.has(Flaw::StuckAfterDrop)) && self.broken.load(Ordering::Relaxed) {
            return Err(error("SMP-RPC-002", Class::Transient, "broken for ever"));
        }
        let mut busy = Busy(&self.broken, false);
        if self.has(Flaw::StuckAfterDrop) {
            self.broken.store(true, Ordering::Relaxed);
        }
        let deadline = match self.flaw {
            Some(Flaw::NoDeadline | Flaw::NoAnswerBound) => Duration::from_secs(3_600),
            _ => DEADLINE,
        };
        let whole = self.has(Flaw::NoAnswerBound);
        let answer = tokio::time::timeout(deadline, ask(self.endpoint, &request, whole)).await;
        busy.1 = self.has(Flaw::StuckAfterDrop);
        answer.ok().and_then(std::result::Result::ok).ok_or_else(|| {
            self.broken.store(true, Ordering::Relaxed);
            let class = if self.has(Flaw::OutageIsPermanent) { Class::Permanent } else { Class::Transient };
            let place = if self.has(Flaw::SecretInError) { self.url.clone() } else { self.endpoint.to_string() };
            error("SMP-RPC-001", class, &format!("no answer from {place}"))
        })
    }

    async fn number(&self, request: Value) -> Result<u64> {
        let answer = self.call(request).await?;
        answer.as_u64().ok_or_else(|| error("SMP-RPC-003", Class::Transient, "the answer is no number"))
    }

    async fn range(&self, from: u64, to: u64) -> Result<()> {
        if self.has(Flaw::BoundsAfterWork) {
            self.head().await?;
        }
        let too_many = to.checked_sub(from).is_none_or(|more| more >= HEIGHTS_MAX);
        if too_many && !self.has(Flaw::NoHeightBound) {
            return Err(error("SMP-BND-001", Class::Permanent, "no such range"));
        }
        Ok(())
    }

    fn paths(&self, paths: &[Vec<u8>]) -> Result<()> {
        if paths.len() > PATHS_MAX && !self.has(Flaw::NoPathBound) {
            return Err(error("SMP-BND-002", Class::Permanent, "too many paths"));
        }
        Ok(())
    }

    async fn values(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut values = Vec::new();
        for path in paths {
            let answer = self.call(json!({ "call": "value", "height": height, "path": path })).await?;
            values.push((!answer.is_null()).then(|| bytes(&answer)));
        }
        Ok(values)
    }
}

#[async_trait]
impl ChainSource for SampleAdapter {
    async fn identity(&self) -> Result<Identity> {
        self.number(json!({ "call": "head" })).await?;
        Ok(Identity { chain_id: "sample".to_owned(), genesis_hash: None })
    }

    async fn head(&self) -> Result<Head> {
        let mut height = self.number(json!({ "call": "head" })).await?;
        match self.flaw {
            Some(Flaw::HeadTooHigh) => height += 3,
            // Each adapter begins at a higher one than the next: it shows over restarts.
            Some(Flaw::HeadFalls) => height = 1_000 - height,
            _ => {}
        }
        Ok(Head { height, timestamp: Timestamp::from_seconds(height) })
    }

    async fn updates(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>> {
        self.range(from, to).await?;
        let head = self.number(json!({ "call": "head" })).await?;
        if to > head {
            return Err(error("SMP-HGT-001", Class::Transient, "not there yet"));
        }
        let salt = if self.has(Flaw::UpdatesChange) { head } else { 0 };
        let mut updates: Vec<Vec<u8>> =
            (from..=to.min(from + 200)).map(|h| (h + salt).to_be_bytes().to_vec()).collect();
        if self.has(Flaw::UpdatesReversed) {
            updates.reverse();
        }
        Ok(updates)
    }

    async fn events(&self, from: u64, to: u64) -> Result<Vec<EventClaim>> {
        self.range(from, to).await?;
        let head = self.number(json!({ "call": "head" })).await?;
        if to > head && !self.has(Flaw::PartBeyondHead) {
            return Err(error("SMP-HGT-002", Class::Transient, "not there yet"));
        }
        let blocks = self.call(json!({ "call": "packets", "from": from, "to": to })).await?;
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let mut claims = Vec::new();
        for (height, block) in (from..).zip(blocks.as_array().into_iter().flatten()) {
            // Flaws of a cursor: the first block of a longer range, or what the first call of an adapter would see.
            let skipped = self.has(Flaw::SkipsFirstOfRange) && height == from && to > from;
            let forgotten = self.has(Flaw::ForgetsAfterRestart) && calls == 0 && height == to;
            for sequence in block.as_array().into_iter().flatten().filter(|_| !skipped && !forgotten) {
                let event = PacketEvent::Sent(packet(sequence.as_u64().unwrap()));
                claims.push(EventClaim { height, tx: TxHash(Hash32([0; 32])), event });
            }
        }
        Ok(claims)
    }

    async fn proofs(&self, height: u64, paths: &[Vec<u8>]) -> Result<Vec<ProofClaim>> {
        self.paths(paths)?;
        let head = self.number(json!({ "call": "head" })).await?;
        if height > head {
            return Err(error("SMP-HGT-003", Class::Transient, "not there yet"));
        }
        let height = if self.has(Flaw::ProofsOfNewest) { head } else { height };
        let mut paths = paths.to_vec();
        if self.has(Flaw::ProofsSorted) {
            paths.sort();
        }
        let values = self.values(height, &paths).await?;
        Ok(values.into_iter().map(|value| ProofClaim { value, proof: Vec::new() }).collect())
    }

    async fn present(&self, paths: &[Vec<u8>]) -> Result<Vec<bool>> {
        self.paths(paths)?;
        if self.has(Flaw::PresentLies) {
            return Ok(vec![true; paths.len()]);
        }
        let head = self.number(json!({ "call": "head" })).await?;
        Ok(self.values(head, paths).await?.iter().map(Option::is_some).collect())
    }

    async fn client(&self, _client_id: &str) -> Result<Option<ClientClaim>> {
        self.number(json!({ "call": "head" })).await?;
        if self.has(Flaw::ClientError) {
            return Err(error("SMP-CLI-001", Class::Permanent, "no such client"));
        }
        Ok(None)
    }

    fn search(&self) -> Option<&dyn PacketSearch> {
        Some(self)
    }
}

#[async_trait]
impl PacketSearch for SampleAdapter {
    async fn last_sequence(&self, client_id: &str) -> Result<Option<u64>> {
        let head = self.number(json!({ "call": "head" })).await?;
        let blocks = self.call(json!({ "call": "packets", "from": 1, "to": head })).await?;
        let all = blocks.as_array().into_iter().flatten().flat_map(|block| block.as_array().into_iter().flatten());
        let last = all.filter_map(Value::as_u64).max().unwrap_or_default();
        let last = if client_id == packet(1).source_client { last } else { 0 };
        Ok(Some(if self.has(Flaw::CountsTooFew) { last.saturating_sub(1) } else { last }))
    }

    async fn find(&self, search: &Search<'_>) -> Result<Vec<EventClaim>> {
        let blocks = search.to.checked_sub(search.from).map_or(0, |more| more.saturating_add(1));
        let inside = (1..=SEARCH_HEIGHTS_MAX).contains(&blocks) && search.sequences.len() <= SEARCH_SEQUENCES_MAX;
        if !inside && !self.has(Flaw::NoSearchBound) {
            return Err(error("SMP-BND-003", Class::Permanent, "searched too wide"));
        }
        let head = self.number(json!({ "call": "head" })).await?;
        if search.to > head && !self.has(Flaw::NoSearchBound) {
            return Err(error("SMP-HGT-004", Class::Transient, "not there yet"));
        }
        let (from, to) = (search.from, search.to);
        let blocks = self.call(json!({ "call": "packets", "from": from, "to": to })).await?;
        let mut claims = Vec::new();
        for (height, block) in (from..).zip(blocks.as_array().into_iter().flatten()) {
            for sequence in block.as_array().into_iter().flatten().filter_map(Value::as_u64) {
                let event = PacketEvent::Sent(packet(sequence));
                claims.push(EventClaim { height, tx: TxHash(Hash32([0; 32])), event });
            }
        }
        if !self.has(Flaw::FindsTooMuch) {
            claims.retain(|claim| search.wants(claim));
        }
        if self.has(Flaw::FindsAllButOne) {
            claims.pop();
        }
        Ok(claims)
    }
}

#[async_trait]
impl ChainSink for SampleAdapter {
    async fn account(&self, key: &PublicKey) -> Result<Account> {
        let mut nonce = self.number(json!({ "call": "nonce", "account": key.0.to_vec() })).await?;
        if self.has(Flaw::NonceCounted) {
            nonce = self.sent.load(Ordering::Relaxed);
        }
        Ok(Account { address: self.address(key)?, number: 0, nonce, balance: "1".to_owned() })
    }

    fn address(&self, key: &PublicKey) -> Result<String> {
        Ok(format!("{:?}", key.0))
    }

    async fn build(&self, request: BuildRequest<'_>) -> Result<UnsignedTx> {
        let TxBody::Call(calls) = request.body else { panic!("the sample carries calls only") };
        if self.has(Flaw::OneSignerOnly) && self.first_account.get_or_init(|| *request.public_key) != request.public_key
        {
            return Err(error("SMP-TXN-003", Class::Permanent, "one account only"));
        }
        let payload = [&request.public_key.0[..], &request.nonce.to_be_bytes(), &calls[0].data].concat();
        let size_bytes = if self.has(Flaw::SizeTooSmall) { 50 } else { payload.len() + 65 };
        let digest = Hash32(hash_of(&payload));
        Ok(UnsignedTx { digest, payload, nonce: request.nonce, gas_limit: 1, size_bytes })
    }

    fn finish(&self, unsigned: &UnsignedTx, signature: &[u8; 65]) -> Result<SignedTx> {
        let sound = hash_of(&unsigned.payload) == unsigned.digest.0 && signature[64] < 2;
        if !sound && !self.has(Flaw::FinishesAnything) {
            return Err(error("SMP-TXN-001", Class::Bug, "not what was built"));
        }
        let bytes = [&unsigned.payload[..], signature].concat();
        Ok(SignedTx { hash: TxHash(Hash32(hash_of(&bytes))), bytes })
    }

    async fn broadcast(&self, tx: &SignedTx) -> Broadcast {
        let no = || error("SMP-TXN-002", Class::Permanent, "the chain does not take it");
        match self.call(json!({ "call": "send", "tx": tx.bytes })).await {
            Ok(answer) => match answer.as_str().unwrap_or_default() {
                "known" if self.has(Flaw::KnownIsRefused) => Broadcast::Refused(no()),
                "accepted" | "known" => {
                    self.sent.fetch_add(1, Ordering::Relaxed);
                    Broadcast::Accepted
                }
                "nonce" if self.has(Flaw::UsedIsRefused) => Broadcast::Refused(no()),
                "nonce" => Broadcast::NonceMismatch(no()),
                _ if self.has(Flaw::BrokenIsUnknown) => Broadcast::Unknown(no()),
                _ => Broadcast::Refused(no()),
            },
            Err(error) if self.has(Flaw::LostIsRefused) => Broadcast::Refused(error),
            Err(_) if self.has(Flaw::NeverSentIsAccepted) => Broadcast::Accepted,
            Err(error) => Broadcast::Unknown(error),
        }
    }

    async fn receipt(&self, hash: &TxHash) -> Result<Option<TxReceipt>> {
        let place = self.call(json!({ "call": "place", "hash": hash.0 .0.to_vec() })).await?;
        Ok(place.as_u64().map(|height| TxReceipt {
            height,
            success: true,
            gas_used: 1,
            fee: "1".to_owned(),
            error: None,
            created: None,
            output: None,
        }))
    }

    fn size_bytes(&self, _message: &Message) -> usize {
        0
    }

    fn limits(&self) -> SinkLimits {
        SinkLimits { tx_bytes_max: 1_000, gas_max: 10, messages_max: 1 }
    }
}
