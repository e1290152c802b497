//! Fuzz bodies as plain functions, run on a corpus and seeded mutations by the tests and by cargo-fuzz by hand.
