//! The drivers that carry the engine's effects out.
