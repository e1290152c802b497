//! IBC v2 as bytes: packets, commitments, paths, acknowledgements, attestations and transfer payloads.
