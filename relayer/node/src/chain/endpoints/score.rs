//! What is known of one endpoint, and what follows from it: pure data, with the time as an argument.
//!
//! Times are milliseconds of one monotonic clock. Nothing here grows: an endpoint has a fixed number of numbers.

use super::limits;

/// What a request is for. Each kind has its own bound of requests in flight at an endpoint, and is scored by itself:
/// an endpoint without old states fails at proofs and serves heads all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Call {
    /// Which network it serves.
    Identity,
    /// Its head.
    Head,
    /// Light-client updates.
    Updates,
    /// Packet events.
    Events,
    /// Proofs.
    Proofs,
    /// Accounts, clients and unproven reads.
    State,
    /// Estimates and simulation.
    Estimate,
    /// Handing in a transaction.
    Broadcast,
    /// Outcomes of transactions.
    Receipt,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Head,
        Self::Updates,
        Self::Events,
        Self::Proofs,
        Self::State,
        Self::Estimate,
        Self::Broadcast,
        Self::Receipt,
    ];

    /// Its place in [`Self::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Most requests of the kind in flight at one endpoint. Heads and identities are asked for by one task a chain;
    /// the others by the paths, the attestor's peers and the senders of the chain.
    pub(super) const fn in_flight_max(self) -> usize {
        match self {
            Self::Identity | Self::Head => 2,
            Self::Updates | Self::Events | Self::Proofs | Self::Estimate => 4,
            Self::State | Self::Broadcast | Self::Receipt => 8,
        }
    }
}

/// How a request went, as far as the endpoint is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Went {
    /// Answered.
    Ok,
    /// Not answered, or with what is no answer.
    Failed,
    /// Answered with a refusal that is not the endpoint's doing.
    Refused,
}

/// Averages of one kind of request.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Track {
    /// Share of requests that were answered.
    success: f64,
    latency_ms: f64,
    deviation_ms: f64,
    samples: u32,
    at_ms: u64,
}

impl Track {
    const NEW: Self = Self { success: 1.0, latency_ms: 0.0, deviation_ms: 0.0, samples: 0, at_ms: 0 };

    /// What is left of an old impression.
    fn faded(&self, value: f64, now_ms: u64) -> f64 {
        let age_ms = now_ms.saturating_sub(self.at_ms) as f64;
        value * 0.5_f64.powf(age_ms / limits::HALF_LIFE_MS)
    }

    fn success(&self, now_ms: u64) -> f64 {
        1.0 - self.faded(1.0 - self.success, now_ms)
    }

    /// 1 for an answer at once, a half for one that takes a second.
    fn speed(&self, now_ms: u64) -> f64 {
        1_000.0 / (1_000.0 + self.faded(self.latency_ms, now_ms))
    }

    fn counted(&mut self, ok: bool, now_ms: u64) {
        let before = self.success(now_ms);
        self.success = before + limits::NEWEST * (f64::from(u8::from(ok)) - before);
        self.at_ms = now_ms;
    }

    fn took(&mut self, took_ms: u64) {
        let took = took_ms as f64;
        if self.samples == 0 {
            (self.latency_ms, self.deviation_ms) = (took, took / 2.0);
        } else {
            let off = took - self.latency_ms;
            self.latency_ms += limits::NEWEST * off;
            self.deviation_ms += limits::NEWEST * (off.abs() - self.deviation_ms);
        }
        self.samples = self.samples.saturating_add(1);
    }

    /// About the time within which 95 of 100 answers come: the mean and twice the mean deviation.
    fn usual_ms(&self) -> u64 {
        if self.samples < limits::SAMPLES_MIN {
            return limits::HEDGE_MS_DEFAULT;
        }
        whole_ms(self.latency_ms + 2.0 * self.deviation_ms).clamp(limits::HEDGE_MS_MIN, limits::HEDGE_MS_MAX)
    }
}

/// Milliseconds without a fraction; times here are far below 2^53.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole_ms(ms: f64) -> u64 {
    ms.clamp(0.0, 1e15) as u64
}

/// Whether requests go to an endpoint at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Circuit {
    /// They do.
    Closed { failures: u32 },
    /// It failed too often; nothing goes there before `until_ms`.
    Open { until_ms: u64, times: u32 },
    /// One request finds out whether it is back.
    Trial { since_ms: u64, times: u32 },
}

/// Why an endpoint is left out although it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeftOut {
    /// Stable code: that of the refusal, or of the comparison.
    pub code: &'static str,
    /// For people: what it said, and what is right.
    pub message: String,
}

/// An endpoint that was refused, and when it may be compared again.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Distrust {
    why: LeftOut,
    compare_at_ms: u64,
}

/// What may be asked of an endpoint now, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Tier {
    /// Anything.
    Serves,
    /// One request, to find out whether it is back.
    Due,
    /// Nothing, unless there is no other: it is behind.
    Behind,
    /// Nothing, unless there is no other: it does not answer.
    Down,
    /// Nothing, unless there is no other: it said what is not true.
    Distrusted,
}

/// All that is known of one endpoint.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Record {
    tracks: [Track; Call::ALL.len()],
    circuit: Circuit,
    distrust: Option<Distrust>,
    /// How often it was refused; old refusals are forgiven after a while of truth.
    refusals: u32,
    refused_at_ms: u64,
    behind: Option<LeftOut>,
    /// Its newest claim of the chain's head.
    pub(super) claimed: u64,
    /// Whether it was seen to serve the right network.
    pub(super) identified: bool,
}

impl Record {
    pub(super) const fn new() -> Self {
        Self {
            tracks: [Track::NEW; Call::ALL.len()],
            circuit: Circuit::Closed { failures: 0 },
            distrust: None,
            refusals: 0,
            refused_at_ms: 0,
            behind: None,
            claimed: 0,
            identified: false,
        }
    }

    fn track(&mut self, call: Call) -> Option<&mut Track> {
        self.tracks.get_mut(call.index())
    }

    /// A request ended.
    pub(super) fn went(&mut self, call: Call, went: Went, took_ms: u64, now_ms: u64) {
        if let Some(track) = self.track(call) {
            track.counted(went != Went::Failed, now_ms);
            if went != Went::Failed {
                track.took(took_ms);
            }
        }
        self.circuit = match (went, self.circuit) {
            (Went::Ok | Went::Refused, _) => Circuit::Closed { failures: 0 },
            (Went::Failed, Circuit::Closed { failures }) if failures + 1 < limits::FAILURES_MAX => {
                Circuit::Closed { failures: failures + 1 }
            }
            (Went::Failed, Circuit::Closed { .. }) => opened(1, now_ms),
            (Went::Failed, Circuit::Trial { times, .. }) => opened(times.saturating_add(1), now_ms),
            // Asked as a last resort: that it still fails is no news.
            (Went::Failed, open @ Circuit::Open { until_ms, .. }) if now_ms < until_ms => open,
            (Went::Failed, Circuit::Open { times, .. }) => opened(times.saturating_add(1), now_ms),
        };
    }

    /// Another endpoint was faster: the answer would have taken at least so long.
    pub(super) fn outrun(&mut self, call: Call, took_ms: u64, now_ms: u64) {
        if let Some(track) = self.track(call) {
            track.took(took_ms.saturating_mul(2));
            track.at_ms = now_ms;
        }
    }

    /// The one request of an endpoint that is due has gone out.
    pub(super) fn tried(&mut self, now_ms: u64) {
        if let Circuit::Open { until_ms, times } = self.circuit {
            if now_ms >= until_ms {
                self.circuit = Circuit::Trial { since_ms: now_ms, times };
            }
        }
    }

    /// Its bytes were refused, by a light client or for contradicting themselves.
    pub(super) fn refused(&mut self, why: LeftOut, now_ms: u64) {
        if now_ms.saturating_sub(self.refused_at_ms) > 2 * limits::REFUSED_MS_MAX {
            self.refusals = 0;
        }
        let doubled = limits::REFUSED_MS_MIN.saturating_mul(1 << self.refusals.min(16));
        let pause_ms = doubled.min(limits::REFUSED_MS_MAX);
        // A refusal while it is distrusted already was asked for as a last resort, and prolongs nothing.
        if self.distrust.is_none() {
            self.refusals = self.refusals.saturating_add(1);
            self.refused_at_ms = now_ms;
        }
        let next_ms = now_ms.saturating_add(pause_ms);
        let compare_at_ms = self.distrust.as_ref().map_or(next_ms, |old| old.compare_at_ms);
        self.distrust = Some(Distrust { why, compare_at_ms: compare_at_ms.max(now_ms.saturating_add(1)) });
    }

    /// Compared again, it is still wrong: the next comparison is later.
    pub(super) fn refused_again(&mut self, why: LeftOut, now_ms: u64) {
        self.distrust = None;
        self.refused(why, now_ms);
    }

    /// What it says is what was verified.
    pub(super) fn agreed(&mut self) {
        self.distrust = None;
    }

    /// Compares its head with the verified one.
    pub(super) fn claims(&mut self, head: u64, verified: u64, code: &'static str) {
        self.claimed = head;
        let behind = verified.saturating_sub(head);
        let message = || {
            format!(
                "its head is {head}, the verified head is {verified}: {behind} blocks behind, allowed are {}",
                limits::LAG_BLOCKS_MAX
            )
        };
        self.behind = (behind > limits::LAG_BLOCKS_MAX).then(|| LeftOut { code, message: message() });
    }

    /// Why it is left out, if it is. A message that only counts other blocks is no other reason.
    pub(super) fn left_out(&self) -> Option<&LeftOut> {
        self.distrust.as_ref().map(|distrust| &distrust.why).or(self.behind.as_ref())
    }

    pub(super) fn tier(&self, now_ms: u64) -> Tier {
        if self.distrust.is_some() {
            return Tier::Distrusted;
        }
        match self.circuit {
            Circuit::Open { until_ms, .. } if now_ms < until_ms => return Tier::Down,
            Circuit::Trial { since_ms, .. } if now_ms < since_ms.saturating_add(limits::TRIAL_MS) => return Tier::Down,
            Circuit::Open { .. } | Circuit::Trial { .. } => return Tier::Due,
            Circuit::Closed { .. } => {}
        }
        if self.behind.is_some() {
            Tier::Behind
        } else {
            Tier::Serves
        }
    }

    /// Whether a comparison may be made: always, but of an endpoint that is left out only once its pause is over.
    pub(super) fn is_comparable(&self, now_ms: u64) -> bool {
        match (&self.distrust, self.tier(now_ms)) {
            (Some(distrust), _) => now_ms >= distrust.compare_at_ms,
            (None, tier) => tier != Tier::Down,
        }
    }

    /// 0 to 1 for one kind of request: the share of requests that are answered, less what slowness costs.
    pub(super) fn score(&self, call: Call, now_ms: u64) -> f64 {
        self.tracks.get(call.index()).map_or(0.0, |track| track.success(now_ms) * track.speed(now_ms))
    }

    /// The same over all kinds, the worst of them; 0 while nothing goes there.
    pub(super) fn overall(&self, now_ms: u64) -> f64 {
        if self.tier(now_ms) != Tier::Serves {
            return 0.0;
        }
        Call::ALL.into_iter().map(|call| self.score(call, now_ms)).fold(1.0, f64::min)
    }

    /// Milliseconds after which an answer is late.
    pub(super) fn usual_ms(&self, call: Call) -> u64 {
        self.tracks.get(call.index()).map_or(limits::HEDGE_MS_DEFAULT, Track::usual_ms)
    }
}

fn opened(times: u32, now_ms: u64) -> Circuit {
    let doubled = limits::BACKOFF_MS_MIN.saturating_mul(1 << times.saturating_sub(1).min(16));
    Circuit::Open { until_ms: now_ms.saturating_add(doubled.min(limits::BACKOFF_MS_MAX)), times }
}

/// The order in which endpoints are asked: by tier, then those with room, then by score in steps of a tenth, so that
/// what the configuration prefers is not left for a millisecond, then in the order of the configuration. Endpoints
/// that are left out come only when there is no other.
pub(super) fn order(records: &[Record], busy: &[bool], call: Call, now_ms: u64) -> Vec<usize> {
    let key = |index: usize, record: &Record| {
        let tenths = whole_ms(record.score(call, now_ms) * 10.0);
        let is_busy = busy.get(index).copied().unwrap_or_default();
        (record.tier(now_ms), is_busy, 10_u64.saturating_sub(tenths), index)
    };
    let mut ranked: Vec<_> = records.iter().enumerate().map(|(index, record)| key(index, record)).collect();
    ranked.sort_unstable();
    let serving = ranked.iter().filter(|(tier, ..)| *tier <= Tier::Due).count();
    if serving > 0 {
        ranked.truncate(serving);
    }
    ranked.into_iter().map(|(.., index)| index).collect()
}

/// A token bucket: so many requests a second, and as many at once. Whoever takes beyond that is told how long to wait.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Bucket {
    per_second: f64,
    tokens: f64,
    at_ms: u64,
}

impl Bucket {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, tokens: per_second, at_ms: 0 }
    }

    fn tokens(&self, now_ms: u64) -> f64 {
        let gained = now_ms.saturating_sub(self.at_ms) as f64 / 1_000.0 * self.per_second;
        (self.tokens + gained).min(self.per_second)
    }

    /// Whether a request would go out at once.
    pub(super) fn has_room(&self, now_ms: u64) -> bool {
        self.tokens(now_ms) >= 1.0
    }

    /// Takes one, and gives the milliseconds until it may go out.
    pub(super) fn take(&mut self, now_ms: u64) -> u64 {
        self.tokens = self.tokens(now_ms) - 1.0;
        self.at_ms = now_ms.max(self.at_ms);
        if self.tokens >= 0.0 {
            return 0;
        }
        whole_ms((-self.tokens / self.per_second * 1_000.0).ceil())
    }
}

/// Second requests that may still be made: each read earns a part of one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct HedgeBudget {
    saved: f64,
}

impl HedgeBudget {
    pub(super) const fn new() -> Self {
        Self { saved: limits::HEDGES_SAVED_MAX }
    }

    pub(super) fn earn(&mut self) {
        self.saved = (self.saved + limits::HEDGE_PERCENT / 100.0).min(limits::HEDGES_SAVED_MAX);
    }

    /// Spends one, if there is one.
    pub(super) fn spend(&mut self) -> bool {
        let may = self.saved >= 1.0;
        if may {
            self.saved -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests;
