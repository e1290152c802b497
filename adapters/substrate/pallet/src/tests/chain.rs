//! A runtime with balances, assets, a clock and the pallet.

use frame_support::{
    derive_impl, parameter_types,
    traits::{AsEnsureOriginWithArg, ConstU128, ConstU16, ConstU32, UnfilteredDispatchable},
};
use frame_system::{EnsureNever, EnsureRoot};
use sp_core::crypto::AccountId32;
use sp_runtime::{traits::IdentityLookup, BuildStorage, DispatchError, DispatchResult};

use crate as pallet_catenary_ibc;
use crate::{Error, Event, Refusal};

type Block = frame_system::mocking::MockBlock<Test>;

frame_support::construct_runtime!(
    pub enum Test {
        System: frame_system,
        Timestamp: pallet_timestamp,
        Balances: pallet_balances,
        Assets: pallet_assets,
        Ibc: pallet_catenary_ibc,
    }
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
    type Block = Block;
    type AccountId = AccountId32;
    type Lookup = IdentityLookup<AccountId32>;
    type AccountData = pallet_balances::AccountData<u128>;
    type SS58Prefix = ConstU16<42>;
}

#[derive_impl(pallet_timestamp::config_preludes::TestDefaultConfig)]
impl pallet_timestamp::Config for Test {}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
    type Balance = u128;
    type ExistentialDeposit = ConstU128<{ ED }>;
    type AccountStore = System;
}

#[derive_impl(pallet_assets::config_preludes::TestDefaultConfig)]
impl pallet_assets::Config for Test {
    type Balance = u128;
    type Currency = Balances;
    type CreateOrigin = AsEnsureOriginWithArg<EnsureNever<AccountId32>>;
    type ForceOrigin = EnsureRoot<AccountId32>;
    type AssetDeposit = ConstU128<1>;
    type AssetAccountDeposit = ConstU128<1>;
    type MetadataDepositBase = ConstU128<1>;
    type MetadataDepositPerByte = ConstU128<1>;
    type ApprovalDeposit = ConstU128<1>;
    type Freezer = ();
}

parameter_types! {
    pub const NativeDenom: &'static str = "unit";
}

impl pallet_catenary_ibc::Config for Test {
    type AdminOrigin = EnsureRoot<AccountId32>;
    type PauseOrigin = EnsureRoot<AccountId32>;
    type RelayerOrigin = pallet_catenary_ibc::EnsureRelayer<Test>;
    type Time = Timestamp;
    type Native = Balances;
    type Assets = Assets;
    type NativeDenom = NativeDenom;
    type FirstVoucher = ConstU32<{ FIRST_VOUCHER }>;
    type MaxVouchers = ConstU32<2>;
    type MaxClients = ConstU32<4>;
    type WeightInfo = ();
}

/// The smallest native balance.
pub(crate) const ED: u128 = 500;
/// The asset id of the first voucher.
pub(crate) const FIRST_VOUCHER: u32 = 1_000;
/// A local asset whose smallest balance is [`ASSET_MIN`].
pub(crate) const ASSET: u32 = 5;
/// Its smallest balance.
pub(crate) const ASSET_MIN: u128 = 10;
/// What alice and bob have at first, of each.
pub(crate) const WEALTH: u128 = 1_000_000;

/// An account.
pub(crate) const fn who(number: u8) -> AccountId32 {
    AccountId32::new([number; 32])
}

pub(crate) const ALICE: AccountId32 = who(1);
pub(crate) const BOB: AccountId32 = who(2);
pub(crate) const RELAYER: AccountId32 = who(3);
/// Owns nothing at all.
pub(crate) const POOR: AccountId32 = who(4);

/// The address of an account.
pub(crate) fn address(who: &AccountId32) -> String {
    Ibc::address(who)
}

/// A chain at its block 1.
pub(crate) fn new_chain() -> sp_io::TestExternalities {
    let mut storage = frame_system::GenesisConfig::<Test>::default().build_storage().unwrap();
    let balances = vec![(ALICE, WEALTH), (BOB, WEALTH)];
    pallet_balances::GenesisConfig::<Test> { balances, ..Default::default() }.assimilate_storage(&mut storage).unwrap();
    pallet_assets::GenesisConfig::<Test> {
        assets: vec![(ASSET, ALICE, true, ASSET_MIN)],
        accounts: vec![(ASSET, ALICE, WEALTH)],
        ..Default::default()
    }
    .assimilate_storage(&mut storage)
    .unwrap();
    let mut chain = sp_io::TestExternalities::new(storage);
    chain.execute_with(|| System::set_block_number(1));
    chain
}

/// Runs a call as the runtime does: what fails leaves nothing.
pub(crate) fn call(origin: RuntimeOrigin, call: crate::Call<Test>) -> DispatchResult {
    let before = sp_io::storage::root(sp_runtime::StateVersion::V1);
    let result = RuntimeCall::Ibc(call).dispatch_bypass_filter(origin).map(|_| ()).map_err(|error| error.error);
    if result.is_err() {
        assert_eq!(before, sp_io::storage::root(sp_runtime::StateVersion::V1), "a refused call changed the state");
    }
    result
}

/// Events of the pallet, taken.
pub(crate) fn take_events() -> Vec<Event<Test>> {
    let ours = |record: frame_system::EventRecord<RuntimeEvent, _>| match record.event {
        RuntimeEvent::Ibc(event) => Some(event),
        _ => None,
    };
    let events = System::read_events_no_consensus().map(|record| *record).filter_map(ours).collect();
    System::reset_events();
    events
}

/// The error with this stable code.
pub(crate) fn refused(code: &str) -> DispatchError {
    Error::<Test>::Refused(Refusal::of(code)).into()
}

#[test]
fn the_runtime_is_sound() {
    new_chain().execute_with(|| {
        <AllPalletsWithSystem as frame_support::traits::IntegrityTest>::integrity_test();
    });
}
