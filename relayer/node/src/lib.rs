//! The catenary node.
