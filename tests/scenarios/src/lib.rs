//! Nothing is built here: the simulation is the test target of this package, `sim/main.rs`.
