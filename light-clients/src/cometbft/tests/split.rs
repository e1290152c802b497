//! An update taken apart: the parts that were joined, strictly.

use super::*;

#[test]
fn an_update_is_split_into_what_was_joined_and_other_bytes_are_refused() {
    let chain = chain();
    for update in [chain.update(3), chain.bare_update(3), chain.full_update(3)] {
        let parts = split_update(&update).unwrap();
        let joined = encode_update(&parts.signed_header, parts.validators.as_deref(), parts.next_validators.as_deref());
        assert_eq!(joined, update);
    }
    let good = chain.full_update(3);
    let check = |bytes: &[u8], code: &str| {
        assert_eq!(split_update(bytes).map_err(|error| error.code()), Err(code), "{} bytes", bytes.len());
        assert_eq!(header_hash(bytes).map_err(|error| error.code()), Err(code), "the light client says the same");
    };
    check(&good[..good.len() - 1], "LC-CMT-002");
    // A field that no update has, and one that comes twice.
    check(&[&good[..], &[0x22, 1, 0]].concat(), "LC-CMT-003");
    check(&[&good[..], &good[..]].concat(), "LC-CMT-003");
    check(&alloc::vec![0; MAX_UPDATE_BYTES + 1], "LC-CMT-001");
}
