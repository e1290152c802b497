//! What the attestor needs of the keystore.

use catenary_light_clients::InstanceId;
use catenary_protocol::attestation::Address;
use catenary_protocol::{PacketAttestation, StateAttestation};

/// The attestor's key of one attested chain. It signs statements, not digests, so that it can remember them.
///
/// Both signing methods are idempotent, may block on the journal, and have journaled what they signed when they
/// return. Signatures are `r‖s‖v` with low s and v 27 or 28.
pub trait AttestationSigner: Send + Sync {
    /// The address that on-chain clients know this attestor by.
    fn address(&self) -> Address;

    /// Signs the time of a height.
    ///
    /// # Errors
    /// The key is not bound to this light client, another time was signed for this height, or the memory of what was
    /// signed is missing.
    fn sign_state(&self, instance: InstanceId, statement: &StateAttestation) -> catenary_api::Result<[u8; 65]>;

    /// Signs what paths hold at a height.
    ///
    /// # Errors
    /// The key is not bound to this light client, or the memory of what was signed is missing.
    fn sign_packets(&self, instance: InstanceId, statement: &PacketAttestation) -> catenary_api::Result<[u8; 65]>;
}
