//! Changes of the GRANDPA authorities at a word of root: what a session pallet does each era, and what an emergency
//! does once. For tests.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use alloc::vec::Vec;

    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_consensus_grandpa::AuthorityList;

    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// It needs the GRANDPA pallet, whose authorities it changes.
    #[pallet::config]
    pub trait Config: frame_system::Config + pallet_grandpa::Config {}

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// A scheduled change: these keys with these weights, so many blocks after this one. The blocks up to there are
        /// finalised by the old authorities.
        #[pallet::call_index(0)]
        #[pallet::weight(Weight::from_parts(10_000_000, 0))]
        pub fn rotate(
            origin: OriginFor<T>,
            authorities: Vec<([u8; 32], u64)>,
            delay: BlockNumberFor<T>,
        ) -> DispatchResult {
            ensure_root(origin)?;
            change::<T>(authorities, delay, None)
        }

        /// A forced change: the new authorities take over without the old ones, from the block `last_finalised` on.
        #[pallet::call_index(1)]
        #[pallet::weight(Weight::from_parts(10_000_000, 0))]
        pub fn force(
            origin: OriginFor<T>,
            authorities: Vec<([u8; 32], u64)>,
            delay: BlockNumberFor<T>,
            last_finalised: BlockNumberFor<T>,
        ) -> DispatchResult {
            ensure_root(origin)?;
            change::<T>(authorities, delay, Some(last_finalised))
        }
    }

    fn change<T: Config>(
        authorities: Vec<([u8; 32], u64)>,
        delay: BlockNumberFor<T>,
        forced: Option<BlockNumberFor<T>>,
    ) -> DispatchResult {
        let next: AuthorityList = authorities
            .into_iter()
            .map(|(key, weight)| (sp_core::ed25519::Public::from_raw(key).into(), weight))
            .collect();
        pallet_grandpa::Pallet::<T>::schedule_change(next, delay, forced)?;
        // What the GRANDPA pallet's session handler does where there are sessions.
        pallet_grandpa::CurrentSetId::<T>::mutate(|id| *id = id.saturating_add(1));
        Ok(())
    }
}
