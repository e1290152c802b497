//! Whose turn it is: every operator may relay, so they take turns that each computes for itself.

use catenary_light_clients::Hash32;

/// A packet's place in the turn order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// How many operators come before this node; one that is not in the list comes last.
    pub rank: u64,
    /// Place of the leader in the list of operators.
    pub leader: usize,
}

/// The turn of `own` among `operators` for the packets of one bucket: operators are ordered by
/// `sha256(path ‖ direction ‖ bucket ‖ operator)`, so each leads an equal share and nobody needs to speak.
///
/// A bucket is a fixed range of sequences: operators that see different batches still agree on who leads.
#[must_use]
pub fn turn(path: &str, direction: u8, bucket: u64, operators: &[String], own: &str) -> Turn {
    let path_hash = Hash32::sha256(&[path.as_bytes()]);
    let score = |operator: &str| {
        Hash32::sha256(&[path_hash.as_bytes(), &[direction], &bucket.to_be_bytes(), operator.as_bytes()])
    };
    let scores: Vec<Hash32> = operators.iter().map(|operator| score(operator)).collect();
    let lowest = scores.iter().enumerate().min_by_key(|(_, score)| **score);
    let leader = lowest.map_or(0, |(index, _)| index);
    let own_score = operators.iter().position(|operator| operator == own).and_then(|index| scores.get(index));
    let rank = own_score.map_or(operators.len(), |own| scores.iter().filter(|score| *score < own).count());
    Turn { rank: rank as u64, leader }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_a_permutation_and_shared_evenly() {
        let operators: Vec<String> = ["alpha", "beta", "gamma"].map(String::from).to_vec();
        let mut led = [0u32; 3];
        for bucket in 0..3000 {
            let ranks: Vec<u64> = operators.iter().map(|own| turn("p", 0, bucket, &operators, own).rank).collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2], "bucket {bucket}");
            let leader = ranks.iter().position(|rank| *rank == 0).expect("one leads");
            assert_eq!(turn("p", 0, bucket, &operators, "alpha").leader, leader, "bucket {bucket}");
            led[leader] += 1;
        }
        assert!(led.iter().all(|count| (900..1100).contains(count)), "{led:?}");
        assert_eq!(turn("p", 0, 1, &operators, "nobody").rank, 3);
    }
}
