//! The members of an on-chain client's attestor set, and how they stand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use catenary_protocol::attestation::Address;
use catenary_protocol::limits::ATTESTORS_MAX;

use super::error::CollectError;
use super::peer::{Failure, PeerClient};
use crate::attestor::exclusion::ExclusionCode;
use crate::attestor::service::Attestor;

/// How a member is reached.
#[derive(Clone, Debug)]
pub enum Reach {
    /// It is this node.
    Local(Arc<Attestor>),
    /// Over gRPC.
    Remote(PeerClient),
}

/// A member of the attestor set.
#[derive(Clone, Debug)]
pub struct Member {
    /// Operator's id in the config.
    pub id: String,
    /// Address in the on-chain client's attestor set.
    pub address: Address,
    /// How it is reached.
    pub reach: Reach,
}

/// Who can sign, as far as known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Availability {
    /// Members that can sign, ours included.
    pub have: usize,
    /// Signatures that the on-chain client requires.
    pub need: usize,
    /// The others, each with why; `None` for one that was not asked yet.
    pub missing: Vec<(String, Option<ExclusionCode>)>,
}

impl Availability {
    /// Whether enough members can sign.
    #[must_use]
    pub const fn is_enough(&self) -> bool {
        self.have >= self.need
    }
}

/// Checks a set of members and finds the local one.
pub(super) fn check(members: &[Member], threshold: usize) -> Result<Arc<Attestor>, CollectError> {
    let refuse = |reason: String| Err(CollectError::Config { reason });
    if threshold == 0 || threshold > members.len() || members.len() > ATTESTORS_MAX {
        let count = members.len();
        return refuse(format!(
            "{threshold} signatures of {count} members; need 1 to {count}, and at most {ATTESTORS_MAX} members"
        ));
    }
    let (mut ids, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for member in members {
        if !ids.insert(&member.id) {
            return refuse(format!("member {} is named twice", member.id));
        }
        if !addresses.insert(member.address) {
            return refuse(format!(
                "member {} has the address of another one, 0x{}",
                member.id,
                hex::encode(member.address)
            ));
        }
    }
    let mut locals = members.iter().filter_map(|member| match &member.reach {
        Reach::Local(attestor) => Some((member, attestor)),
        Reach::Remote(_) => None,
    });
    let (Some((member, attestor)), None) = (locals.next(), locals.next()) else {
        return refuse("exactly one member must be this node".to_owned());
    };
    if attestor.address() != member.address {
        let (got, expected) = (hex::encode(attestor.address()), hex::encode(member.address));
        return refuse(format!("this node's attestor key is 0x{got}, the config says 0x{expected}"));
    }
    Ok(Arc::clone(attestor))
}

/// What is remembered of a peer between requests.
#[derive(Debug, Default)]
pub(super) struct Standing {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    answered: bool,
    fault: Option<(ExclusionCode, u64)>,
}

impl Standing {
    /// The peer told its head, or failed to.
    pub(super) fn head(&self, result: &Result<u64, Failure>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.answered = result.is_ok();
        match result {
            // An answer shows that the member is there, not that it signs what it should.
            Ok(head) => {
                let over = match inner.fault {
                    Some((ExclusionCode::Unreachable | ExclusionCode::Silent, _)) => true,
                    Some((ExclusionCode::Behind, height)) => *head >= height,
                    _ => false,
                };
                if over {
                    inner.fault = None;
                }
            }
            Err(failure) => inner.fault = Some((failure.code, 0)),
        }
    }

    /// The peer signed, or failed to, at a height.
    pub(super) fn signed(&self, height: u64, result: &Result<[u8; 65], Failure>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => *inner = Inner { answered: true, fault: None },
            // Not being able to prove one packet says nothing of the next one.
            Err(failure) if failure.code == ExclusionCode::RefusedPackets => {}
            Err(failure) => inner.fault = Some((failure.code, height)),
        }
    }

    /// `Ok` when it can sign, else why not.
    pub(super) fn state(&self) -> Result<(), Option<ExclusionCode>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        match inner.fault {
            Some((code, _)) => Err(Some(code)),
            None if inner.answered => Ok(()),
            None => Err(None),
        }
    }
}
