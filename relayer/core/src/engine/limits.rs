//! Bounds of the engine, each with its reason.

/// Most open packets of one path: 100,000 at 2 KiB each is 200 MiB, what a node may spend on one path.
pub const OPEN_PACKETS_MAX: usize = 100_000;
/// The share of the most open packets that must be free before what was left out is scanned again, as a divisor: a scan
/// for each packet that ends would walk over the same blocks again and again.
pub const ROOM_SHARE: usize = 16;
/// Most ranges above the watermark of ended sequences. Each gap between two is a packet that is open or whose event was
/// missed, so with [`OPEN_PACKETS_MAX`] this is far above need.
pub const CLOSED_GAPS_MAX: usize = 200_000;
/// Most messages of one job: a GoQuorum transaction of 64 KB carries about forty.
pub const JOB_ITEMS_MAX: usize = 64;
/// Refusals (permanent or misbehaviour) of one packet before it is parked for a person.
pub const REFUSALS_MAX: u32 = 12;
/// Longest back-off after a refusal, in blocks of the side that the job goes to.
pub const BACKOFF_BLOCKS_MAX: u64 = 64;
/// Longest back-off after a transient failure, in blocks: short, so that flow resumes when a peer returns.
pub const TRANSIENT_BACKOFF_BLOCKS_MAX: u64 = 8;
/// Blocks to wait for the claim of what was delivered, before looking again.
pub const CLAIM_WAIT_BLOCKS: u64 = 10;
/// How many times its own turn an operator waits at most for a leader that makes progress with other packets.
pub const TURN_WAITS_MAX: u64 = 10;
/// How far above the verified head a receipt's height is believed: blocks that the light client has not seen yet.
pub const RECEIPT_AHEAD_BLOCKS_MAX: u64 = 20;
/// How far below the verified head something has happened that counts as new, in blocks; what is older is backlog. More
/// than one request of the scan, so that a pause of some blocks makes no backlog.
pub const LIVE_BLOCKS: u64 = 64;
/// How far back the scan looks again for an acknowledgement that it has missed, in blocks.
pub const RESCAN_BLOCKS: u64 = 1_000;
