//! The EVM adapter: JSON-RPC transport, event scan, proofs and transactions. Bytes and claims, never verdicts.
