//! Recorded answers of a GoQuorum network, for the unit tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use serde_json::Value;

pub(crate) fn blocks() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/blocks.json")).unwrap()
}

pub(crate) fn logs() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/logs.json")).unwrap()
}

pub(crate) fn receipts() -> Vec<Value> {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/receipts.json")).unwrap()
}

pub(crate) fn proof() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/evm/proof.json")).unwrap()
}

/// The value with one field replaced, or taken away where the new value is null.
pub(crate) fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut changed = value.clone();
    if new.is_null() {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = changed.pointer_mut(parent).unwrap();
        assert!(parent.as_object_mut().unwrap().remove(field).is_some(), "{pointer}");
    } else {
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = new;
    }
    changed
}
