//! The members of an on-chain client's attestor set, and how they stand.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catenary_protocol::attestation::Address;
use catenary_protocol::limits::ATTESTORS_MAX;

use super::error::CollectError;
use super::peer::PeerClient;
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
    /// How it last answered when asked for its head; `None` before it was asked.
    head: Option<Result<u64, ExclusionCode>>,
    /// Why its last attestation did not count, and the height of that.
    fault: Option<(ExclusionCode, u64)>,
    /// What was last logged of it.
    logged: Option<ExclusionCode>,
}

impl Standing {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The peer told its head, or failed to. An answer shows that it is there, not that it signs what it should.
    pub(super) fn head(&self, result: Result<u64, ExclusionCode>) {
        let mut inner = self.lock();
        inner.head = Some(result);
        let Ok(head) = result else { return };
        let over = match inner.fault {
            Some((ExclusionCode::Unreachable | ExclusionCode::Silent, _)) => true,
            Some((ExclusionCode::Behind, height)) => head >= height,
            _ => false,
        };
        if over {
            inner.fault = None;
        }
    }

    /// The peer signed, or failed to, at a height.
    pub(super) fn signed(&self, height: u64, result: Result<(), ExclusionCode>) {
        let mut inner = self.lock();
        match result {
            Ok(()) => {
                inner.head = Some(inner.head.and_then(Result::ok).map_or(Ok(height), |head| Ok(head.max(height))));
                inner.fault = None;
            }
            // Not being able to prove one packet says nothing of the next one.
            Err(ExclusionCode::RefusedPackets) => {}
            Err(code) => inner.fault = Some((code, height)),
        }
    }

    /// `Ok` when it can sign, else why not; `Err(None)` when it was not asked yet.
    pub(super) fn state(&self) -> Result<(), Option<ExclusionCode>> {
        let inner = self.lock();
        match (inner.fault, inner.head) {
            (Some((code, _)), _) | (None, Some(Err(code))) => Err(Some(code)),
            (None, Some(Ok(_))) => Ok(()),
            (None, None) => Err(None),
        }
    }

    /// Whether this is news for the log: what is repeated is counted, not logged again.
    pub(super) fn is_news(&self, code: Option<ExclusionCode>) -> bool {
        let mut inner = self.lock();
        std::mem::replace(&mut inner.logged, code) != code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ExclusionCode::{Behind, RefusedPackets, Silent, Unreachable, WrongTime};

    enum Step {
        Head(Result<u64, ExclusionCode>),
        Signed(u64, Result<(), ExclusionCode>),
    }
    use Step::{Head, Signed};

    fn check(steps: &[Step], expect: Result<(), Option<ExclusionCode>>) {
        let standing = Standing::default();
        for step in steps {
            match step {
                Head(result) => standing.head(*result),
                Signed(height, result) => standing.signed(*height, *result),
            }
        }
        assert_eq!(standing.state(), expect);
    }

    #[test]
    fn a_member_can_sign_when_it_answers_and_its_last_attestation_counted() {
        check(&[], Err(None));
        check(&[Head(Ok(5))], Ok(()));
        check(&[Signed(5, Ok(()))], Ok(()));
        check(&[Head(Err(Unreachable))], Err(Some(Unreachable)));
        check(&[Head(Err(Unreachable)), Head(Ok(5))], Ok(()));
        check(&[Head(Err(Unreachable)), Signed(5, Ok(()))], Ok(()));
        check(&[Head(Ok(5)), Signed(5, Err(Silent)), Head(Ok(5))], Ok(()));
        check(&[Head(Ok(5)), Signed(5, Err(RefusedPackets))], Ok(()));
        // A member that was behind is back when its head has reached that height.
        check(&[Head(Ok(5)), Signed(7, Err(Behind)), Head(Ok(6))], Err(Some(Behind)));
        check(&[Head(Ok(5)), Signed(7, Err(Behind)), Head(Ok(7))], Ok(()));
        // One that signed something wrong is back when it has signed what is right, and not before.
        check(&[Signed(5, Err(WrongTime)), Head(Ok(9))], Err(Some(WrongTime)));
        check(&[Signed(5, Err(WrongTime)), Head(Err(Silent)), Head(Ok(9))], Err(Some(WrongTime)));
        check(&[Signed(5, Err(WrongTime)), Signed(6, Ok(()))], Ok(()));
    }

    #[test]
    fn only_changes_are_news() {
        let standing = Standing::default();
        let steps = [(None, false), (Some(Silent), true), (Some(Silent), false), (Some(Behind), true), (None, true)];
        for (code, expect) in steps {
            assert_eq!(standing.is_news(code), expect, "{code:?}");
        }
    }
}
