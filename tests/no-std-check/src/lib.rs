//! Links the light clients of all families into a library without the standard library.
//!
//! It has a global allocator and a panic handler of its own. If any dependency linked std, the build would end with
//! `found duplicate lang item panic_impl`; `check.sh` also looks for symbols of std in the result.
#![no_std]

extern crate alloc;

use alloc::{string::String, vec, vec::Vec};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

use catenary_light_clients::bft::{self, Client, Form, ValidatorContract};
use catenary_light_clients::cometbft::{self, CometBft};
use catenary_light_clients::grandpa::{self, Grandpa};
use catenary_light_clients::ibft2::Ibft2Form;
use catenary_light_clients::qbft::QbftForm;
use catenary_light_clients::{Anchor, Hash32, LightClient, Timestamp, TrustOptions, Verdict};

/// Bytes that the allocator has to give.
const HEAP_BYTES: usize = 1 << 20;

/// Gives memory from a fixed block and takes none back: enough to link against, and to run one call.
struct Bump {
    heap: UnsafeCell<[u8; HEAP_BYTES]>,
    next: AtomicUsize,
}

// SAFETY: each allocation is a range of its own, reserved by an atomic addition.
unsafe impl Sync for Bump {}

// SAFETY: ranges are inside the heap, aligned as asked, and never given twice.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let reserved = layout.size().saturating_add(layout.align());
        let start = self.next.fetch_add(reserved, Ordering::Relaxed);
        if start.saturating_add(reserved) > HEAP_BYTES {
            return core::ptr::null_mut();
        }
        let base = self.heap.get().cast::<u8>().wrapping_add(start);
        base.wrapping_add(base.align_offset(layout.align()))
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { heap: UnsafeCell::new([0; HEAP_BYTES]), next: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

fn trust() -> TrustOptions {
    TrustOptions {
        trusting_period_seconds: 1,
        clock_drift_seconds: 1,
        churn_limit_permille: 0,
        allow_no_fault_tolerance: false,
        retain_heights: 2,
    }
}

/// Drives a light client through every method, so that all of it is linked.
fn drive(mut client: impl LightClient, update: &[u8]) -> usize {
    let advanced = matches!(client.advance(update, Timestamp::from_seconds(1)), Verdict::Verified(_));
    let proven = client.membership(1, update, update, update).is_ok() || client.absence(1, update, update).is_ok();
    let found = client.misbehaviour(update, update, Timestamp::from_seconds(1)).is_ok();
    usize::from(advanced) + usize::from(proven) + usize::from(found) + client.save().len()
}

fn drive_cometbft(update: &[u8]) -> usize {
    let config = cometbft::Config {
        chain_id: String::from("chain-1"),
        anchor: Anchor { height: 1, hash: Hash32([1; 32]) },
        store_prefix: vec![b"ibc".to_vec(), Vec::new()],
        trust: trust(),
        skipping: false,
    };
    let restored = CometBft::restore(config.clone(), update, &Hash32([2; 32]));
    CometBft::new(config, update).or(restored).map_or(0, |client| drive(client, update))
}

fn drive_grandpa(update: &[u8]) -> usize {
    let config = grandpa::Config {
        chain_id: String::from("chain-1"),
        anchor: Anchor { height: 1, hash: Hash32([1; 32]) },
        store: grandpa::Store { pallet: String::from("Ibc"), item: String::from("Commitments") },
        trust: trust(),
        skipping: false,
    };
    let restored = Grandpa::restore(config.clone(), update, &Hash32([2; 32]));
    Grandpa::new(config, update).or(restored).map_or(0, |client| drive(client, update))
}

fn drive_bft<F: Form>(update: &[u8], validator_contract: Option<ValidatorContract>) -> usize {
    let config = bft::Config {
        chain_id: String::from("1337"),
        anchor: Anchor { height: 1, hash: Hash32([1; 32]) },
        router: [1; 20],
        commitment_slot: [2; 32],
        trust: trust(),
        skipping: false,
        validator_contract,
    };
    let restored = Client::<F>::restore(config.clone(), update, &Hash32([2; 32]));
    Client::<F>::new(config, update).or(restored).map_or(0, |client| drive(client, update))
}

/// What a host would call: verifies bytes with every family.
///
/// # Safety
/// `update` points to `length` readable bytes.
#[no_mangle]
pub unsafe extern "C" fn catenary_verify(update: *const u8, length: usize) -> usize {
    // SAFETY: the caller's promise.
    let update = unsafe { core::slice::from_raw_parts(update, length) };
    let contract = ValidatorContract { address: [3; 20], slot: [0; 32] };
    drive_cometbft(update)
        + drive_grandpa(update)
        + drive_bft::<QbftForm>(update, None)
        + drive_bft::<QbftForm>(update, Some(contract))
        + drive_bft::<Ibft2Form>(update, None)
}
