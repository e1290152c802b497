//! From a height that an on-chain client knows to one that it shall know, in as few headers as it will accept.
//!
//! The client's judgement is made here first, by a light client that starts from what the on-chain client knows: one
//! header when more than a third of the trusted power signed it, else one between, and so on. So no fee is spent on a
//! header that the chain would refuse. Pure: headers come in as bytes, and time as an argument.
//!
//! # What an attacker can grow
//! At most [`UPDATES_MAX`] headers are kept and [`ASKED_MAX`] looked at, each bounded by the light client.

use catenary_api::{ClientMessage, NativeClaim};
use catenary_light_clients::cometbft::{self, CometBft};
use catenary_light_clients::{Anchor, Class, LightClient, Rejection, Timestamp, TrustOptions, Verdict};

use super::error::MaterialError;

/// Most updates in one go: each is a transaction, or a part of one, and the next job goes on from there.
pub const UPDATES_MAX: usize = 16;
/// Most headers looked at in one go: halving the distance of ten million heights takes 24 looks.
pub const ASKED_MAX: usize = 128;

/// Who holds what is judged from, for messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Chain that the client is on.
    pub chain: String,
    /// The client.
    pub client: String,
}

/// The way from a known height to a target.
#[derive(Debug)]
pub struct Bisection {
    light_client: CometBft,
    holder: Holder,
    known: u64,
    base: (u64, Vec<u8>),
    aim: u64,
    target: u64,
    asked: usize,
    messages: Vec<ClientMessage>,
}

impl Bisection {
    /// Starts from `update`, the header at `known`, which must be the one that the on-chain client holds.
    ///
    /// # Errors
    /// [`MaterialError::OtherState`] when it is another one, [`MaterialError::Refused`] when it is not signed.
    pub fn start(
        judged: &cometbft::Config,
        (holder, claim): (&Holder, &NativeClaim),
        (known, update): (u64, Vec<u8>),
        target: u64,
    ) -> Result<Self, MaterialError> {
        let shown = catenary_adapter_cosmos::native::state_of(&update)?;
        if let Some(held) = claim.newest {
            let rows = [
                ("root", held.root.to_string(), shown.root.to_string()),
                ("time", held.timestamp.to_string(), shown.timestamp.to_string()),
                ("next validators", held.next_validators_hash.to_string(), shown.next_validators_hash.to_string()),
            ];
            if let Some((field, got, expected)) = rows.into_iter().find(|(_, got, expected)| got != expected) {
                let Holder { chain, client } = holder.clone();
                return Err(MaterialError::OtherState { chain, client, field, height: known, got, expected });
            }
        }
        let hash = cometbft::header_hash(&update).map_err(Rejection::from)?;
        let config = cometbft::Config {
            anchor: Anchor { height: known, hash },
            skipping: true,
            trust: TrustOptions {
                trusting_period_seconds: claim.trusting_period_seconds,
                clock_drift_seconds: claim.clock_drift_seconds,
                // As the on-chain client has it; our own light client has judged churn already.
                churn_limit_permille: 1_000,
                allow_no_fault_tolerance: true,
                retain_heights: 2,
            },
            ..judged.clone()
        };
        let light_client = CometBft::new(config, &update).map_err(Rejection::from)?;
        let base = (known, update);
        let holder = holder.clone();
        Ok(Self { light_client, holder, known, base, aim: target, target, asked: 0, messages: Vec::new() })
    }

    /// The height whose header is needed next; `None` when the target is reached, or as much as fits into one go. When the
    /// looks run out after some updates, those are worth sending: the next go begins further up.
    #[must_use]
    pub fn wants(&self) -> Option<u64> {
        let fits = self.messages.len() < UPDATES_MAX && (self.asked < ASKED_MAX || self.messages.is_empty());
        (self.base.0 < self.target && fits).then_some(self.aim)
    }

    /// Takes the header that was wanted.
    ///
    /// # Errors
    /// It does not hold, or too many were looked at without any update.
    pub fn take(&mut self, update: Vec<u8>, now: Timestamp) -> Result<(), MaterialError> {
        self.asked = self.asked.saturating_add(1);
        if self.asked > ASKED_MAX {
            return Err(MaterialError::TooFar { known: self.known, target: self.target, max: ASKED_MAX });
        }
        match self.light_client.advance(&update, now) {
            Verdict::Verified(_) if self.light_client.status().trusted_height == self.aim => {
                self.messages.push(catenary_adapter_cosmos::native::update_message(&update, &self.base.1)?);
                self.base = (self.aim, update);
                self.aim = self.target;
                Ok(())
            }
            Verdict::NeedsIntermediate { reason, .. } => {
                let between = self.base.0.midpoint(self.aim);
                if between <= self.base.0 || between >= self.aim {
                    return Err(reason.into());
                }
                self.aim = between;
                Ok(())
            }
            Verdict::Rejected(reason) | Verdict::Held(reason) => Err(reason.into()),
            Verdict::Expired { expired_at, now } => {
                let Holder { chain, client } = self.holder.clone();
                Err(MaterialError::Expired { chain, client, expired_at, now })
            }
            verdict => Err(MaterialError::Refused(Rejection {
                code: "NODE-MAT-007",
                class: Class::Transient,
                message: format!("the header at {} was judged {verdict:?} from {}", self.aim, self.base.0),
            })),
        }
    }

    /// Height that the client knows after the updates.
    #[must_use]
    pub const fn reached(&self) -> u64 {
        self.base.0
    }

    /// The updates, in order.
    #[must_use]
    pub fn into_messages(self) -> Vec<ClientMessage> {
        self.messages
    }
}

/// What shows a contradiction to an on-chain client that knows `known`, after both halves were judged from there as the
/// client will judge them.
///
/// # Errors
/// They do not hold, or contradict nothing.
pub fn contradiction(
    judged: &cometbft::Config,
    (holder, claim): (&Holder, &NativeClaim),
    (known, update): (u64, Vec<u8>),
    (first, second): (&[u8], &[u8]),
    now: Timestamp,
) -> Result<ClientMessage, MaterialError> {
    let way = Bisection::start(judged, (holder, claim), (known, update), known)?;
    way.light_client.misbehaviour(first, second, now)?;
    Ok(catenary_adapter_cosmos::native::misbehaviour_message(first, second, &way.base.1)?)
}

#[cfg(test)]
mod tests;
