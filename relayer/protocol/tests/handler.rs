//! The IBC v2 handler: its rules one by one, its answers on the golden bytes of ibc-go, and random histories against
//! a model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "a test")]

mod handler {
    mod apps;
    mod clients;
    mod golden;
    mod hostile;
    mod model;
    mod native;
    mod native_grandpa;
    mod packets;
    pub(crate) mod rig;
    mod smoke;
    mod tendermint;
}
