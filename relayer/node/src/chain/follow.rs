//! The follower: advances the light client to the endpoint's head, header by header.

use std::time::Duration;

use catenary_light_clients::{Class, Misbehaviour, Rejection, Status, Timestamp, Verdict};
use tokio_util::sync::CancellationToken;

use super::{Chain, HeadState, ProveError, Stop};
use crate::platform;

/// Headers fetched in one request.
const UPDATES_BATCH: u64 = 50;
/// Gap above which skipping is tried, where it is allowed.
const SKIP_GAP: u64 = 200;

/// Looks for the block after a fresh anchor before the chain counts as standing still.
const NEXT_BLOCK_LOOKS: u32 = 60;
/// Pause between them: about a block.
const NEXT_BLOCK_PAUSE: Duration = Duration::from_secs(1);

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
    /// token.
    pub async fn follow(&self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let outcome = self.follow_once().await;
            self.publish(outcome.err());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = platform::sleep(Duration::from_millis(self.options.poll_ms)) => {}
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

    /// Brings the light client to the endpoint's head once.
    ///
    /// # Errors
    /// What the endpoint or the light client refused; what was verified before stays.
    pub async fn follow_once(&self) -> Result<(), ProveError> {
        let head = self.source.head().await?;
        let mut trusted = self.status().trusted_height;
        if self.options.skipping && head.height > trusted.saturating_add(SKIP_GAP) {
            trusted = self.skip_to(head.height).await?;
        }
        while trusted < head.height {
            let to = head.height.min(trusted.saturating_add(UPDATES_BATCH));
            let updates = self.source.updates(trusted.saturating_add(1), to).await?;
            for update in updates {
                self.apply(&update)?;
            }
            let now_trusted = self.status().trusted_height;
            if now_trusted <= trusted {
                break;
            }
            trusted = now_trusted;
            self.publish(None);
        }
        Ok(())
    }

    /// Skips towards a height, halving the distance whenever the overlap of validators is too small.
    async fn skip_to(&self, target: u64) -> Result<u64, ProveError> {
        let mut aim = target;
        loop {
            let trusted = self.status().trusted_height;
            if trusted >= target || aim <= trusted.saturating_add(1) {
                return Ok(trusted);
            }
            let updates = self.source.updates(aim, aim).await?;
            let Some(update) = updates.first() else { return Ok(trusted) };
            match self.verify(update) {
                Verdict::NeedsIntermediate { .. } => aim = trusted.midpoint(aim),
                verdict => {
                    self.judge(verdict)?;
                    aim = target;
                }
            }
        }
    }

    fn apply(&self, update: &[u8]) -> Result<(), ProveError> {
        let verdict = self.verify(update);
        self.judge(verdict)
    }

    fn verify(&self, update: &[u8]) -> Verdict {
        let started = platform::monotonic();
        let verdict = self.client_mut().advance(update, platform::now());
        let took = started.elapsed();
        match &verdict {
            Verdict::Rejected(reason) | Verdict::Held(reason) => self.observer.checked("header", Err(reason), took),
            Verdict::Verified(_) => self.observer.checked("header", Ok(()), took),
            Verdict::NeedsIntermediate { .. } => {}
            Verdict::Conflict(evidence) => {
                self.observer.checked("header", Err(&conflict(evidence)), took);
                self.observer.froze(&self.status(), &|| self.client().save());
            }
            Verdict::Expired { expired_at, now } => {
                self.observer.checked("header", Err(&expired(*expired_at, *now)), took);
            }
        }
        verdict
    }

    fn judge(&self, verdict: Verdict) -> Result<(), ProveError> {
        match verdict {
            Verdict::Verified(_) => Ok(()),
            Verdict::NeedsIntermediate { reason, .. } | Verdict::Rejected(reason) => Err(reason.into()),
            Verdict::Held(reason) => Err(Rejection { code: HELD_CODE, ..reason }.into()),
            Verdict::Conflict(evidence) => Err(conflict(&evidence).into()),
            Verdict::Expired { expired_at, now } => Err(expired(expired_at, now).into()),
        }
    }

    /// Tells the other tasks where the verified head is, and why nothing is proven if so.
    fn publish(&self, failure: Option<ProveError>) {
        let status = self.status();
        if let Some(ProveError::Endpoint(error)) = &failure {
            self.observer.endpoint_failed(error.code);
        }
        let stop = self.stop_reason(&status, failure);
        let timestamp = self.client().header(status.provable_height).map_or(status.trusted_timestamp, |h| h.timestamp);
        let next = HeadState { provable_height: status.provable_height, timestamp, stop };
        self.observer.stopped(next.stop.as_ref());
        let moved = self.head.borrow().provable_height != next.provable_height;
        if moved {
            self.observer.advanced(&status, &|| self.client().save());
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
