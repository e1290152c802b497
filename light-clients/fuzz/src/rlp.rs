//! Strict RLP: what is accepted encodes back to the same bytes, and opening an item never contradicts the check.

use catenary_light_clients::rlp::{check_canonical, put_bytes, put_list, Item, Kind};

/// Most items that the check is let to visit.
const MAX_ITEMS: usize = 4096;

/// An accepted input is rebuilt from its values and must come out as it went in.
pub fn canonical(input: &[u8]) {
    if check_canonical(input, MAX_ITEMS).is_err() {
        return;
    }
    let item = Item::decode(input).expect("the check has accepted it");
    let mut rebuilt = Vec::new();
    // The check bounds the depth, so this recursion is bounded as well.
    rebuild(item, &mut rebuilt);
    assert_eq!(rebuilt, input, "decode and encode again");
}

fn rebuild(item: Item<'_>, out: &mut Vec<u8>) {
    match item.kind() {
        Kind::Bytes => put_bytes(out, item.bytes().expect("it is a string")),
        Kind::List => {
            let mut payload = Vec::new();
            let items = item.items(MAX_ITEMS).expect("the check has accepted the items");
            items.into_iter().for_each(|item| rebuild(item, &mut payload));
            put_list(out, &payload);
        }
    }
}

/// Strings and lists of each form.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let string = |length: usize| {
        let mut out = Vec::new();
        put_bytes(&mut out, &vec![0xab; length]);
        out
    };
    let list = |payload: &[u8]| {
        let mut out = Vec::new();
        put_list(&mut out, payload);
        out
    };
    let nested = (0..20).fold(list(&[]), |inner, _| list(&inner));
    let all = [string(0), string(1), string(55), string(56), string(300), list(&string(60)), nested].concat();
    vec![vec![5], string(0), string(55), string(56), string(300), list(&[]), list(&all)]
}
