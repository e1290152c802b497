//! IBC v2 on a Substrate chain: a FRAME pallet that runs the protocol's handler ([`catenary_protocol::handler`]) and,
//! as on-chain clients, the light clients that operators run off chain ([`catenary_light_clients`]).
//!
//! **Where commitments are.** Packet commitments, receipts and acknowledgements lie in [`Commitments`] at
//! `twox128(pallet's name) ‖ twox128("Commitments") ‖ path`, with the bytes of the ICS-24 v2 path as they are and
//! without a hash: a counterparty's merkle prefix is those 32 bytes. Values are stored as they are, too: the 32 bytes
//! of a commitment, or the one byte of a receipt. Nobody but the pallet chooses what a path begins with, so keys
//! without a hash cannot be used to unbalance the tree.
//!
//! **Who may do what.** The admin origin creates clients, registers counterparties and names relayers; the relayer
//! origin ([`EnsureRelayer`]) brings proofs; the pause origin stops sending and receiving, while acknowledgements and
//! timeouts go on, so that no refund waits for an administrator. Anybody may send a transfer of their own.
//!
//! **Value.** Transfers (ICS-20, port `transfer`) take native balance, assets (`asset-N`) and vouchers (`ibc/HASH`).
//! A voucher is an asset from `FirstVoucher` on; runtimes must let nobody else create assets there. The escrow account
//! of a client must hold an asset's smallest balance before the first of it can be sent, so that what is owed can be
//! paid out to the last unit.
//!
//! **Failure.** A call that fails leaves nothing behind, and its error has the stable code of the check that refused
//! ([`Refusal`]). In a [`Pallet::deliver`] one failed message undoes them all.
//!
//! **What an attacker can grow.** A sender: one commitment a transfer, paid for with its fee. A relayer: receipts and
//! acknowledgements of packets that a counterparty proves, consensus states of proven updates, and vouchers up to
//! `MaxVouchers`. Values, keys, batches and lists are bounded in `types`.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
mod events;
mod host;
mod raw;
mod refusal;
mod relayers;
mod run;
mod types;
mod weights;

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]
mod tests;

pub use events::MessageKind;
pub use pallet::*;
pub use raw::Raw;
pub use refusal::{Area, Refusal};
pub use relayers::EnsureRelayer;
pub use types::{
    Acknowledge, Any, Bytes, ClientId, Height, MerklePrefix, Message, ProofAt, RecvPacket, Timeout, Transfer,
    UpdateClient, CLIENT_RELAYERS_MAX, COMMITMENT_BYTES_MAX, KEY_BYTES_MAX, MESSAGES_MAX, PATH_BYTES_MAX, RELAYERS_MAX,
    STATE_BYTES_MAX,
};
pub use weights::WeightInfo;

/// The escrow account of a client: what left through it lies there.
#[must_use]
pub fn escrow_account(client_id: &str) -> sp_core::crypto::AccountId32 {
    let mut id = [0; 20];
    id.iter_mut().zip(catenary_protocol::handler::escrow_account(client_id)).for_each(|(to, from)| *to = from);
    address::escrow(&id)
}

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use alloc::{string::String, vec::Vec};

    use frame_support::{
        pallet_prelude::*,
        traits::{fungible, fungibles, UnixTime},
    };
    use frame_system::pallet_prelude::*;
    use sp_core::crypto::AccountId32;

    use super::events::MessageKind;
    use super::types::{
        Acknowledge, Any, ClientId, Height, MerklePrefix, Message, RecvPacket, Timeout, Transfer, UpdateClient,
        CLIENT_RELAYERS_MAX, COMMITMENT_BYTES_MAX, KEY_BYTES_MAX, MESSAGES_MAX, PATH_BYTES_MAX, RELAYERS_MAX,
        STATE_BYTES_MAX,
    };
    use super::{run, Raw, Refusal, WeightInfo};

    /// The form of the storage.
    pub const STORAGE_VERSION: StorageVersion = StorageVersion::new(1);

    #[pallet::pallet]
    #[pallet::storage_version(STORAGE_VERSION)]
    pub struct Pallet<T>(_);

    /// What the runtime gives the pallet.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>, AccountId = AccountId32> {
        /// Creates clients, registers counterparties, names relayers, ends a pause.
        type AdminOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Stops sending and receiving.
        type PauseOrigin: EnsureOrigin<Self::RuntimeOrigin>;
        /// Brings proofs; [`EnsureRelayer`](super::EnsureRelayer) asks the list kept here.
        type RelayerOrigin: EnsureOrigin<Self::RuntimeOrigin, Success = AccountId32>;
        /// Time of the block.
        type Time: UnixTime;
        /// The chain's own balances.
        type Native: fungible::Mutate<AccountId32, Balance = u128>;
        /// Assets, among them the vouchers.
        type Assets: fungibles::Mutate<AccountId32, AssetId = u32, Balance = u128> + fungibles::Create<AccountId32>;
        /// Name of the chain's own unit: letters and digits, neither `ibc/…` nor `asset-…`.
        #[pallet::constant]
        type NativeDenom: Get<&'static str>;
        /// The first asset id of vouchers. Nobody else may create assets from here on.
        #[pallet::constant]
        type FirstVoucher: Get<u32>;
        /// Most vouchers.
        #[pallet::constant]
        type MaxVouchers: Get<u32>;
        /// Most clients.
        #[pallet::constant]
        type MaxClients: Get<u32>;
        /// What calls cost.
        type WeightInfo: WeightInfo;
    }

    /// Packet commitments, receipts and acknowledgements by path, both stored as they are: see the crate's doc.
    #[pallet::storage]
    pub type Commitments<T: Config> = StorageMap<_, Identity, Raw<PATH_BYTES_MAX>, Raw<COMMITMENT_BYTES_MAX>>;

    /// What the handler keeps and no counterparty asks for: clients, counterparties, sequences, traces of vouchers.
    #[pallet::storage]
    pub type Private<T: Config> = StorageMap<_, Blake2_128Concat, Raw<KEY_BYTES_MAX>, Raw<STATE_BYTES_MAX>>;

    /// The asset of each voucher, by the hash in its name.
    #[pallet::storage]
    pub type Vouchers<T: Config> = StorageMap<_, Identity, [u8; 32], u32>;

    /// How many vouchers there are.
    #[pallet::storage]
    pub type VoucherCount<T: Config> = StorageValue<_, u32, ValueQuery>;

    /// Who may relay; nobody in it means everybody.
    #[pallet::storage]
    pub type Relayers<T: Config> = StorageValue<_, BoundedBTreeSet<AccountId32, ConstU32<RELAYERS_MAX>>, ValueQuery>;

    /// Whether sending and receiving are stopped.
    #[pallet::storage]
    pub type Paused<T: Config> = StorageValue<_, bool, ValueQuery>;

    /// What happened. Ids and texts are bytes of UTF-8; packets and acknowledgements are whole, in protobuf
    /// (`ibc.core.channel.v2`).
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A client was created.
        ClientCreated {
            /// Its id.
            client_id: Vec<u8>,
            /// Its type.
            client_type: Vec<u8>,
            /// The height that it starts from.
            height: Height,
        },
        /// A client knows these heights.
        ClientUpdated {
            /// Its id.
            client_id: Vec<u8>,
            /// The heights.
            heights: Vec<Height>,
        },
        /// A client was shown misbehaviour and is frozen.
        ClientFrozen {
            /// Its id.
            client_id: Vec<u8>,
        },
        /// A client's counterparty was registered.
        CounterpartyRegistered {
            /// The client.
            client_id: Vec<u8>,
            /// Its counterparty.
            counterparty_client_id: Vec<u8>,
        },
        /// A packet was sent.
        PacketSent {
            /// The source client.
            client_id: Vec<u8>,
            /// Its sequence.
            sequence: u64,
            /// The packet.
            packet: Vec<u8>,
        },
        /// A packet was received.
        PacketReceived {
            /// The destination client.
            client_id: Vec<u8>,
            /// Its sequence.
            sequence: u64,
            /// The packet.
            packet: Vec<u8>,
        },
        /// A received packet's acknowledgement was written.
        AcknowledgementWritten {
            /// The destination client.
            client_id: Vec<u8>,
            /// Its sequence.
            sequence: u64,
            /// The packet.
            packet: Vec<u8>,
            /// The acknowledgement.
            acknowledgement: Vec<u8>,
        },
        /// A sent packet's acknowledgement came.
        PacketAcknowledged {
            /// The source client.
            client_id: Vec<u8>,
            /// Its sequence.
            sequence: u64,
            /// The packet.
            packet: Vec<u8>,
        },
        /// A sent packet timed out.
        PacketTimedOut {
            /// The source client.
            client_id: Vec<u8>,
            /// Its sequence.
            sequence: u64,
            /// The packet.
            packet: Vec<u8>,
        },
        /// A message about a packet had been done before: nothing changed.
        Noop {
            /// Which message.
            kind: MessageKind,
            /// The client of this chain.
            client_id: Vec<u8>,
            /// The packet's sequence.
            sequence: u64,
        },
        /// Something that an app did, as ibc-go shows it.
        Application {
            /// Event type.
            kind: Vec<u8>,
            /// Attributes.
            attributes: Vec<(Vec<u8>, Vec<u8>)>,
            /// Whether it was undone, because the app failed.
            undone: bool,
        },
        /// Who may relay through a client was set; nobody means everybody.
        ClientRelayersSet {
            /// The client.
            client_id: Vec<u8>,
            /// The relayers.
            relayers: Vec<AccountId32>,
        },
        /// A relayer was named, or is one no more.
        RelayerSet {
            /// The relayer.
            who: AccountId32,
            /// Whether it may relay.
            allowed: bool,
        },
        /// Sending and receiving are stopped.
        PauseStarted,
        /// Sending and receiving go on.
        PauseEnded,
    }

    /// Why a call fails.
    #[pallet::error]
    pub enum Error<T> {
        /// A check refused; this is its stable code. The node's log (`runtime::ibc`) has both compared values.
        Refused(Refusal),
        /// An id, a name or another text is not UTF-8.
        NotText,
        /// Something is too large to be stored.
        TooLarge,
        /// Sending and receiving are stopped.
        IsPaused,
        /// The list of relayers is full.
        TooManyRelayers,
        /// The message is an update, and shows no misbehaviour.
        NotMisbehaviour,
        /// There is nothing to deliver.
        Empty,
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn integrity_test() {
            let denom = T::NativeDenom::get();
            let plain = !denom.is_empty() && denom.bytes().all(|byte| byte.is_ascii_alphanumeric());
            assert!(plain, "NativeDenom {denom:?} has to be letters and digits");
            let last = T::FirstVoucher::get().checked_add(T::MaxVouchers::get());
            assert!(last.is_some(), "FirstVoucher and MaxVouchers together are more than 2^32 - 1");
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Creates a client from its first state: `attestations`, `07-tendermint`, `catenary-qbft` or
        /// `catenary-grandpa`, by the type URL.
        #[pallet::call_index(0)]
        #[pallet::weight(T::WeightInfo::create_client(length(&[&client_state.value, &consensus_state.value])))]
        pub fn create_client(origin: OriginFor<T>, client_state: Any, consensus_state: Any) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            run::create_client::<T>(client_state, consensus_state)
        }

        /// Tells a client what its counterparty's chain has come to.
        #[pallet::call_index(1)]
        #[pallet::weight(T::WeightInfo::update_client(length(&[&message.client_message.value])))]
        pub fn update_client(origin: OriginFor<T>, message: UpdateClient) -> DispatchResult {
            Self::relay(origin, Message::UpdateClient(message))
        }

        /// Registers a client's counterparty, once; packets can be sent from then on.
        #[pallet::call_index(2)]
        #[pallet::weight(T::WeightInfo::manage())]
        pub fn register_counterparty(
            origin: OriginFor<T>,
            client_id: ClientId,
            counterparty_client_id: ClientId,
            merkle_prefix: MerklePrefix,
        ) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            let prefix = merkle_prefix.into_iter().map(BoundedVec::into_inner).collect();
            run::register::<T>(&client_id, &counterparty_client_id, prefix)?;
            let (client_id, counterparty_client_id) = (client_id.into_inner(), counterparty_client_id.into_inner());
            Self::deposit_event(Event::CounterpartyRegistered { client_id, counterparty_client_id });
            Ok(())
        }

        /// Sends value of the signer's to the client's counterparty.
        #[pallet::call_index(3)]
        #[pallet::weight(T::WeightInfo::transfer(length(&[&transfer.receiver, &transfer.memo])))]
        pub fn transfer(origin: OriginFor<T>, transfer: Transfer) -> DispatchResult {
            let who = ensure_signed(origin)?;
            Self::ensure_running()?;
            run::transfer::<T>(&who, transfer)
        }

        /// Brings a packet that is proven sent. An app that refuses is no error: the packet is acknowledged with one.
        #[pallet::call_index(4)]
        #[pallet::weight(T::WeightInfo::relay(length(&[&message.packet, &message.proof.proof])))]
        pub fn recv_packet(origin: OriginFor<T>, message: RecvPacket) -> DispatchResult {
            Self::relay(origin, Message::RecvPacket(message))
        }

        /// Brings home an acknowledgement that is proven written.
        #[pallet::call_index(5)]
        #[pallet::weight(T::WeightInfo::relay(
            length(&[&message.packet, &message.acknowledgement, &message.proof.proof])
        ))]
        pub fn acknowledgement(origin: OriginFor<T>, message: Acknowledge) -> DispatchResult {
            Self::relay(origin, Message::Acknowledge(message))
        }

        /// Takes back a packet that is proven not received in time.
        #[pallet::call_index(6)]
        #[pallet::weight(T::WeightInfo::relay(length(&[&message.packet, &message.proof.proof])))]
        pub fn timeout(origin: OriginFor<T>, message: Timeout) -> DispatchResult {
            Self::relay(origin, Message::Timeout(message))
        }

        /// Shows that a counterparty's validators or attestors contradicted themselves; the client is frozen.
        #[pallet::call_index(7)]
        #[pallet::weight(T::WeightInfo::update_client(length(&[&message.client_message.value])))]
        pub fn submit_misbehaviour(origin: OriginFor<T>, message: UpdateClient) -> DispatchResult {
            let who = T::RelayerOrigin::ensure_origin(origin)?;
            run::misbehaviour::<T>(&who, message)
        }

        /// Many messages, in order; one that fails undoes them all.
        #[pallet::call_index(8)]
        #[pallet::weight(batch_weight::<T>(messages))]
        pub fn deliver(origin: OriginFor<T>, messages: BoundedVec<Message, ConstU32<MESSAGES_MAX>>) -> DispatchResult {
            let who = T::RelayerOrigin::ensure_origin(origin)?;
            ensure!(!messages.is_empty(), Error::<T>::Empty);
            for message in messages {
                Self::run(&who, message)?;
            }
            Ok(())
        }

        /// Sets who may relay through a client; an empty list lets every relayer.
        #[pallet::call_index(9)]
        #[pallet::weight(T::WeightInfo::manage())]
        pub fn set_client_relayers(
            origin: OriginFor<T>,
            client_id: ClientId,
            relayers: BoundedVec<AccountId32, ConstU32<CLIENT_RELAYERS_MAX>>,
        ) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            run::set_client_relayers::<T>(&client_id, &relayers)?;
            let (client_id, relayers) = (client_id.into_inner(), relayers.into_inner());
            Self::deposit_event(Event::ClientRelayersSet { client_id, relayers });
            Ok(())
        }

        /// Names a relayer, or takes it off the list.
        #[pallet::call_index(10)]
        #[pallet::weight(T::WeightInfo::manage())]
        pub fn set_relayer(origin: OriginFor<T>, who: AccountId32, allowed: bool) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Relayers::<T>::try_mutate(|relayers| {
                if allowed {
                    relayers.try_insert(who.clone()).map_err(|_| Error::<T>::TooManyRelayers)?;
                } else {
                    relayers.remove(&who);
                }
                Ok::<(), Error<T>>(())
            })?;
            Self::deposit_event(Event::RelayerSet { who, allowed });
            Ok(())
        }

        /// Stops sending and receiving; updates, acknowledgements and timeouts go on.
        #[pallet::call_index(11)]
        #[pallet::weight(T::WeightInfo::manage())]
        pub fn pause(origin: OriginFor<T>) -> DispatchResult {
            T::PauseOrigin::ensure_origin(origin)?;
            Paused::<T>::put(true);
            Self::deposit_event(Event::PauseStarted);
            Ok(())
        }

        /// Lets sending and receiving go on.
        #[pallet::call_index(12)]
        #[pallet::weight(T::WeightInfo::manage())]
        pub fn unpause(origin: OriginFor<T>) -> DispatchResult {
            T::AdminOrigin::ensure_origin(origin)?;
            Paused::<T>::kill();
            Self::deposit_event(Event::PauseEnded);
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        fn ensure_running() -> DispatchResult {
            ensure!(!Paused::<T>::get(), Error::<T>::IsPaused);
            Ok(())
        }

        fn relay(origin: OriginFor<T>, message: Message) -> DispatchResult {
            let who = T::RelayerOrigin::ensure_origin(origin)?;
            Self::run(&who, message)
        }

        fn run(who: &AccountId32, message: Message) -> DispatchResult {
            if matches!(message, Message::RecvPacket(_)) {
                Self::ensure_running()?;
            }
            run::relay::<T>(who, message).map(|_| ())
        }

        /// The address of an account, as packets carry it.
        #[must_use]
        pub fn address(who: &AccountId32) -> String {
            super::address::text::<T>(who)
        }
    }

    fn length(parts: &[&[u8]]) -> u32 {
        let sum = parts.iter().fold(0_usize, |sum, part| sum.saturating_add(part.len()));
        u32::try_from(sum).unwrap_or(u32::MAX)
    }

    fn batch_weight<T: Config>(messages: &[Message]) -> Weight {
        messages.iter().fold(T::WeightInfo::manage(), |sum, message| {
            sum.saturating_add(match message {
                Message::UpdateClient(_) => T::WeightInfo::update_client(message.bytes()),
                _ => T::WeightInfo::relay(message.bytes()),
            })
        })
    }
}
