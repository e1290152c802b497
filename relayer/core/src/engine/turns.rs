//! Whose turn it is: every operator may relay, so they take turns that each computes for itself.

use catenary_light_clients::Hash32;

/// The rank of `own` among `operators` for the packets of one bucket: operators are ordered by
/// `sha256(path ‖ direction ‖ bucket ‖ operator)`, so each leads an equal share and nobody needs to speak.
///
/// A bucket is a fixed range of sequences: operators that see different batches still agree on who leads.
/// An `own` that is not in the list ranks last.
#[must_use]
pub fn rank(path: &str, direction: u8, bucket: u64, operators: &[String], own: &str) -> u64 {
    let score = |operator: &str| {
        let path_hash = Hash32::sha256(&[path.as_bytes()]);
        Hash32::sha256(&[path_hash.as_bytes(), &[direction], &bucket.to_be_bytes(), operator.as_bytes()])
    };
    let own_score = score(own);
    if !operators.iter().any(|operator| operator == own) {
        return operators.len() as u64;
    }
    operators.iter().filter(|operator| score(operator) < own_score).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_a_permutation_and_shared_evenly() {
        let operators: Vec<String> = ["alpha", "beta", "gamma"].map(String::from).to_vec();
        let mut led = [0u32; 3];
        for bucket in 0..3000 {
            let ranks: Vec<u64> = operators.iter().map(|own| rank("p", 0, bucket, &operators, own)).collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2], "bucket {bucket}");
            let leader = ranks.iter().position(|rank| *rank == 0).expect("one leads");
            led[leader] += 1;
        }
        assert!(led.iter().all(|count| (900..1100).contains(count)), "{led:?}");
        assert_eq!(rank("p", 0, 1, &operators, "nobody"), 3);
    }
}
