//! Nothing of its own: the tests compare. See `tests/`.
