//! Free ports on loopback, held until the node that gets them starts.
//!
//! The range lies below the ports that systems hand out for outgoing connections, so a node that is stopped finds its own port free again.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use super::LocalnetError;

/// First and last port tried.
const RANGE: (u16, u16) = (20_000, 31_999);
/// Where the next search begins, counted from the start of the range.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// Ports that nobody else can bind while this value lives.
#[derive(Debug)]
pub struct Reserved {
    listeners: Vec<TcpListener>,
    ports: Vec<u16>,
}

impl Reserved {
    /// The port numbers, in the order they were found.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Lets go of the ports, right before the node starts.
    #[must_use]
    pub fn release(self) -> Vec<u16> {
        drop(self.listeners);
        self.ports
    }
}

/// Reserves `count` free ports.
///
/// # Errors
/// [`LocalnetError::Ports`] when the whole range holds fewer.
pub fn reserve(count: usize) -> Result<Reserved, LocalnetError> {
    let size = RANGE.1 - RANGE.0 + 1;
    // Several test processes at once begin at different places.
    let offset = u16::try_from(std::process::id().wrapping_mul(131) % u32::from(size)).unwrap_or(0);
    let mut found = Reserved { listeners: Vec::new(), ports: Vec::new() };
    for _ in 0..size {
        if found.ports.len() == count {
            return Ok(found);
        }
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % size;
        let port = RANGE.0 + (offset + step) % size;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            found.listeners.push(listener);
            found.ports.push(port);
        }
    }
    Err(LocalnetError::Ports { wanted: count, first: RANGE.0, last: RANGE.1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_distinct_and_held_until_released() {
        let a = reserve(8).unwrap();
        let b = reserve(8).unwrap();
        let mut all: Vec<u16> = a.ports().iter().chain(b.ports()).copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 16);
        let port = a.ports()[0];
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err(), "a reserved port can be bound by another");
        let _ = a.release();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "a released port cannot be bound");
    }
}
