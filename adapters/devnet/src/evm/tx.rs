//! Signed transactions from bytes: legacy (EIP-155 or not), EIP-2930 and EIP-1559.
//!
//! Strict: one encoding, no leading zeros, nothing behind the end, a signature in the lower half.

use alloy_primitives::{Address, Bytes, B256, U256};
use catenary_light_clients::crypto::{keccak256, secp256k1};
use catenary_light_clients::rlp::{put_list, put_uint, Item, RlpError};
use revm::context::transaction::{AccessList, AccessListItem};
use revm::context::TxEnv;
use revm::primitives::TxKind;
use serde_json::{json, Map, Value};

/// Most entries of an access list, and most keys of an entry: far above what a block's gas pays for here.
const LIST_MAX: usize = 10_000;

/// A transaction whose signature has been checked.
#[derive(Clone, Debug)]
pub(super) struct Tx {
    pub(super) raw: Bytes,
    pub(super) hash: B256,
    /// 0 legacy, 1 EIP-2930, 2 EIP-1559.
    pub(super) kind: u8,
    pub(super) chain_id: Option<u64>,
    pub(super) nonce: u64,
    pub(super) max_fee_wei: u128,
    pub(super) max_priority_fee_wei: u128,
    pub(super) gas_limit: u64,
    pub(super) to: Option<Address>,
    pub(super) value: U256,
    pub(super) data: Bytes,
    pub(super) access_list: AccessList,
    pub(super) sender: Address,
    v: u64,
    r: U256,
    s: U256,
}

/// Why bytes are no transaction, in the words of geth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum TxError {
    Empty,
    Type,
    Rlp(RlpError),
    Wide,
    Signature,
}

impl TxError {
    /// What a node says.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Empty => "typed transaction too short".to_owned(),
            Self::Type => "transaction type not supported".to_owned(),
            Self::Rlp(error) => format!("rlp: {error}"),
            Self::Wide => "rlp: a number is too large".to_owned(),
            Self::Signature => "invalid transaction v, r, s values".to_owned(),
        }
    }
}

impl From<RlpError> for TxError {
    fn from(error: RlpError) -> Self {
        Self::Rlp(error)
    }
}

impl Tx {
    /// Decodes a transaction and recovers its sender.
    pub(super) fn decode(raw: &[u8]) -> Result<Self, TxError> {
        match raw {
            [] => Err(TxError::Empty),
            [0xc0..=0xff, ..] => Self::legacy(raw),
            [kind @ (1 | 2), body @ ..] => Self::typed(raw, *kind, body),
            _ => Err(TxError::Type),
        }
    }

    fn legacy(raw: &[u8]) -> Result<Self, TxError> {
        let [nonce, price, gas, to, value, data, v, r, s] = Item::decode(raw)?.exactly::<9>()?;
        let signature = (v.uint()?, word(&r)?, word(&s)?);
        let mut payload: Vec<u8> =
            [nonce, price, gas, to, value, data].iter().flat_map(|item| item.raw()).copied().collect();
        let (chain_id, recovery) = match signature.0 {
            v @ (27 | 28) => (None, v - 27),
            v @ 35.. => {
                let chain_id = (v - 35) / 2;
                put_uint(&mut payload, chain_id);
                payload.extend_from_slice(&[0x80, 0x80]);
                (Some(chain_id), (v - 35) % 2)
            }
            _ => return Err(TxError::Signature),
        };
        let mut signed = Vec::new();
        put_list(&mut signed, &payload);
        let price = wei(&price)?;
        Ok(Self {
            raw: raw.to_vec().into(),
            hash: hash(raw),
            kind: 0,
            chain_id,
            nonce: nonce.uint()?,
            max_fee_wei: price,
            max_priority_fee_wei: price,
            gas_limit: gas.uint()?,
            to: receiver(&to)?,
            value: word(&value)?,
            data: data.bytes()?.to_vec().into(),
            access_list: AccessList::default(),
            sender: sender(&signed, recovery, signature.1, signature.2)?,
            v: signature.0,
            r: signature.1,
            s: signature.2,
        })
    }

    fn typed(raw: &[u8], kind: u8, body: &[u8]) -> Result<Self, TxError> {
        let list = Item::decode(body)?;
        // EIP-1559 has two prices where EIP-2930 has one.
        let items = list.items(12)?;
        let expected = if kind == 2 { 12 } else { 11 };
        if items.len() != expected {
            return Err(RlpError::WrongItemCount { got: items.len(), expected }.into());
        }
        let at = |index: usize| items.get(index).copied().ok_or(TxError::Wide);
        let prices = usize::from(kind);
        let (v, r, s) = (at(prices + 7)?.uint()?, word(&at(prices + 8)?)?, word(&at(prices + 9)?)?);
        let mut signed = vec![kind];
        let payload: Vec<u8> = items.iter().take(prices + 7).flat_map(Item::raw).copied().collect();
        put_list(&mut signed, &payload);
        Ok(Self {
            raw: raw.to_vec().into(),
            hash: hash(raw),
            kind,
            chain_id: Some(at(0)?.uint()?),
            nonce: at(1)?.uint()?,
            max_priority_fee_wei: wei(&at(2)?)?,
            max_fee_wei: wei(&at(1 + prices)?)?,
            gas_limit: at(prices + 2)?.uint()?,
            to: receiver(&at(prices + 3)?)?,
            value: word(&at(prices + 4)?)?,
            data: at(prices + 5)?.bytes()?.to_vec().into(),
            access_list: access_list(&at(prices + 6)?)?,
            sender: sender(&signed, v, r, s)?,
            v,
            r,
            s,
        })
    }

    /// What is paid for a unit of gas in a block with this base fee.
    pub(super) fn price_wei(&self, base_fee_wei: u64) -> u128 {
        self.max_fee_wei.min(u128::from(base_fee_wei).saturating_add(self.max_priority_fee_wei))
    }

    /// The most that the transaction may cost its sender.
    pub(super) fn cost(&self) -> U256 {
        U256::from(self.max_fee_wei).saturating_mul(U256::from(self.gas_limit)).saturating_add(self.value)
    }

    /// What the machine runs.
    pub(super) fn env(&self) -> TxEnv {
        TxEnv {
            tx_type: self.kind,
            caller: self.sender,
            gas_limit: self.gas_limit,
            gas_price: self.max_fee_wei,
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: self.value,
            data: self.data.clone(),
            nonce: self.nonce,
            chain_id: self.chain_id,
            access_list: self.access_list.clone(),
            gas_priority_fee: (self.kind == 2).then_some(self.max_priority_fee_wei),
            ..TxEnv::default()
        }
    }

    /// The transaction as `eth_getTransactionByHash` shows it, without its place.
    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        put("hash", json!(self.hash));
        put("type", json!(format!("{:#x}", self.kind)));
        put("nonce", json!(format!("{:#x}", self.nonce)));
        put("from", json!(format!("{:#x}", self.sender)));
        put("to", self.to.map_or(Value::Null, |to| json!(format!("{to:#x}"))));
        put("value", json!(format!("{:#x}", self.value)));
        put("gas", json!(format!("{:#x}", self.gas_limit)));
        put("gasPrice", json!(format!("{:#x}", self.max_fee_wei)));
        put("input", json!(self.data));
        put("v", json!(format!("{:#x}", self.v)));
        put("r", json!(format!("{:#x}", self.r)));
        put("s", json!(format!("{:#x}", self.s)));
        if let Some(chain_id) = self.chain_id {
            put("chainId", json!(format!("{chain_id:#x}")));
        }
        if self.kind > 0 {
            let entries = self
                .access_list
                .iter()
                .map(|entry| json!({ "address": format!("{:#x}", entry.address), "storageKeys": entry.storage_keys }));
            put("accessList", entries.collect());
            put("yParity", json!(format!("{:#x}", self.v)));
        }
        if self.kind == 2 {
            put("maxFeePerGas", json!(format!("{:#x}", self.max_fee_wei)));
            put("maxPriorityFeePerGas", json!(format!("{:#x}", self.max_priority_fee_wei)));
        }
        out
    }
}

fn hash(bytes: &[u8]) -> B256 {
    B256::from(keccak256(&[bytes]).0)
}

fn word(item: &Item<'_>) -> Result<U256, TxError> {
    Ok(U256::from_be_slice(item.number(32)?))
}

fn wei(item: &Item<'_>) -> Result<u128, TxError> {
    u128::try_from(word(item)?).map_err(|_| TxError::Wide)
}

fn receiver(item: &Item<'_>) -> Result<Option<Address>, TxError> {
    match item.bytes()? {
        [] => Ok(None),
        _ => Ok(Some(Address::from(item.array::<20>()?))),
    }
}

fn access_list(item: &Item<'_>) -> Result<AccessList, TxError> {
    let entries = item.items(LIST_MAX)?.into_iter().map(|entry| {
        let [address, keys] = entry.exactly::<2>()?;
        let keys =
            keys.items(LIST_MAX)?.iter().map(|key| key.array::<32>().map(B256::from)).collect::<Result<_, _>>()?;
        Ok(AccessListItem { address: Address::from(address.array::<20>()?), storage_keys: keys })
    });
    Ok(AccessList(entries.collect::<Result<_, RlpError>>()?))
}

fn sender(signed: &[u8], recovery: u64, r: U256, s: U256) -> Result<Address, TxError> {
    let mut signature = [0; 65];
    signature[..32].copy_from_slice(&r.to_be_bytes::<32>());
    signature[32..64].copy_from_slice(&s.to_be_bytes::<32>());
    signature[64] = u8::try_from(recovery).map_err(|_| TxError::Signature)?;
    let signer = secp256k1::recover(&hash(signed).0, &signature).map_err(|_| TxError::Signature)?;
    Ok(Address::from(signer.0))
}
