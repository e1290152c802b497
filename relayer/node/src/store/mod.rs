//! The working state behind the Store trait: sled for a node, memory for tests.
