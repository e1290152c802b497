//! A small seeded mutation engine: repeatable, with no dependency and no state but its number.

/// SplitMix64, a stream of numbers from a seed (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.number() % bound).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }
}

/// Bytes at which formats turn: ends of ranges in RLP, in protobuf tags and in hex-prefix paths.
const EDGES: [u8; 16] =
    [0x00, 0x01, 0x0a, 0x12, 0x20, 0x7f, 0x80, 0x81, 0xa0, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xff];

/// Longest input that mutations grow to, in bytes.
const MAX_INPUT_BYTES: usize = 64 * 1024;

/// One to four changes to `input`, some of them with pieces of `other`.
#[must_use]
pub fn mutate(seeded: &mut Seeded, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=seeded.below(4) {
        change(seeded, &mut bytes, other);
    }
    bytes.truncate(MAX_INPUT_BYTES);
    bytes
}

fn change(seeded: &mut Seeded, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = seeded.below(bytes.len());
    let end = (at + 1 + seeded.below(40)).min(bytes.len());
    if bytes.is_empty() {
        bytes.push(seeded.byte());
        return;
    }
    match seeded.below(11) {
        0 | 1 => bytes[at] ^= 1 << seeded.below(8),
        2 => bytes[at] = EDGES[seeded.below(EDGES.len())],
        3 => bytes[at] = bytes[at].wrapping_add(1),
        4 => bytes[at] = bytes[at].wrapping_sub(1),
        5 => bytes.insert(at, EDGES[seeded.below(EDGES.len())]),
        6 => drop(bytes.drain(at..end)),
        7 => {
            let piece = bytes[at..end].to_vec();
            let to = seeded.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        8 => bytes.truncate(at),
        9 => bytes[at..end].fill_with(|| seeded.byte()),
        _ => {
            let from = seeded.below(other.len());
            let piece = &other[from..(from + 1 + seeded.below(70)).min(other.len())];
            let until = (at + piece.len()).min(bytes.len());
            bytes.splice(at..until, piece.iter().copied());
        }
    }
}
