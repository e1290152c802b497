//! Who may relay.

use core::marker::PhantomData;

use frame_support::traits::EnsureOrigin;
use frame_system::RawOrigin;
use sp_core::crypto::AccountId32;

use crate::{Config, Relayers};

/// A signer that is on the pallet's list of relayers, or any signer while nobody is on it.
#[derive(Debug)]
pub struct EnsureRelayer<T>(PhantomData<T>);

impl<T: Config> EnsureOrigin<T::RuntimeOrigin> for EnsureRelayer<T> {
    type Success = AccountId32;

    fn try_origin(origin: T::RuntimeOrigin) -> Result<AccountId32, T::RuntimeOrigin> {
        let signed: Result<RawOrigin<AccountId32>, T::RuntimeOrigin> = origin.into();
        match signed {
            Ok(RawOrigin::Signed(who)) => {
                let relayers = Relayers::<T>::get();
                if relayers.is_empty() || relayers.contains(&who) {
                    Ok(who)
                } else {
                    Err(T::RuntimeOrigin::from(RawOrigin::Signed(who)))
                }
            }
            Ok(other) => Err(T::RuntimeOrigin::from(other)),
            Err(origin) => Err(origin),
        }
    }

    #[cfg(feature = "runtime-benchmarks")]
    fn try_successful_origin() -> Result<T::RuntimeOrigin, ()> {
        Ok(T::RuntimeOrigin::from(RawOrigin::Signed(AccountId32::new([1; 32]))))
    }
}
