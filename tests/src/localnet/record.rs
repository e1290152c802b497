//! Records live vectors.
