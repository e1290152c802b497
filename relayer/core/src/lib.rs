//! The engine: packet lifecycle, batching, deadlines and turns as pure functions.
