//! The pallet in a mock runtime: two chains that know each other, and one that knows a QBFT chain.

mod chain;
mod costs;
mod grandpa;
mod histories;
mod native;
mod rig;
mod roles;
mod storage;
mod tendermint;
mod transfers;
