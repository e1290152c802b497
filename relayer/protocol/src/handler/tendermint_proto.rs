//! Protobuf messages of ibc-go's `07-tendermint` client. Field numbers from `ibc/lightclients/tendermint/v1`; golden
//! bytes of the real module pin each.

use alloc::{string::String, vec::Vec};

use prost::Message;

use crate::proto::Height;

/// Type URL of the client state.
pub const CLIENT_STATE: &str = "/ibc.lightclients.tendermint.v1.ClientState";
/// Type URL of the consensus state.
pub const CONSENSUS_STATE: &str = "/ibc.lightclients.tendermint.v1.ConsensusState";
/// Type URL of a header, as a client message.
pub const HEADER: &str = "/ibc.lightclients.tendermint.v1.Header";
/// Type URL of misbehaviour, as a client message.
pub const MISBEHAVIOUR: &str = "/ibc.lightclients.tendermint.v1.Misbehaviour";

/// `Fraction`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Fraction {
    /// Above the line.
    #[prost(uint64, tag = "1")]
    pub numerator: u64,
    /// Below the line.
    #[prost(uint64, tag = "2")]
    pub denominator: u64,
}

/// `google.protobuf.Duration`; `google.protobuf.Timestamp` has the same shape.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Seconds {
    /// Whole seconds.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds beyond them.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `ClientState`. The proof specifications stay bytes: they have to be those of the SDK.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClientState {
    /// Chain id.
    #[prost(string, tag = "1")]
    pub chain_id: String,
    /// Share of the trusted validators that has to have signed a header that skips others.
    #[prost(message, optional, tag = "2")]
    pub trust_level: Option<Fraction>,
    /// How long a header is trusted.
    #[prost(message, optional, tag = "3")]
    pub trusting_period: Option<Seconds>,
    /// How long validators answer for what they signed.
    #[prost(message, optional, tag = "4")]
    pub unbonding_period: Option<Seconds>,
    /// How far a header may be ahead of the clock.
    #[prost(message, optional, tag = "5")]
    pub max_clock_drift: Option<Seconds>,
    /// Zero until the client is frozen.
    #[prost(message, optional, tag = "6")]
    pub frozen_height: Option<Height>,
    /// Newest height.
    #[prost(message, optional, tag = "7")]
    pub latest_height: Option<Height>,
    /// `cosmos.ics23.v1.ProofSpec`s.
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub proof_specs: Vec<Vec<u8>>,
    /// Where upgrades are committed.
    #[prost(string, repeated, tag = "9")]
    pub upgrade_path: Vec<String>,
    /// Without meaning now.
    #[prost(bool, tag = "10")]
    pub allow_update_after_expiry: bool,
    /// Without meaning now.
    #[prost(bool, tag = "11")]
    pub allow_update_after_misbehaviour: bool,
}

/// `ibc.core.commitment.v1.MerkleRoot`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MerkleRoot {
    /// The root.
    #[prost(bytes = "vec", tag = "1")]
    pub hash: Vec<u8>,
}

/// `ConsensusState`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ConsensusState {
    /// Time of the header.
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Seconds>,
    /// Its application hash: the state before its block.
    #[prost(message, optional, tag = "2")]
    pub root: Option<MerkleRoot>,
    /// The validators that it announces.
    #[prost(bytes = "vec", tag = "3")]
    pub next_validators_hash: Vec<u8>,
}

/// `Header`. CometBFT's own messages in it stay bytes: its light client decodes them.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Header {
    /// `tendermint.types.SignedHeader`.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub signed_header: Option<Vec<u8>>,
    /// `tendermint.types.ValidatorSet` of the header.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub validator_set: Option<Vec<u8>>,
    /// The known height that it is judged from.
    #[prost(message, optional, tag = "3")]
    pub trusted_height: Option<Height>,
    /// `tendermint.types.ValidatorSet` that the header at that height announced.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub trusted_validators: Option<Vec<u8>>,
}

/// `Misbehaviour`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Misbehaviour {
    /// Without meaning now.
    #[prost(string, tag = "1")]
    pub client_id: String,
    /// The higher header, or one of two of one height.
    #[prost(message, optional, tag = "2")]
    pub header_1: Option<Header>,
    /// The other.
    #[prost(message, optional, tag = "3")]
    pub header_2: Option<Header>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use alloc::vec;

    use super::*;
    use crate::proto::{decode_strict, Any};

    /// What ibc-go v11.2.0 writes: a state of chain-7 at 7-100 with the SDK's two specifications, its consensus state,
    /// a header with empty parts, and misbehaviour of two of them.
    const GOLDEN: [&str; 4] = [
        "0a2b2f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e436c69656e745374617465127a0a07636861696e2d37120408011003\
         1a040880ea4922040880df6e2a04080a100532003a040807106442190a090801180120012a0100120c0a02000110211804200c300142190a090801180120\
         012a0100120c0a02000110201801200130014a07757067726164654a1075706772616465644942435374617465",
        "0a2e2f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e436f6e73656e737573537461746512530a0b08c08df6d70610959aef\
         3a12220a200102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f201a20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
         aaaaaaaaaaaaaaaaaa",
        "0a262f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e486561646572120c0a0012001a04080710632200",
        "0a2c2f6962632e6c69676874636c69656e74732e74656e6465726d696e742e76312e4d69736265686176696f7572122d0a0f30372d74656e6465726d696e\
         742d30120c0a0012001a040807106322001a0c0a0012001a04080710632200",
    ];

    fn golden<M: Message + Default>(at: usize, type_url: &str) -> M {
        let any: Any = decode_strict("any", &hex::decode(GOLDEN.get(at).unwrap()).unwrap()).unwrap();
        assert_eq!(any.type_url, type_url);
        decode_strict("value", &any.value).unwrap()
    }

    #[test]
    fn every_message_has_the_bytes_of_ibc_go() {
        let seconds = |seconds, nanos| Some(Seconds { seconds, nanos });
        let height = |revision_height| Some(Height { revision_number: 7, revision_height });
        let state: ClientState = golden(0, CLIENT_STATE);
        let expected = ClientState {
            chain_id: "chain-7".into(),
            trust_level: Some(Fraction { numerator: 1, denominator: 3 }),
            trusting_period: seconds(14 * 86_400, 0),
            unbonding_period: seconds(21 * 86_400, 0),
            max_clock_drift: seconds(10, 5),
            frozen_height: Some(Height::default()),
            latest_height: height(100),
            proof_specs: super::super::tendermint_client::proof_specs(),
            upgrade_path: vec!["upgrade".into(), "upgradedIBCState".into()],
            allow_update_after_expiry: false,
            allow_update_after_misbehaviour: false,
        };
        assert_eq!(state, expected);
        let consensus: ConsensusState = golden(1, CONSENSUS_STATE);
        let expected = ConsensusState {
            timestamp: seconds(1_795_000_000, 123_456_789),
            root: Some(MerkleRoot { hash: (1..=32).collect() }),
            next_validators_hash: vec![0xaa; 32],
        };
        assert_eq!(consensus, expected);
        let header: Header = golden(2, HEADER);
        let empty = Some(Vec::new());
        let expected = Header {
            signed_header: empty.clone(),
            validator_set: empty.clone(),
            trusted_height: height(99),
            trusted_validators: empty,
        };
        assert_eq!(header, expected);
        let misbehaviour: Misbehaviour = golden(3, MISBEHAVIOUR);
        let expected = Misbehaviour {
            client_id: "07-tendermint-0".into(),
            header_1: Some(header.clone()),
            header_2: Some(header),
        };
        assert_eq!(misbehaviour, expected);
    }
}
