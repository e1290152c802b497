//! How a side's on-chain client stood when it was last looked at, shared by those who look and those who act on it.
//!
//! Upkeep looks all the time, each job of a native path looks for itself, and a refused transaction is a reason to look.
//! What an endpoint claims only decides whether to wait: nothing is proven by it. One that claims a client to be frozen
//! holds packets up as one that does not answer; they go on with the next look that finds the client active.
//!
//! # What an attacker can grow
//! Nothing: one word a client.

use std::sync::{Mutex, PoisonError};

/// What the last look found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Found {
    /// Nobody has looked.
    #[default]
    Nothing,
    Active,
    Stopped {
        code: &'static str,
        message: String,
    },
}

/// How an on-chain client stands, by the last look at it.
#[derive(Debug, Default)]
pub struct ClientStand(Mutex<Found>);

impl ClientStand {
    /// Packets can be proven through it, or the code and the reason why not.
    pub fn note(&self, outcome: Result<(), (&'static str, String)>) {
        let found = match outcome {
            Ok(()) => Found::Active,
            Err((code, message)) => Found::Stopped { code, message },
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn found(&self) -> Found {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether somebody has looked, and packets can be proven through it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.found() == Found::Active
    }

    /// Code and reason why nothing can be proven through it.
    #[must_use]
    pub fn stopped(&self) -> Option<(&'static str, String)> {
        match self.found() {
            Found::Stopped { code, message } => Some((code, message)),
            Found::Nothing | Found::Active => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_look_counts_and_none_is_no_recovery() {
        let stand = ClientStand::default();
        assert_eq!((stand.is_active(), stand.stopped()), (false, None), "nobody has looked");
        let check = |outcome: Result<(), (&'static str, String)>| {
            stand.note(outcome.clone());
            assert_eq!((stand.is_active(), stand.stopped()), (outcome.is_ok(), outcome.err()));
        };
        check(Err(("X-1", "frozen".into())));
        check(Ok(()));
        check(Err(("X-2", "expired".into())));
    }
}
