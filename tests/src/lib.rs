//! Real nodes on loopback, house rules as tests, and the end-to-end suite.
