//! Bounds of the attestation service and of what is taken from peers, each with its reason.

use std::time::Duration;

/// Most packets in one request (protocol: 64 packets and 512 KiB a request).
pub const REQUEST_PACKETS_MAX: usize = catenary_protocol::limits::ATTESTED_PACKETS_MAX;
/// Most bytes of one request message (protocol: 64 packets and 512 KiB a request).
pub const REQUEST_BYTES_MAX: usize = 512 * 1024;
/// Bytes that a packet takes in a request beside its own: a tag and a length.
pub const REQUEST_FRAMING_BYTES: usize = 8;
/// Most bytes of packets that a collector puts into one request, which leaves room for height and kind.
pub const REQUEST_PACKET_BYTES_MAX: usize = REQUEST_BYTES_MAX - 64;
/// Most bytes taken of a peer's answer: attested data is at most 8 KiB, the rest is a signature and two numbers.
pub const RESPONSE_BYTES_MAX: usize = 2 * catenary_protocol::limits::ATTESTED_BYTES_MAX;
/// Most bytes of response headers and trailers taken from a peer, in which a refusal's message travels: 64 refused
/// packets with their codes are about 2 KiB.
pub const RESPONSE_HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Most bytes of a refusal that are read or logged.
pub const REFUSAL_BYTES_MAX: usize = 4 * 1024;
/// Most requests of one peer in flight, served or asked (issue: 4).
pub const PEER_REQUESTS_MAX: usize = 4;
/// Most requests that wait for one peer: a whole collection by each of some paths. More would only time out later.
pub const PEER_WAITING_MAX: usize = 64;
/// Most requests in flight of all peers: 16 busy members; at 512 KiB each they hold 32 MiB.
pub const REQUESTS_MAX: usize = 64;
/// Most open connections: each member keeps one a chain, so this is room for every member to reconnect.
pub const CONNECTIONS_MAX: usize = 64;
/// Deadline of a request, served or asked: a proof call of 64 paths takes a slow endpoint some seconds.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// Deadline of asking for a head, which needs no work.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(2);
/// Deadline of opening a connection.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// How often an open connection is probed, and how long the answer may take: a dead peer is noticed between requests.
pub const KEEPALIVE: Duration = Duration::from_secs(10);
/// A connection on which nothing arrives for so long is closed: a living peer answers a probe every [`KEEPALIVE`], so
/// this ends handshakes that never go on.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(30);
/// Most signed answers kept: a batch of each of 64 paths over some 16 heights.
pub const CACHE_ENTRIES_MAX: usize = 1_024;
/// Most bytes of signed answers kept.
pub const CACHE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How often a list is asked again without packets that peers refused: one round finds them all unless peers disagree.
pub const REFUSAL_ROUNDS_MAX: usize = 3;
/// Attestations collected at once by one call: as many as a peer serves.
pub const CHUNKS_AT_ONCE: usize = PEER_REQUESTS_MAX;
