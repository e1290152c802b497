//! Benches: each budget as a ratio against a reference measured in the same run.
