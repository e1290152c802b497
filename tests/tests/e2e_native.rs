//! A native path between two real ibc-go chains: each has a `07-tendermint` client of the other, which believes its
//! validators, and nobody attests anything. The program sets it up and relays as an operator has it do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::time::Duration;

use catenary_tests::localnet::{nodes_are_here, Simd, SimdOptions};
use catenary_tests::native::{chain_id, voucher, NativePath, Terms, CHAINS};

const DENOM: &str = "atoken";
/// Generous for loaded machines; nothing here waits for a fixed time.
const DEADLINE: Duration = Duration::from_secs(120);

/// Two networks, and the program between them.
struct Rig {
    nets: [Simd; 2],
    path: NativePath,
}

impl Rig {
    fn start() -> Self {
        let net = |at: usize, validators: usize| {
            let key_seed = format!("catenary native {}", CHAINS[at]);
            Simd::start(SimdOptions { validators, chain_id: chain_id(at), key_seed, ..SimdOptions::default() }).unwrap()
        };
        let nets = [net(0, 4), net(1, 1)];
        let urls = [0, 1].map(|at: usize| nets[at].rpc_url(0).to_owned());
        let mut path = NativePath::new(urls, DENOM, Terms::default());
        for (at, net) in nets.iter().enumerate() {
            path.anchor(at, net.wait_for_height(4, DEADLINE).unwrap() - 1);
        }
        path.create_path();
        Self { nets, path }
    }

    /// What the customer holds.
    fn holds(&self, at: usize, denom: &str) -> u64 {
        let adapter = NativePath::adapter(at, self.nets[at].rpc_url(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let held = runtime.block_on(adapter.balance(&self.path.customers[at].cosmos_address, denom)).unwrap();
        held.parse().unwrap()
    }
}

#[test]
fn value_goes_both_ways_between_real_chains_and_comes_back_where_it_is_refused_or_late() {
    if !nodes_are_here("e2e_native::value_goes_both_ways_between_real_chains") {
        return;
    }
    let mut rig = Rig::start();
    let checked = rig.path.output(&["check", "--online"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}\n{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(said.matches("as our light client has verified it").count(), 2, "{said}");
    rig.path.start(None);

    let voucher = voucher(DENOM);
    let before = [rig.holds(0, DENOM), rig.holds(1, DENOM)];
    assert_eq!(rig.path.transfer(0, (DENOM, 500), &[]), "acknowledged");
    assert_eq!((rig.holds(0, DENOM), rig.holds(1, &voucher)), (before[0] - 500, 500));
    assert_eq!(rig.path.transfer(1, (&voucher, 200), &[]), "acknowledged", "and home again");
    assert_eq!((rig.holds(0, DENOM), rig.holds(1, &voucher)), (before[0] - 300, 300));
    assert_eq!(rig.path.transfer(1, (DENOM, 70), &[]), "acknowledged", "the other chain's own");
    assert_eq!((rig.holds(1, DENOM), rig.holds(0, &voucher)), (before[1] - 70, 70));
    assert_eq!(
        rig.path.transfer(0, (DENOM, 11), &["--receiver", "cosmos1nobody"]),
        "refunded",
        "the other end refuses it"
    );
    // Nearer than the margin within which packets are delivered, so it is late for certain.
    assert_eq!(rig.path.transfer(1, (DENOM, 33), &["--timeout-seconds", "5"]), "refunded", "it was late");
    assert_eq!([rig.holds(0, DENOM), rig.holds(1, DENOM)], [before[0] - 300, before[1] - 70], "nothing is lost");
}
