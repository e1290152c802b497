//! Transactions as bytes, what became of them, and how they are refused.

use catenary_protocol::handler::Rendered;
use catenary_protocol::proto::decode_strict;
use cosmos_sdk_proto::cosmos::crypto::secp256k1::PubKey;
use cosmos_sdk_proto::cosmos::tx::signing::v1beta1::SignMode;
use cosmos_sdk_proto::cosmos::tx::v1beta1::{mode_info, AuthInfo, Fee, SignDoc, SignerInfo, TxBody, TxRaw};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{Signature, VerifyingKey};
use prost::Message;

use super::merkle::sha256;

/// Most bytes of a transaction (CometBFT `max_tx_bytes`).
pub(crate) const TX_BYTES_MAX: usize = 1_048_576;
/// Code space of the cosmos-sdk.
pub(crate) const SDK: &str = "sdk";
/// Type URL of a public key (cosmos-sdk `crypto/keys/secp256k1`).
const PUBLIC_KEY: &str = "/cosmos.crypto.secp256k1.PubKey";

/// Why a transaction or a query is refused: what an ABCI answer carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    /// Code space.
    pub(crate) codespace: &'static str,
    /// Code, never 0.
    pub(crate) code: u32,
    /// In words.
    pub(crate) log: String,
}

impl Refusal {
    /// A refusal of the cosmos-sdk, whose words end in those of its code (cosmos-sdk `types/errors`).
    pub(crate) fn sdk(code: u32, reason: &str) -> Self {
        let words = match code {
            2 => "tx parse error",
            4 => "unauthorized",
            5 => "insufficient funds",
            6 => "unknown request",
            7 => "invalid address",
            8 => "invalid pubkey",
            9 => "unknown address",
            10 => "invalid coins",
            11 => "out of gas",
            12 => "memo too large",
            13 => "insufficient fee",
            15 => "no signatures supplied",
            18 => "invalid request",
            22 => "key not found",
            26 => "invalid height",
            30 => "tx timeout height",
            32 => "incorrect account sequence",
            _ => "internal error",
        };
        let log = if reason.is_empty() { words.to_owned() } else { format!("{reason}: {words}") };
        Self { codespace: SDK, code, log }
    }
}

/// What became of a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct TxResult {
    /// 0 when it took effect.
    pub(crate) code: u32,
    /// Code space of the code.
    pub(crate) codespace: String,
    /// Responses of its messages.
    pub(crate) data: Vec<u8>,
    /// In words, when it failed.
    pub(crate) log: String,
    /// Gas limit.
    pub(crate) gas_wanted: u64,
    /// Gas used.
    pub(crate) gas_used: u64,
    /// What happened.
    pub(crate) events: Vec<Rendered>,
}

/// A decoded transaction.
#[derive(Clone, Debug)]
pub(crate) struct Tx {
    raw: TxRaw,
    /// Messages and memo.
    pub(crate) body: TxBody,
    /// The only signer.
    signer: SignerInfo,
    /// Fee and gas limit.
    pub(crate) fee: Fee,
    /// The signer's compressed public key; `None` when the account is to know it.
    pub(crate) public_key: Option<[u8; 33]>,
    /// Length in bytes.
    pub(crate) bytes: usize,
}

impl Tx {
    /// Decodes a transaction strictly.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let raw: TxRaw = part("transaction", bytes)?;
        let body: TxBody = part("body", &raw.body_bytes)?;
        let auth: AuthInfo = part("auth info", &raw.auth_info_bytes)?;
        let refused = |code, reason: &str| Refusal::sdk(code, reason);
        if body.messages.is_empty() {
            return Err(refused(18, "must contain at least one message"));
        }
        if !body.extension_options.is_empty() || !body.non_critical_extension_options.is_empty() {
            return Err(refused(2, "extension options are not known here"));
        }
        let [signer] = auth.signer_infos.as_slice() else {
            return Err(refused(15, "exactly one signer is taken here"));
        };
        if raw.signatures.len() != 1 {
            return Err(refused(4, &format!("{} signatures, expected 1", raw.signatures.len())));
        }
        let fee = auth.fee.clone().ok_or_else(|| refused(13, "no fee"))?;
        #[allow(deprecated, reason = "the field is refused")]
        let tip = auth.tip.is_some();
        if tip {
            return Err(refused(2, "tips are not known here"));
        }
        let public_key = signer.public_key.as_ref().map(|any| key(&any.type_url, &any.value)).transpose()?;
        let signer = signer.clone();
        Ok(Self { raw, body, signer, fee, public_key, bytes: bytes.len() })
    }

    /// The account's sequence that it is for.
    pub(crate) const fn sequence(&self) -> u64 {
        self.signer.sequence
    }

    /// The signature.
    pub(crate) fn signature(&self) -> &[u8] {
        self.raw.signatures.first().map_or(&[], Vec::as_slice)
    }

    /// Checks that the key signed this transaction for this chain and account (`SIGN_MODE_DIRECT`).
    pub(crate) fn verify(&self, chain_id: &str, account_number: u64, key: &[u8; 33]) -> Result<(), Refusal> {
        let single = match self.signer.mode_info.as_ref().and_then(|info| info.sum.as_ref()) {
            Some(mode_info::Sum::Single(single)) => single.mode,
            _ => 0,
        };
        if single != SignMode::Direct as i32 {
            return Err(Refusal::sdk(4, "only SIGN_MODE_DIRECT is taken here"));
        }
        let document = SignDoc {
            body_bytes: self.raw.body_bytes.clone(),
            auth_info_bytes: self.raw.auth_info_bytes.clone(),
            chain_id: chain_id.to_owned(),
            account_number,
        };
        let digest = sha256(&[&document.encode_to_vec()]);
        let holds = VerifyingKey::from_sec1_bytes(key).ok().zip(Signature::from_slice(self.signature()).ok());
        // The chain takes the low one of the two signatures that are equal.
        let holds = holds.filter(|(_, signature)| signature.normalize_s().is_none());
        if holds.is_some_and(|(key, signature)| key.verify_prehash(&digest, &signature).is_ok()) {
            return Ok(());
        }
        let reason = format!(
            "signature verification failed; please verify account number ({account_number}) and chain-id ({chain_id}): \
             (unable to verify single signer signature)"
        );
        Err(Refusal::sdk(4, &reason))
    }
}

fn part<M: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, Refusal> {
    if bytes.len() > TX_BYTES_MAX {
        return Err(Refusal::sdk(2, &format!("{what} of {} bytes", bytes.len())));
    }
    decode_strict(what, bytes).map_err(|error| Refusal::sdk(2, &error.to_string()))
}

fn key(type_url: &str, value: &[u8]) -> Result<[u8; 33], Refusal> {
    let wrong = || Refusal::sdk(8, "only compressed secp256k1 keys are taken here");
    if type_url != PUBLIC_KEY {
        return Err(wrong());
    }
    let key: PubKey = part("public key", value)?;
    key.key.try_into().map_err(|_| wrong())
}

/// A public key as accounts and transactions carry it.
pub(crate) fn key_any(key: &[u8; 33]) -> cosmos_sdk_proto::Any {
    let value = PubKey { key: key.to_vec() }.encode_to_vec();
    cosmos_sdk_proto::Any { type_url: PUBLIC_KEY.to_owned(), value }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// Transactions that the real cosmos-sdk signed.
    fn golden() -> Vec<serde_json::Value> {
        let text = include_str!("../../../../tests/vectors/ibc/txs.json");
        serde_json::from_str::<serde_json::Value>(text).unwrap()["rows"].as_array().unwrap().clone()
    }

    fn bytes(row: &serde_json::Value, field: &str) -> Vec<u8> {
        hex::decode(row[field].as_str().unwrap()).unwrap()
    }

    #[test]
    fn real_signatures_hold_for_their_chain_and_account_alone() {
        for row in golden() {
            let raw = bytes(&row, "tx_raw_hex");
            let tx = Tx::decode(&raw).unwrap();
            let key: [u8; 33] = bytes(&row, "public_key_hex").try_into().unwrap();
            let (chain, number) = (row["chain_id"].as_str().unwrap(), row["account_number"].as_u64().unwrap());
            assert_eq!((tx.public_key, tx.sequence()), (Some(key), row["sequence"].as_u64().unwrap()));
            assert_eq!(sha256(&[&raw]).to_vec(), bytes(&row, "tx_hash_hex"), "{}", row["name"]);
            assert_eq!(tx.verify(chain, number, &key), Ok(()), "{}", row["name"]);
            let other = tx.verify("other-1", number, &key).unwrap_err();
            assert_eq!((other.codespace, other.code), (SDK, 4));
            assert!(tx.verify(chain, number.wrapping_add(1), &key).is_err(), "{}", row["name"]);
        }
    }

    #[test]
    fn a_changed_byte_is_another_transaction_or_none() {
        let row = &golden()[1];
        let (raw, key) = (bytes(row, "tx_raw_hex"), bytes(row, "public_key_hex").try_into().unwrap());
        let (chain, number) = (row["chain_id"].as_str().unwrap(), row["account_number"].as_u64().unwrap());
        for at in 0..raw.len() {
            let mut spoilt = raw.clone();
            spoilt[at] ^= 1;
            let holds = Tx::decode(&spoilt).is_ok_and(|tx| tx.verify(chain, number, &key).is_ok());
            assert!(!holds, "byte {at}");
        }
        assert_eq!(Tx::decode(&raw[..raw.len() - 1]).unwrap_err().code, 2);
        assert_eq!(Tx::decode(&[]).unwrap_err().code, 18);
    }

    #[test]
    fn the_high_one_of_two_equal_signatures_is_refused() {
        let row = &golden()[0];
        let key: [u8; 33] = bytes(row, "public_key_hex").try_into().unwrap();
        let (chain, number) = (row["chain_id"].as_str().unwrap(), row["account_number"].as_u64().unwrap());
        let mut tx = Tx::decode(&bytes(row, "tx_raw_hex")).unwrap();
        let signature = Signature::from_slice(tx.signature()).unwrap();
        let high = Signature::from_scalars(signature.r(), -*signature.s()).unwrap();
        tx.raw.signatures = vec![high.to_bytes().to_vec()];
        assert_eq!(tx.verify(chain, number, &key).unwrap_err().code, 4);
    }
}
