//! The numbered cases that are about bytes.

use super::*;

#[test]
fn qb_05_validators_are_ascending_distinct_and_not_zero() {
    let network = network_of(4);
    let with = |change: fn(&mut Vec<Address>)| {
        let mut header = network.next();
        change(&mut header.validators);
        header.sealed(&network.keys)
    };
    check(&network, &with(|v| v.swap(1, 2)), "LC-QBFT-005");
    check(&network, &with(|v| v.reverse()), "LC-QBFT-005");
    check(&network, &with(|v| v[3] = v[2]), "LC-QBFT-005");
    check(&network, &with(|v| v.insert(0, Address([0; 20]))), "LC-QBFT-006");
    check(&network, &with(|v| v[0] = Address([0; 20])), "LC-QBFT-006");
    let mut empty = network.next();
    empty.validators.clear();
    check(&network, &empty, "LC-QBFT-004");
    check(&network, &empty.sealed(&network.keys), "LC-QBFT-004");
    // More than are looked at.
    let mut many = network.next();
    many.validators = (0..=MAX_VALIDATORS as u64)
        .map(|n| {
            let mut address = [1; 20];
            address[..8].copy_from_slice(&n.to_be_bytes());
            Address(address)
        })
        .collect();
    check(&network, &many, "LC-RLP-012");
    many.validators.pop();
    many.coinbase = many.validators[3];
    check(&network, &many, "LC-QBFT-017");
}

#[test]
fn qb_08_seals_and_vanity_have_one_form() {
    let network = network_of(4);
    let good = network.next().sealed(&network.keys);
    let check_with = |change: &dyn Fn(&mut HeaderSpec), expect: &str| {
        let mut header = good.clone();
        change(&mut header);
        check(&network, &header, expect);
    };
    // Items after the seals, and bytes after the list.
    check_with(&|h| h.extra_items = std::vec![0x80], "LC-RLP-012");
    check_with(&|h| h.extra_items = std::vec![0xc0], "LC-RLP-012");
    // Seals of other lengths and with other recovery ids, and a seal of zeros.
    check_with(
        &|h| {
            h.seals[0].pop();
        },
        "LC-RLP-009",
    );
    check_with(&|h| h.seals[0].push(0), "LC-RLP-009");
    check_with(&|h| h.seals[0][64] += 27, "LC-SIG-001");
    check_with(&|h| h.seals[0][64] = 2, "LC-SIG-001");
    check_with(&|h| h.seals[0] = std::vec![0; 65], "LC-SIG-003");
    check_with(&|h| h.seals = std::vec![std::vec![0; 65]; 3], "LC-SIG-003");
    // Vanity of other lengths.
    check_with(&|h| h.vanity = std::vec![0; 31], "LC-RLP-009");
    check_with(&|h| h.vanity = std::vec![0; 33], "LC-RLP-009");
}

#[test]
fn headers_have_the_constants_of_the_family() {
    let network = network_of(4);
    let check_with = |change: fn(&mut HeaderSpec), expect: &str| {
        let mut header = network.next();
        change(&mut header);
        check(&network, &header.sealed(&network.keys), expect);
    };
    check_with(|_| (), "ok");
    check_with(|h| h.difficulty = 0, "LC-QBFT-009");
    check_with(|h| h.difficulty = 2, "LC-QBFT-009");
    check_with(|h| h.mix_hash[31] ^= 1, "LC-QBFT-010");
    check_with(|h| h.mix_hash = [0; 32], "LC-QBFT-010");
    check_with(|h| h.coinbase = Address([7; 20]), "LC-QBFT-011");
    check_with(|h| h.state_root = Hash32([0; 32]), "LC-QBFT-012");
    check_with(|h| h.time_seconds = u64::MAX, "LC-QBFT-013");
    check_with(|h| h.time_seconds = u64::MAX / 1_000_000_000 + 1, "LC-QBFT-013");
    check_with(|h| h.time_seconds = u64::MAX / 1_000_000_000, "LC-TRUST-005");
}

#[test]
fn only_one_encoding_of_a_header_is_read() {
    let network = network_of(4);
    let good = network.next().sealed(&network.keys).encode();
    let check = |bytes: &[u8], expect: &str| check_bytes(&network, network.config(), bytes, expect);
    check(&good, "ok");
    check(&[], "LC-RLP-001");
    check(&good[..good.len() - 1], "LC-RLP-001");
    check(&[&good[..], &[0]].concat(), "LC-RLP-002");
    check(&[0xc0], "LC-QBFT-002");
    check(&std::vec![0; MAX_HEADER_BYTES + 1], "LC-QBFT-001");
    check(&std::vec![0; MAX_HEADER_BYTES], "LC-RLP-002");
    // Fourteen fields, and more than are looked at.
    let list = |items: &[u8]| {
        let mut out = Vec::new();
        crate::rlp::put_list(&mut out, items);
        out
    };
    check(&list(&[0x80; 14]), "LC-QBFT-002");
    check(&list(&[0x80; 41]), "LC-RLP-012");
    // Every fixed or numeric field with a byte too many, by its position in the header.
    let fields = crate::rlp::Item::decode(&good).unwrap().items(15).unwrap();
    for (position, expect) in [
        (0, "LC-RLP-009"),
        (1, "LC-RLP-009"),
        (2, "LC-RLP-009"),
        (3, "LC-RLP-009"),
        (4, "LC-RLP-009"),
        (5, "LC-RLP-009"),
        (6, "LC-RLP-009"),
        (7, "LC-RLP-010"),
        (8, "LC-RLP-010"),
        (9, "LC-RLP-010"),
        (10, "LC-RLP-010"),
        (11, "LC-RLP-010"),
        (13, "LC-RLP-009"),
        (14, "LC-RLP-009"),
    ] {
        let mut payload = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            if at == position {
                let longer = [&[0][..], field.bytes().unwrap()].concat();
                crate::rlp::put_bytes(&mut payload, &longer);
            } else {
                payload.extend_from_slice(field.raw());
            }
        }
        check(&list(&payload), expect);
    }
}
