//! The contracts' ABI, read from the committed artifacts, so that what is sent is what was compiled.

use std::sync::LazyLock;

use catenary_api::MessageView;
use catenary_light_clients::Hash32;
use catenary_protocol::Packet;
use ethers_core::abi::ethabi::AbiError;
use ethers_core::abi::{self, Abi, ParamType, Token};
use ethers_core::types::U256;
use ethers_core::utils::keccak256;
use serde::Deserialize;

use crate::error::{shorten, Error, Result};
use crate::json::hex0x;
use crate::limits;

/// A contract of ours with a committed artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contract {
    /// `ICS26Router`.
    Router,
    /// `AttestationLightClient`.
    LightClient,
    /// `ICS20Transfer`.
    Transfer,
    /// `IBCERC20`, which the transfer application creates.
    Voucher,
    /// `Escrow`, which the transfer application creates.
    Escrow,
    /// `TestERC20`, for test networks only.
    TestToken,
}

impl Contract {
    const ALL: [Self; 6] =
        [Self::Router, Self::LightClient, Self::Transfer, Self::Voucher, Self::Escrow, Self::TestToken];

    /// Its name in Solidity.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Router => "ICS26Router",
            Self::LightClient => "AttestationLightClient",
            Self::Transfer => "ICS20Transfer",
            Self::Voucher => "IBCERC20",
            Self::Escrow => "Escrow",
            Self::TestToken => "TestERC20",
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Router => include_str!("../contracts/artifacts/ICS26Router.json"),
            Self::LightClient => include_str!("../contracts/artifacts/AttestationLightClient.json"),
            Self::Transfer => include_str!("../contracts/artifacts/ICS20Transfer.json"),
            Self::Voucher => include_str!("../contracts/artifacts/IBCERC20.json"),
            Self::Escrow => include_str!("../contracts/artifacts/Escrow.json"),
            Self::TestToken => include_str!("../contracts/artifacts/TestERC20.json"),
        }
    }

    fn artifact(self) -> Result<&'static Artifact> {
        let place = Self::ALL.iter().position(|contract| *contract == self).unwrap_or_default();
        let artifacts = ARTIFACTS.as_ref().map_err(Clone::clone)?;
        artifacts.get(place).ok_or_else(|| self.broken("is not loaded".to_owned()))
    }

    const fn broken(self, reason: String) -> Error {
        Error::Artifact { artifact: self.name(), reason }
    }

    /// Keccak-256 of the code that a deployment has, for contracts without constructor-set code
    /// ([`Self::Transfer`], [`Self::Voucher`] and [`Self::Escrow`] have immutables, so theirs differs).
    ///
    /// # Errors
    /// [`Error::Artifact`], which is a defect.
    pub fn code_hash(self) -> Result<Hash32> {
        Ok(Hash32(keccak256(&self.artifact()?.deployed)))
    }

    /// Init code: the compiled code and the constructor's arguments.
    pub(crate) fn init_code(self, arguments: &[Token]) -> Result<Vec<u8>> {
        let artifact = self.artifact()?;
        match artifact.abi.constructor() {
            Some(constructor) => constructor
                .encode_input(artifact.bytecode.clone(), arguments)
                .map_err(|error| self.broken(format!("constructor: {error}"))),
            None if arguments.is_empty() => Ok(artifact.bytecode.clone()),
            None => Err(self.broken("has no constructor".to_owned())),
        }
    }

    /// Call data of a function.
    pub(crate) fn call(self, function: &str, arguments: &[Token]) -> Result<Vec<u8>> {
        let function = self.artifact()?.abi.function(function).map_err(|error| self.broken(error.to_string()))?;
        function.encode_input(arguments).map_err(|error| self.broken(format!("{}: {error}", function.name)))
    }

    /// What a function returned. Strict: bounded, and encoding again gives the same bytes.
    pub(crate) fn output(self, function: &str, bytes: &[u8]) -> core::result::Result<Vec<Token>, String> {
        let artifact = self.artifact().map_err(|error| error.to_string())?;
        let function = artifact.abi.function(function).map_err(|error| error.to_string())?;
        let types: Vec<ParamType> = function.outputs.iter().map(|param| param.kind.clone()).collect();
        decode_strict(&types, bytes)
    }

    /// Topic 0 of an event.
    ///
    /// # Errors
    /// [`Error::Artifact`] when the contract has no such event.
    pub fn event_topic(self, event: &str) -> Result<Hash32> {
        let event = self.artifact()?.abi.event(event).map_err(|error| self.broken(error.to_string()))?;
        Ok(Hash32(event.signature().0))
    }

    fn error(self, selector: &[u8]) -> Option<&'static AbiError> {
        let artifact = self.artifact().ok()?;
        artifact.abi.errors().find(|error| error.signature().as_bytes().get(..4) == Some(selector))
    }
}

#[cfg(test)]
impl Contract {
    /// The data of a revert with one of the contract's errors.
    pub(crate) fn error_data(self, error: &str, arguments: &[Token]) -> Vec<u8> {
        let encoded = self.artifact().and_then(|artifact| {
            let error = artifact.abi.error(error).map_err(|error| self.broken(error.to_string()))?;
            error.encode(arguments).map_err(|error| self.broken(error.to_string()))
        });
        encoded.unwrap_or_default()
    }
}

struct Artifact {
    abi: Abi,
    bytecode: Vec<u8>,
    deployed: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactFile {
    abi: Abi,
    bytecode: String,
    deployed_bytecode: String,
}

static ARTIFACTS: LazyLock<Result<Vec<Artifact>>> = LazyLock::new(|| Contract::ALL.into_iter().map(load).collect());

fn load(contract: Contract) -> Result<Artifact> {
    let file: ArtifactFile =
        serde_json::from_str(contract.text()).map_err(|error| contract.broken(error.to_string()))?;
    let code = |text: &str| {
        let bytes = hex::decode(text.trim_start_matches("0x")).map_err(|error| contract.broken(error.to_string()))?;
        if bytes.is_empty() {
            return Err(contract.broken("has no code".to_owned()));
        }
        Ok(bytes)
    };
    Ok(Artifact { abi: file.abi, bytecode: code(&file.bytecode)?, deployed: code(&file.deployed_bytecode)? })
}

/// Decodes, and insists that encoding again gives the same bytes.
pub(crate) fn decode_strict(types: &[ParamType], bytes: &[u8]) -> core::result::Result<Vec<Token>, String> {
    let max = limits::OUTPUT_BYTES_MAX;
    if bytes.len() > max {
        return Err(format!("{} bytes, at most {max} are decoded", bytes.len()));
    }
    let tokens = abi::decode(types, bytes).map_err(|_| format!("{} bytes that do not decode", bytes.len()))?;
    if abi::encode(&tokens) == bytes {
        Ok(tokens)
    } else {
        Err(format!("{} bytes that are not canonically encoded", bytes.len()))
    }
}

/// A string argument.
pub(crate) fn string(text: &str) -> Token {
    Token::String(text.to_owned())
}

/// A number argument.
pub(crate) fn uint(number: u64) -> Token {
    Token::Uint(U256::from(number))
}

/// An address argument.
pub(crate) fn address(bytes: &[u8; 20]) -> Token {
    Token::Address((*bytes).into())
}

/// `Packet` as the router takes it.
pub(crate) fn packet(packet: &Packet) -> Token {
    let payloads = packet.payloads.iter().map(|payload| {
        Token::Tuple(vec![
            string(&payload.source_port),
            string(&payload.destination_port),
            string(&payload.version),
            string(&payload.encoding),
            Token::Bytes(payload.value.clone()),
        ])
    });
    Token::Tuple(vec![
        uint(packet.sequence),
        string(&packet.source_client),
        string(&packet.destination_client),
        uint(packet.timeout_timestamp_seconds),
        Token::Array(payloads.collect()),
    ])
}

/// `Height` of an attested chain: revision 0.
fn height(height: u64) -> Token {
    Token::Tuple(vec![uint(0), uint(height)])
}

/// Call data of a message to the router.
pub(crate) fn message(message: MessageView<'_>) -> Result<Vec<u8>> {
    let router = Contract::Router;
    match message {
        MessageView::UpdateClient { client_id, proof } => {
            router.call("updateClient", &[string(client_id), Token::Bytes(proof.abi_encode())])
        }
        MessageView::Recv { packet: sent, proof, proof_height } => {
            let fields = vec![packet(sent), Token::Bytes(proof.abi_encode()), height(proof_height)];
            router.call("recvPacket", &[Token::Tuple(fields)])
        }
        MessageView::Ack { packet: sent, acknowledgement, proof, proof_height } => {
            let app_ack = acknowledgement.single().map_err(|error| Error::Body {
                got: format!("an acknowledgement that cannot be delivered ({error})"),
                expected: "exactly one app acknowledgement",
            })?;
            let fields = vec![
                packet(sent),
                Token::Bytes(app_ack.to_vec()),
                Token::Bytes(proof.abi_encode()),
                height(proof_height),
            ];
            router.call("ackPacket", &[Token::Tuple(fields)])
        }
        MessageView::Timeout { packet: sent, proof, proof_height } => {
            let fields = vec![packet(sent), Token::Bytes(proof.abi_encode()), height(proof_height)];
            router.call("timeoutPacket", &[Token::Tuple(fields)])
        }
        MessageView::Native(_) => Err(Error::Body {
            got: "a message with a header or a store proof".to_owned(),
            expected: "one with attestations, which the router's light clients take",
        }),
    }
}

/// Several calls to the router in one, all or nothing.
pub(crate) fn multicall(calls: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    Contract::Router.call("multicall", &[Token::Array(calls.into_iter().map(Token::Bytes).collect())])
}

/// Why a call reverted, for people: our contracts' error and its arguments, or what Solidity itself says.
pub(crate) fn revert_reason(bytes: &[u8]) -> String {
    let Some((selector, arguments)) = bytes.split_at_checked(4) else {
        return "reverted without a reason, as when gas runs out".to_owned();
    };
    if bytes.len() <= limits::REVERT_BYTES_MAX {
        if let Some(error) = Contract::ALL.into_iter().find_map(|contract| contract.error(selector)) {
            let types: Vec<ParamType> = error.inputs.iter().map(|param| param.kind.clone()).collect();
            if let Ok(tokens) = abi::decode(&types, arguments) {
                let values: Vec<String> = tokens.iter().map(show).collect();
                return shorten(&format!("{}({})", error.name, values.join(", ")));
            }
        }
        match selector {
            // `Error(string)`, what `require` and `revert` with a text give (Solidity ABI).
            [0x08, 0xc3, 0x79, 0xa0] => {
                if let Ok([Token::String(text)]) = abi::decode(&[ParamType::String], arguments).as_deref() {
                    return shorten(text);
                }
            }
            // `Panic(uint256)`, what failed assertions and overflows give (Solidity ABI).
            [0x4e, 0x48, 0x7b, 0x71] => {
                return format!("Panic({})", hex0x(arguments.last_chunk::<1>().unwrap_or(&[0])))
            }
            _ => {}
        }
    }
    shorten(&format!("unknown error {}", hex0x(bytes)))
}

fn show(token: &Token) -> String {
    match token {
        Token::String(text) => format!("{text:?}"),
        Token::Uint(number) | Token::Int(number) => number.to_string(),
        Token::Address(address) => hex0x(address.as_bytes()),
        Token::Bytes(bytes) | Token::FixedBytes(bytes) => hex0x(bytes),
        Token::Bool(bool) => bool.to_string(),
        Token::Array(list) | Token::FixedArray(list) | Token::Tuple(list) => {
            let values: Vec<String> = list.iter().map(show).collect();
            format!("[{}]", values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn artifacts_load_and_have_the_wire_names() {
        for contract in Contract::ALL {
            contract.artifact().unwrap();
        }
        // Topics and selectors of the public router's ABI, computed from the signatures of the protocol page.
        let packet = "(uint64,string,string,uint64,(string,string,string,string,bytes)[])";
        let events = [
            ("SendPacket", format!("SendPacket(string,uint256,{packet})")),
            ("WriteAcknowledgement", format!("WriteAcknowledgement(string,uint256,{packet},bytes[])")),
            ("AckPacket", format!("AckPacket(string,uint256,{packet},bytes)")),
            ("TimeoutPacket", format!("TimeoutPacket(string,uint256,{packet})")),
        ];
        for (name, signature) in events {
            assert_eq!(Contract::Router.event_topic(name).unwrap(), Hash32(keccak256(signature.as_bytes())), "{name}");
        }
        assert_eq!(
            Contract::Router.call("getCommitment", &[Token::FixedBytes(vec![7; 32])]).unwrap()[..4],
            keccak256("getCommitment(bytes32)")[..4],
        );
    }

    #[test]
    fn messages_for_native_clients_are_refused() {
        let message = catenary_api::ClientMessage { type_url: "/header".into(), value: vec![1] };
        let view = catenary_api::NativeView::UpdateClient { client_id: "client-0", message: &message };
        assert!(matches!(super::message(MessageView::Native(view)), Err(Error::Body { .. })));
    }

    #[test]
    fn reverts_are_named() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(revert_reason(bytes), expected);
        let not_found = Contract::Router.error_data("IBCClientNotFound", &[string("client-9")]);
        check(&not_found, "IBCClientNotFound(\"client-9\")");
        check(&Contract::LightClient.error_data("HeightMismatch", &[uint(1), uint(2)]), "HeightMismatch(1, 2)");
        check(&Contract::LightClient.error_data("FrozenClientState", &[]), "FrozenClientState()");
        let text = [&[0x08, 0xc3, 0x79, 0xa0][..], &abi::encode(&[string("no\nway")])].concat();
        check(&text, "no way");
        check(&[&[0x4e, 0x48, 0x7b, 0x71][..], &abi::encode(&[uint(0x11)])].concat(), "Panic(0x11)");
        check(&[1, 2, 3, 4], "unknown error 0x01020304");
        check(&not_found[..20], &format!("unknown error {}", hex0x(&not_found[..20])));
        check(&[], "reverted without a reason, as when gas runs out");
        assert!(revert_reason(&[9; 5_000]).len() <= limits::REASON_CHARS_MAX);
    }

    #[test]
    fn outputs_are_strict() {
        let word = |n: u8| [[0; 31].as_slice(), &[n]].concat();
        let good = word(7);
        assert_eq!(Contract::TestToken.output("balanceOf", &good).unwrap(), [uint(7)]);
        let decimals = |bytes: &[u8]| Contract::TestToken.output("decimals", bytes);
        assert!(decimals(&word(18)).is_ok());
        assert!(decimals(&[]).unwrap_err().contains("do not decode"));
        assert!(decimals(&[word(18), word(0)].concat()).unwrap_err().contains("not canonically"));
        assert!(decimals(&vec![0; limits::OUTPUT_BYTES_MAX + 32]).unwrap_err().contains("at most"));
        let dirty_address = [[0xff; 12].as_slice(), &[7; 20]].concat();
        assert!(Contract::Router.output("getClient", &dirty_address).unwrap_err().contains("not canonically"));
    }
}
