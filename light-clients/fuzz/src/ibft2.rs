//! IBFT 2.0 headers, updates, evidence and saved state.

use std::sync::OnceLock;

use catenary_light_clients::ibft2::Ibft2Form;
use catenary_light_clients::testing::Encoding;

use crate::bft::World;

fn world() -> &'static World<Ibft2Form> {
    static WORLD: OnceLock<World<Ibft2Form>> = OnceLock::new();
    WORLD.get_or_init(|| World::new(Encoding::Ibft2))
}

/// See [`World::header`].
pub fn header(input: &[u8]) {
    world().header(input);
}

/// See [`World::advance`].
pub fn advance(input: &[u8]) {
    world().advance(input);
}

/// See [`World::misbehaviour`].
pub fn misbehaviour(input: &[u8]) {
    world().misbehaviour(input);
}

/// See [`World::restore`].
pub fn restore(input: &[u8]) {
    world().restore(input);
}

/// See [`World::header_seeds`].
#[must_use]
pub fn header_seeds() -> Vec<Vec<u8>> {
    world().header_seeds()
}

/// See [`World::evidence_seeds`].
#[must_use]
pub fn evidence_seeds() -> Vec<Vec<u8>> {
    world().evidence_seeds()
}

/// See [`World::state_seeds`].
#[must_use]
pub fn state_seeds() -> Vec<Vec<u8>> {
    world().state_seeds()
}
