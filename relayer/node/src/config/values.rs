//! Parsing of single values; what does not parse becomes a problem and `None`.

use std::net::SocketAddr;

use catenary_core::encoding::parse_hash;
use catenary_core::packet_key::is_name;
use catenary_light_clients::{Address, Hash32};

use super::error::{Problem, ProblemKind};

/// Collects problems while values are parsed.
#[derive(Debug, Default)]
pub(super) struct Parser {
    pub(super) problems: Vec<Problem>,
}

impl Parser {
    pub(super) fn refuse(&mut self, key: &str, kind: ProblemKind) {
        self.problems.push(Problem { key: key.into(), kind });
    }

    fn malformed<T>(&mut self, key: &str, got: &str, expected: &'static str) -> Option<T> {
        self.refuse(key, ProblemKind::Malformed { got: got.into(), expected });
        None
    }

    pub(super) fn missing<T>(&mut self, key: &str, what: &'static str) -> Option<T> {
        self.refuse(key, ProblemKind::Missing { what });
        None
    }

    /// A name of a chain, path, operator or key.
    pub(super) fn name(&mut self, key: &str, text: &str) -> Option<String> {
        if is_name(text) {
            return Some(text.into());
        }
        self.malformed(key, text, "a name: 1 to 32 of a-z 0-9 - _")
    }

    /// A duration such as `30s`, `10m`, `12h`, `14d`; never zero.
    pub(super) fn duration_seconds(&mut self, key: &str, text: &str) -> Option<u64> {
        const EXPECTED: &str = "a duration: a number above 0 and s, m, h or d, such as 14d";
        let unit = match text.as_bytes().last() {
            Some(b's') => 1,
            Some(b'm') => 60,
            Some(b'h') => 3_600,
            Some(b'd') => 86_400,
            _ => return self.malformed(key, text, EXPECTED),
        };
        let digits = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u64>().ok()).flatten();
        match number.and_then(|number| number.checked_mul(unit)).filter(|seconds| *seconds > 0) {
            Some(seconds) => Some(seconds),
            None => self.malformed(key, text, EXPECTED),
        }
    }

    /// A duration, or a default.
    pub(super) fn duration_or(&mut self, key: &str, text: Option<&str>, default: u64) -> Option<u64> {
        text.map_or(Some(default), |text| self.duration_seconds(key, text))
    }

    /// A number within bounds.
    pub(super) fn range(&mut self, key: &str, got: u64, min: u64, max: u64) -> Option<u64> {
        if (min..=max).contains(&got) {
            return Some(got);
        }
        self.refuse(key, ProblemKind::Range { got, min, max });
        None
    }

    /// A number of things that fits memory, within bounds.
    pub(super) fn size(&mut self, key: &str, got: u64, min: u64, max: u64) -> Option<usize> {
        self.range(key, got, min, max).and_then(|got| usize::try_from(got).ok())
    }

    /// A hash of 32 bytes, `0x` before it or not, in either case; never all zero.
    pub(super) fn hash(&mut self, key: &str, text: &str) -> Option<Hash32> {
        let lower = text.to_ascii_lowercase();
        let prefixed = if lower.starts_with("0x") { lower } else { format!("0x{lower}") };
        match parse_hash(&prefixed).filter(|hash| hash.0 != [0; 32]) {
            Some(hash) => Some(hash),
            None => self.malformed(key, text, "a hash of 64 hex digits, not all zero"),
        }
    }

    /// An EVM address, never zero.
    pub(super) fn address(&mut self, key: &str, text: &str) -> Option<Address> {
        let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
        match bytes.and_then(|bytes| Address::from_slice(&bytes)).filter(|address| !address.is_zero()) {
            Some(address) => Some(address),
            None => self.malformed(key, text, "an address of 0x and 40 hex digits, not zero"),
        }
    }

    /// An address to listen on.
    pub(super) fn listen(&mut self, key: &str, text: &str) -> Option<SocketAddr> {
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => self.malformed(key, text, "an address to listen on, such as 127.0.0.1:9464"),
        }
    }

    /// An http or https URL; the value is not quoted when it may hold credentials.
    pub(super) fn url(&mut self, key: &str, text: &str, quoted: &str) -> Option<String> {
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if names_host(text, rest) {
            return Some(text.into());
        }
        self.malformed(key, quoted, "a URL that starts with http:// or https:// and names a host")
    }

    /// A WebSocket URL.
    pub(super) fn ws_url(&mut self, key: &str, text: &str) -> Option<String> {
        let rest = text.strip_prefix("ws://").or_else(|| text.strip_prefix("wss://"));
        if names_host(text, rest) {
            return Some(text.into());
        }
        self.malformed(key, text, "a URL that starts with ws:// or wss:// and names a host")
    }
}

/// Whether there is a host after the scheme, and nothing in the text that no URL has.
fn names_host(text: &str, rest: Option<&str>) -> bool {
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| !host.is_empty()) && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether a URL points to this machine.
pub(super) fn is_loopback_url(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
