//! Contradictions between headers that are each valid by themselves.
//!
//! Evidence is judged exactly as updates are, save that a time ahead of the clock is no excuse: each half must be a
//! retained header, or linked to by one, or verify from one. So evidence can freeze nothing that the same headers,
//! given as updates, could not.
//!
//! A second header at a retained height must also follow the same block as the retained one. Validators that use
//! their keys and the chain id for another network sign valid headers at every height; those do not follow our
//! blocks, and are refused (`LC-CMT-021`) in place of freezing the client.

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

/// The header is trusted, or would be if it were given alone.
fn stands(client: &CometBft, update: &Update, now: Timestamp) -> Result<(), CometBftError> {
    if let Some(retained) = client.retained.get(&update.height) {
        if retained.hash == update.hash {
            return Ok(());
        }
        return second_header(client, update);
    }
    if update.height < client.head_height() {
        return client.check_link(update);
    }
    client.check_skip(update)?;
    let terms = Terms { options: &client.config.trust, now, purpose: Purpose::Evidence };
    verify::successor(update, client.set_of(update)?, client.base(), terms)
}

/// The update is a second header at a retained height: of the same validators, after the same block, and signed by
/// more than two thirds of them.
pub(super) fn second_header(client: &CometBft, update: &Update) -> Result<(), CometBftError> {
    let retained = client.retained.get(&update.height).ok_or_else(|| CometBftError::NoState {
        height: update.height,
        next: update.height.saturating_add(1),
        newest: client.head_height(),
    })?;
    verify::follows(update, retained.last_block)?;
    verify::announced(update, retained.validators_hash)?;
    verify::committed(update, client.set_of(update)?)
}
