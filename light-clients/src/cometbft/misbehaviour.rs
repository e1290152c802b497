//! Contradictions between headers that are each valid by themselves.
//!
//! Evidence is judged as strictly as updates are, save that a time ahead of the clock is no excuse: each half must be
//! at a retained height, or linked to by a retained header, or verify from the newest one, and carry a commit that
//! holds. So evidence can freeze nothing that the same headers, given as updates, could not.
//!
//! A second header at a retained height must also follow the same block as the retained one. Validators that use
//! their keys and the chain id for another network sign valid headers at every height; those do not follow our
//! blocks, and are refused (`LC-CMT-021`) in place of freezing the client. The first block of a chain follows nothing,
//! as does that of the other network, so another first block cannot be judged (`LC-CMT-035`) and freezes nothing.

use super::decode::Update;
use super::types::CometBftError;
use super::verify::{self, Purpose, Terms};
use super::CometBft;
use crate::verdict::{Misbehaviour, Timestamp};

/// Two headers at one height.
pub(super) const EQUIVOCATION: &str = "LC-CMT-050";
/// A header above another and not later in time.
pub(super) const TIME: &str = "LC-CMT-051";
/// Trusted headers below and above a header that names another block before it.
pub(super) const BROKEN_LINK: &str = "LC-CMT-052";

/// Judges evidence from the trusted state.
pub(super) fn judge(
    client: &CometBft,
    first: &Update,
    second: &Update,
    now: Timestamp,
) -> Result<Misbehaviour, CometBftError> {
    for update in [first, second] {
        client.check_chain(update)?;
    }
    client.check_expiry(now)?;
    let (lower, upper) = if first.height <= second.height { (first, second) } else { (second, first) };
    let code = if lower.height == upper.height && lower.hash != upper.hash {
        EQUIVOCATION
    } else if lower.height < upper.height && lower.time >= upper.time {
        TIME
    } else {
        return Err(CometBftError::NoContradiction {
            first_height: first.height,
            first: first.hash,
            second_height: second.height,
            second: second.hash,
        });
    };
    for update in [first, second] {
        stands(client, update, now)?;
    }
    Ok(Misbehaviour { height: upper.height, first: first.hash, second: second.hash, code })
}

/// The header would be trusted if it were given alone, and its commit holds: also that of a header which is trusted
/// already, so that the evidence convinces others too.
fn stands(client: &CometBft, update: &Update, now: Timestamp) -> Result<(), CometBftError> {
    if client.retained.contains_key(&update.height) {
        return committed_here(client, update, now);
    }
    if update.height < client.head_height() {
        let above = client.check_link(update)?;
        client.check_expired(above.time, now)?;
        return verify::committed(update, client.set_of(update)?);
    }
    client.check_skip(update)?;
    let terms = Terms { options: &client.config.trust, now, purpose: Purpose::Evidence };
    verify::successor(update, client.set_of(update)?, client.base(), terms)
}

/// The update is the retained header or follows the same block, has its validators, and is signed by more than two
/// thirds of them. The retained header is within the trusting period: keys of validators that left long ago may be
/// anybody's, and must not freeze the client.
pub(super) fn committed_here(client: &CometBft, update: &Update, now: Timestamp) -> Result<(), CometBftError> {
    let retained = client.retained.get(&update.height).ok_or_else(|| CometBftError::NoState {
        height: update.height,
        next: update.height.saturating_add(1),
        newest: client.head_height(),
    })?;
    client.check_expired(retained.time, now)?;
    if retained.last_block.is_none() && update.hash != retained.hash {
        return Err(CometBftError::Unjudged { height: update.height, got: update.hash, trusted: retained.hash });
    }
    verify::follows(update, retained.last_block)?;
    verify::announced(update, retained.validators_hash)?;
    verify::committed(update, client.set_of(update)?)
}
