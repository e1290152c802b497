//! The follower: advances the light client to the head of its endpoints, header by header.

use std::time::Duration;

use catenary_core::record::MisbehaviourSeen;
use catenary_light_clients::{Class, Misbehaviour, Rejection, Status, Timestamp, Verdict};
use tokio_util::sync::CancellationToken;

use super::evidence::Evidence;
use super::{Chain, HeadState, ProveError, Stop};
use crate::failpoint::failpoint;
use crate::platform;

/// Headers fetched in one request.
const UPDATES_BATCH: u64 = 50;
/// Gap above which skipping is tried, where it is allowed.
const SKIP_GAP: u64 = 200;

/// Most milliseconds that pass between a round and the next, however many hints come.
const ROUND_MS_MIN: u64 = 100;

/// Looks for the block after a fresh anchor before the chain counts as standing still.
const NEXT_BLOCK_LOOKS: u32 = 60;
/// Pause between them: about a block.
const NEXT_BLOCK_PAUSE: Duration = Duration::from_secs(1);

/// Looks at the head whose time passes between two tries to connect: about two seconds.
const CONNECT_LOOKS: u64 = 5;

/// A verified head that does not move for this long is stale.
const STALE_CODE: &str = "NODE-CHN-001";
/// Trust has ended.
const EXPIRED_CODE: &str = "NODE-CHN-002";
/// The light client is frozen by a conflict.
const FROZEN_CODE: &str = "NODE-CHN-003";
/// A validator-set change waits for a person.
const HELD_CODE: &str = "NODE-CHN-004";

impl Chain {
    /// Follows the chain until cancelled. Failures are reported and tried again; nothing ends this task but the
    /// token. What was verified stays: a request that is under way is dropped.
    pub async fn follow(&self, stop: CancellationToken) {
        let following = async { tokio::join!(self.follow_on(), self.compare_on()) };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = following => {}
        }
    }

    async fn follow_on(&self) {
        loop {
            // Until it is connected, the reason is published by `admit`.
            if self.admit().await.is_err() {
                self.observer.turned();
                platform::sleep(Duration::from_millis(self.options.poll_ms.saturating_mul(CONNECT_LOOKS))).await;
                continue;
            }
            let began = platform::monotonic();
            let outcome = self.follow_once().await;
            if let Some(pace) = &self.pace {
                let mut pace = pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                pace.looked(began, self.status().trusted_height, self.options.poll_ms);
            }
            self.publish(outcome.err());
            self.observer.turned();
            // Whoever sends hints without a pause is not followed without one.
            platform::sleep(Duration::from_millis((self.options.poll_ms / 4).min(ROUND_MS_MIN))).await;
            tokio::select! {
                biased;
                () = self.wake.notified() => {}
                () = platform::sleep(self.look_period()) => {}
            }
        }
    }

    /// Brings the light client to the endpoint's head and publishes it: for tools that follow no chain all the time.
    /// A CometBFT header proves the state before it, so a fresh anchor that is the head proves nothing until the next
    /// block: that one is waited for, a bounded time.
    ///
    /// # Errors
    /// What the endpoint or the light client refused.
    pub async fn refresh(&self) -> Result<(), ProveError> {
        for _ in 0..NEXT_BLOCK_LOOKS {
            let outcome = self.follow_once().await;
            self.publish(outcome.as_ref().err().cloned());
            outcome?;
            if self.status().provable_height > 0 {
                break;
            }
            platform::sleep(NEXT_BLOCK_PAUSE).await;
        }
        Ok(())
    }

    /// Brings the light client to the head once: to that of the best endpoint, and of the next where that one's head
    /// does not verify. One endpoint is followed at a time, so that what is refused has a name.
    ///
    /// # Errors
    /// What the endpoints or the light client refused, when no endpoint could be followed; what was verified before
    /// stays.
    pub async fn follow_once(&self) -> Result<(), ProveError> {
        if self.is_frozen() {
            let reason = format!("{FROZEN_CODE}: it has misbehaved");
            return Err(ProveError::Stopped { chain: self.options.name.clone(), reason });
        }
        let mut but = Vec::new();
        let mut failure: Option<ProveError> = None;
        loop {
            let head = match self.endpoints.head_told(&but).await {
                Ok(head) => head,
                Err(error) => return Err(failure.unwrap_or_else(|| error.into())),
            };
            self.endpoints.claimed(head.by, head.answer.height, self.status().trusted_height);
            match self.follow_told(head.by, head.answer.height).await {
                Ok(()) => break,
                Err(error) if self.status().frozen => return Err(error),
                Err(error) => {
                    but.push(head.by);
                    // What a light client refused says more than that somebody did not answer.
                    let keeps = matches!(
                        (&failure, &error),
                        (Some(ProveError::Refused(_)), _) | (Some(_), ProveError::Endpoint(_))
                    );
                    if !keeps {
                        failure = Some(error);
                    }
                }
            }
        }
        self.catch_up().await
    }

    /// Follows an endpoint that claims a higher head than the one that was followed. The best endpoint may stand still;
    /// whoever only claims a height is found out by its headers, and harms nobody.
    async fn catch_up(&self) -> Result<(), ProveError> {
        let trusted = self.status().trusted_height;
        let Some((at, height)) = self.endpoints.ahead_of(trusted) else { return Ok(()) };
        match self.follow_told(at, height).await {
            Ok(()) => Ok(()),
            Err(error) if self.status().frozen => Err(error),
            Err(_) => {
                self.endpoints.forget_claim(at);
                Ok(())
            }
        }
    }

    /// Advances the light client to the head of one endpoint, by its headers alone.
    async fn follow_told(&self, by: usize, head: u64) -> Result<(), ProveError> {
        let mut trusted = self.status().trusted_height;
        if self.options.skipping && head > trusted.saturating_add(SKIP_GAP) {
            trusted = self.skip_to(by, head).await?;
        }
        while trusted < head {
            let to = head.min(trusted.saturating_add(UPDATES_BATCH));
            let updates = self.endpoints.updates_of(by, trusted.saturating_add(1), to).await?;
            for update in updates {
                let verdict = self.verify(&update);
                self.judge(by, verdict)?;
            }
            let now_trusted = self.status().trusted_height;
            if now_trusted <= trusted {
                break;
            }
            trusted = now_trusted;
            self.endpoints.agreed(by);
            self.keep();
        }
        Ok(())
    }

    /// Skips towards a height, halving the distance whenever the overlap of validators is too small.
    async fn skip_to(&self, by: usize, target: u64) -> Result<u64, ProveError> {
        let mut aim = target;
        loop {
            let trusted = self.status().trusted_height;
            if trusted >= target || aim <= trusted.saturating_add(1) {
                return Ok(trusted);
            }
            let updates = self.endpoints.updates_of(by, aim, aim).await?;
            let Some(update) = updates.first() else { return Ok(trusted) };
            match self.verify(update) {
                Some(Verdict::NeedsIntermediate { .. }) => aim = trusted.midpoint(aim),
                verdict => {
                    self.judge(by, verdict)?;
                    aim = target;
                }
            }
        }
    }

    /// The light client's verdict; `None` while there is no light client.
    pub(super) fn verify(&self, update: &[u8]) -> Option<Verdict> {
        let started = platform::monotonic();
        let verdict = self.client_mut().as_mut()?.advance(update, platform::now());
        let took = started.elapsed();
        match &verdict {
            Verdict::Rejected(reason) | Verdict::Held(reason) => self.observer.checked("header", Err(reason), took),
            Verdict::Verified(_) => self.observer.checked("header", Ok(()), took),
            Verdict::NeedsIntermediate { .. } => {}
            Verdict::Conflict(evidence) => {
                let seen = self.misbehaviour(evidence, update);
                let kept = Evidence::journaled(&seen);
                failpoint("misbehaviour.seen");
                self.observer.misbehaved(seen);
                failpoint("misbehaviour.journaled");
                self.keep_evidence(&kept);
                self.observer.checked("header", Err(&conflict(evidence)), took);
                self.observer.froze(&self.status(), &|| self.saved());
            }
            Verdict::Expired { expired_at, now } => {
                self.observer.checked("header", Err(&expired(*expired_at, *now)), took);
            }
        }
        Some(verdict)
    }

    fn misbehaviour(&self, found: &Misbehaviour, update: &[u8]) -> MisbehaviourSeen {
        MisbehaviourSeen {
            chain: self.options.name.clone(),
            instance: self.instance.digest(),
            height: found.height,
            trusted: found.first,
            other: found.second,
            code: found.code.to_owned(),
            update: update.to_vec(),
            at_seconds: platform::now().seconds(),
        }
    }

    /// Keeps a contradiction for people and for on-chain clients.
    pub fn keep_evidence(&self, evidence: &Evidence) {
        let Some(folder) = self.evidence.get() else { return };
        let (chain, code) = (&self.options.name, evidence.code.as_str());
        match evidence.keep(folder) {
            Ok(Some(file)) => tracing::error!(chain, code, "misbehaviour: the evidence is in {}", file.display()),
            Ok(None) => tracing::error!(chain, code, "misbehaviour: {} is full, nothing is kept", folder.display()),
            Err(error) => tracing::error!(chain, code, "misbehaviour: the evidence is not kept: {error}"),
        }
    }

    /// The outcome of an update that is asked for again, whoever gave it.
    pub(super) fn repeated(&self, update: &[u8]) -> Result<(), ProveError> {
        match self.verify(update) {
            None => Err(ProveError::AboveHead { height: 0, head: 0 }),
            Some(Verdict::Verified(_)) => Ok(()),
            Some(Verdict::NeedsIntermediate { reason, .. } | Verdict::Rejected(reason) | Verdict::Held(reason)) => {
                Err(reason.into())
            }
            Some(Verdict::Conflict(evidence)) => Err(conflict(&evidence).into()),
            Some(Verdict::Expired { expired_at, now }) => Err(expired(expired_at, now).into()),
        }
    }

    fn judge(&self, by: usize, verdict: Option<Verdict>) -> Result<(), ProveError> {
        let Some(verdict) = verdict else { return Ok(()) };
        match verdict {
            Verdict::Verified(_) => Ok(()),
            Verdict::Rejected(reason) => {
                if self.is_to_blame(&reason) {
                    self.endpoints.refused(by, reason.code, &reason.message);
                }
                Err(reason.into())
            }
            Verdict::NeedsIntermediate { reason, .. } => Err(reason.into()),
            Verdict::Held(reason) => Err(Rejection { code: HELD_CODE, ..reason }.into()),
            Verdict::Conflict(evidence) => Err(conflict(&evidence).into()),
            Verdict::Expired { expired_at, now } => Err(expired(expired_at, now).into()),
        }
    }

    /// Keeps how far a long way to the head has come. Other tasks hear of the head alone: by the time of a block on the
    /// way a packet would have longer until its deadline than it has.
    fn keep(&self) {
        let status = self.status();
        if self.head.borrow().provable_height != status.provable_height {
            self.observer.advanced(&status, &|| self.saved());
        }
    }

    /// Tells the other tasks where the verified head is, and why nothing is proven if so.
    fn publish(&self, failure: Option<ProveError>) {
        let status = self.status();
        if let Some(ProveError::Endpoint(error)) = &failure {
            self.observer.endpoint_failed(error.code);
        }
        let stop = self.stop_reason(&status, failure);
        let header = self.client().as_ref().and_then(|client| client.header(status.provable_height));
        let timestamp = header.map_or(status.trusted_timestamp, |header| header.timestamp);
        let next = HeadState { provable_height: status.provable_height, timestamp, stop };
        self.observer.stopped(next.stop.as_ref());
        let moved = self.head.borrow().provable_height != next.provable_height;
        if moved {
            self.observer.advanced(&status, &|| self.saved());
        }
        self.head.send_if_modified(|head| {
            let changed = *head != next;
            *head = next;
            changed
        });
    }

    /// An endpoint that fails for a moment does not stop a chain: what is verified stays verified until it is stale.
    fn stop_reason(&self, status: &Status, failure: Option<ProveError>) -> Option<Stop> {
        let now = platform::now();
        if status.frozen {
            let message = "the light client saw two valid headers for one height; nothing is proven until a person \
                           has looked and set a new anchor (client anchor set)"
                .to_owned();
            return Some(Stop { code: FROZEN_CODE, message });
        }
        if now >= status.expires_at {
            let rejection = expired(status.expires_at, now);
            return Some(Stop { code: rejection.code, message: rejection.message });
        }
        match failure {
            // A refusal means that the endpoint served what is not this chain, so nothing from it is used. Plain
            // failures to answer show as staleness once they last.
            Some(ProveError::Refused(rejection)) => {
                return Some(Stop { code: rejection.code, message: rejection.message });
            }
            Some(error) if error.class() == Class::Misbehaviour => {
                return Some(Stop { code: error.code(), message: error.to_string() });
            }
            _ => {}
        }
        let age = now.seconds().saturating_sub(status.trusted_timestamp.seconds());
        (age > self.options.stale_after_seconds).then(|| Stop {
            code: STALE_CODE,
            message: format!(
                "the verified head {} is {age} s old, allowed are {} s; the endpoint withholds blocks or the chain has \
                 stopped: compare with another endpoint",
                status.trusted_height, self.options.stale_after_seconds
            ),
        })
    }
}

fn conflict(evidence: &Misbehaviour) -> Rejection {
    Rejection {
        code: evidence.code,
        class: Class::Misbehaviour,
        message: format!(
            "two valid headers at height {}: {} and {}; the path is frozen until a person has looked",
            evidence.height, evidence.first, evidence.second
        ),
    }
}

fn expired(expired_at: Timestamp, now: Timestamp) -> Rejection {
    Rejection {
        code: EXPIRED_CODE,
        class: Class::Config,
        message: format!(
            "trust ended at {expired_at}, it is {now}; check the chain by other means and run \
             `catenary client anchor set CHAIN HEIGHT HASH --reason`"
        ),
    }
}
