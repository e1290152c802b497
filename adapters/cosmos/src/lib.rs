//! The Cosmos adapter: CometBFT RPC transport, event scan, proofs and transactions. Bytes and claims, never verdicts.
