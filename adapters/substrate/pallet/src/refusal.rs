//! The stable code of a refusal, in the four bytes that a pallet's error has.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::PalletError;
use scale_info::TypeInfo;

macro_rules! areas {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What a code begins with: who refused. New ones are added at the end.
        #[derive(
            Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, PalletError,
        )]
        pub enum Area {
            /// An area that this version has no name for; the node's log has the code.
            Other,
            $($(#[$doc])* $name,)+
        }

        impl Area {
            fn of(text: &str) -> Self {
                match text {
                    $($text => Self::$name,)+
                    _ => Self::Other,
                }
            }

            /// The text that codes of this area begin with.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    Self::Other => "",
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

areas! {
    /// Rules of the handler.
    Handler = "PR-HND",
    /// Form of packets.
    Packet = "PR-PKT",
    /// Encodings.
    Encoding = "PR-ENC",
    /// Packets against proofs.
    Verified = "PR-VER",
    /// Attestations.
    Attestation = "PR-ATT",
    /// The transfer app.
    Transfer = "PR-TRF",
    /// Balances.
    Bank = "PR-BNK",
    /// Trust and time, of every light client.
    Trust = "LC-TRUST",
    /// Quorums.
    Quorum = "LC-QUO",
    /// Signatures.
    Signature = "LC-SIG",
    /// QBFT and IBFT 2.0.
    Qbft = "LC-QBFT",
    /// IBFT 2.0 alone.
    Ibft2 = "LC-IBFT2",
    /// CometBFT.
    CometBft = "LC-CMT",
    /// Proofs of Ethereum tries.
    Mpt = "LC-MPT",
    /// RLP.
    Rlp = "LC-RLP",
    /// Proofs of Cosmos stores.
    Ics23 = "LC-ICS23",
    /// GRANDPA.
    Grandpa = "LC-GRANDPA",
    /// Proofs of Substrate tries.
    Trie = "LC-TRIE",
}

/// A code such as `LC-QBFT-007`: its area and its number.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, PalletError,
)]
pub struct Refusal {
    /// What it begins with.
    pub area: Area,
    /// Its number.
    pub number: u16,
}

impl Refusal {
    /// The refusal with this code.
    #[must_use]
    pub fn of(code: &str) -> Self {
        let (area, number) = code.rsplit_once('-').unwrap_or((code, ""));
        Self { area: Area::of(area), number: number.parse().unwrap_or(u16::MAX) }
    }
}
