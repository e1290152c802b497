//! Requests in flight, by peer and in all. A peer with too many is refused at once; nothing queues here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::attestor::error::AttestError;

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Peer {
    /// Over TLS: the hash of its pinned certificate, however many connections it opens.
    Certificate([u8; 32]),
    /// On loopback: its connection, since all members on one machine share its address.
    Connection(Option<SocketAddr>),
}

/// Counts requests in flight. The map holds peers with at least one, so it is no larger than the bound in all.
#[derive(Debug)]
pub(super) struct Admission {
    in_flight: Mutex<HashMap<Peer, usize>>,
    peer_max: usize,
    total_max: usize,
}

impl Admission {
    pub(super) fn new(peer_max: usize, total_max: usize) -> Arc<Self> {
        Arc::new(Self { in_flight: Mutex::new(HashMap::new()), peer_max, total_max })
    }

    /// A place for one request.
    ///
    /// # Errors
    /// [`AttestError::Busy`].
    pub(super) fn admit(self: &Arc<Self>, peer: Peer) -> Result<Permit, AttestError> {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if in_flight.values().sum::<usize>() >= self.total_max {
            return Err(AttestError::Busy { scope: "this member", max: self.total_max });
        }
        let count = in_flight.entry(peer).or_default();
        if *count >= self.peer_max {
            return Err(AttestError::Busy { scope: "this peer", max: self.peer_max });
        }
        *count += 1;
        Ok(Permit { admission: Arc::clone(self), peer })
    }
}

/// A place among the requests in flight; free again when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    admission: Arc<Admission>,
    peer: Peer,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut in_flight = self.admission.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = in_flight.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                in_flight.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn peer(number: u8) -> Peer {
        Peer::Certificate([number; 32])
    }

    #[test]
    fn a_peer_and_all_peers_have_their_bounds_and_places_come_back() {
        let admission = Admission::new(2, 3);
        let first = admission.admit(peer(1)).unwrap();
        let _second = admission.admit(peer(1)).unwrap();
        assert!(matches!(admission.admit(peer(1)), Err(AttestError::Busy { scope: "this peer", max: 2 })));
        let other = admission.admit(peer(2)).unwrap();
        assert!(matches!(admission.admit(peer(3)), Err(AttestError::Busy { scope: "this member", max: 3 })));
        drop(other);
        assert!(matches!(admission.admit(peer(1)), Err(AttestError::Busy { scope: "this peer", max: 2 })));
        drop(first);
        let _third = admission.admit(peer(1)).unwrap();
    }

    #[test]
    fn nothing_is_remembered_of_peers_that_have_left() {
        let admission = Admission::new(1, 10);
        for number in 0..200 {
            drop(admission.admit(peer(number)).unwrap());
        }
        assert!(admission.in_flight.lock().unwrap().is_empty());
    }
}
