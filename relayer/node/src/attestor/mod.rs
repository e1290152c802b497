//! The attestation service that members ask, and the collector that asks them.
