//! Configuration: what may be said, where it comes from, and what is refused.
