//! What users do: transfers in every direction, signed with their own keys, many at once where a chain lets them.

use catenary_adapter_cosmos::setup as cosmos;
use catenary_adapter_evm::setup as evm;
use catenary_adapter_evm::{parse_address, At};
use catenary_api::{Broadcast, BuildRequest, Call, ChainSink, PublicKey, SignedTx, TxBody, TxReceipt};
use catenary_protocol::ics20;
use k256::ecdsa::SigningKey;

use super::{chain_error, now_seconds, Consortium, NATIVE};
use crate::localnet::{Account, LocalnetError};

/// How long a user's transaction may take into a block, in seconds; generous for loaded machines.
const INCLUSION_SECONDS: u64 = 120;
/// Between looks for a receipt, in milliseconds.
const LOOK_MS: u64 = 150;
/// Most transfers of one Cosmos transaction: about a third of the gas that is allowed.
const TRANSFERS_MAX: usize = 60;

/// What is moved, and with it in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asset {
    /// An ERC-20 from the EVM chain to the Cosmos chain.
    Erc20,
    /// Its voucher, back home.
    Erc20Voucher,
    /// The Cosmos chain's own denomination, to the EVM chain.
    Native,
    /// Its voucher ERC-20, back home.
    NativeVoucher,
}

impl Asset {
    /// Every asset.
    pub const ALL: [Self; 4] = [Self::Erc20, Self::Erc20Voucher, Self::Native, Self::NativeVoucher];

    /// Whether it is sent from the EVM chain.
    #[must_use]
    pub const fn from_evm(self) -> bool {
        matches!(self, Self::Erc20 | Self::NativeVoucher)
    }
}

/// One transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Base units.
    pub amount: u64,
    /// Receiver; the user on the other side when left out.
    pub receiver: Option<String>,
    /// Seconds until it times out.
    pub timeout_seconds: u64,
}

impl Order {
    /// To the user on the other side, with plenty of time.
    #[must_use]
    pub const fn of(amount: u64) -> Self {
        Self { amount, receiver: None, timeout_seconds: 3_600 }
    }

    /// With another timeout.
    #[must_use]
    pub const fn within(mut self, timeout_seconds: u64) -> Self {
        self.timeout_seconds = timeout_seconds;
        self
    }

    /// To another receiver.
    #[must_use]
    pub fn to(mut self, receiver: &str) -> Self {
        self.receiver = Some(receiver.to_owned());
        self
    }
}

/// Transfers that were broadcast and are in no block yet, as far as known.
#[derive(Debug)]
pub struct Sending {
    asset: Asset,
    count: u64,
    before: u64,
    transactions: Vec<SignedTx>,
}

impl Consortium {
    /// Sends one transfer and gives its packet, as `chain/client/sequence`.
    ///
    /// # Errors
    /// When the chain refuses it.
    pub fn send(&self, asset: Asset, order: Order) -> Result<String, LocalnetError> {
        let sending = self.broadcast(asset, &[order])?;
        let mut keys = self.included(sending)?;
        keys.pop().ok_or_else(|| LocalnetError::answer("sending a transfer", "no packet"))
    }

    /// Hands transfers of one asset to its chain, without waiting for blocks.
    ///
    /// # Errors
    /// When the chain refuses one.
    pub fn broadcast(&self, asset: Asset, orders: &[Order]) -> Result<Sending, LocalnetError> {
        let before = self.last_sequence(asset.from_evm())?;
        let calls = orders.iter().map(|order| self.call(asset, order)).collect::<Result<Vec<_>, _>>()?;
        // EVM takes one call a transaction.
        let size = if asset.from_evm() { 1 } else { TRANSFERS_MAX };
        let bodies: Vec<TxBody> = calls.chunks(size).map(|calls| TxBody::Call(calls.to_vec())).collect();
        let transactions = if asset.from_evm() {
            self.runtime.block_on(pipelined(&self.evm, &self.evm_user, bodies))?
        } else {
            self.runtime.block_on(one_by_one(&self.cosmos, &self.cosmos_user, bodies))?
        };
        Ok(Sending { asset, count: orders.len() as u64, before, transactions })
    }

    /// Waits until transfers are in blocks, and gives their packets.
    ///
    /// # Errors
    /// When one failed, or is in no block in time.
    pub fn included(&self, sending: Sending) -> Result<Vec<String>, LocalnetError> {
        let sink: &dyn ChainSink = if sending.asset.from_evm() { &self.evm } else { &self.cosmos };
        for transaction in &sending.transactions {
            self.runtime.block_on(outcome(sink, transaction))?;
        }
        let after = self.last_sequence(sending.asset.from_evm())?;
        if after != sending.before + sending.count {
            let answer = format!("sequences {} to {after} for {} transfers", sending.before, sending.count);
            return Err(LocalnetError::answer("sending transfers", answer));
        }
        Ok((sending.before + 1..=after).map(|sequence| self.packet_key(sending.asset.from_evm(), sequence)).collect())
    }

    fn last_sequence(&self, evm_side: bool) -> Result<u64, LocalnetError> {
        if evm_side {
            return self.runtime.block_on(self.evm.last_sequence_sent(&self.clients.evm)).map_err(chain_error);
        }
        let next = self.runtime.block_on(self.cosmos.next_sequence(&self.clients.cosmos)).map_err(chain_error)?;
        Ok(next.unwrap_or(1) - 1)
    }

    /// A packet's key in the members' words.
    #[must_use]
    pub fn packet_key(&self, from_evm: bool, sequence: u64) -> String {
        let (chain, client) =
            if from_evm { (super::CHAINS[0], &self.clients.evm) } else { (super::CHAINS[1], &self.clients.cosmos) };
        format!("{chain}/{client}/{sequence}")
    }

    fn call(&self, asset: Asset, order: &Order) -> Result<Call, LocalnetError> {
        let timeout = now_seconds() + order.timeout_seconds;
        let default = if asset.from_evm() { self.cosmos_user.cosmos_address.clone() } else { self.evm_user.evm_hex() };
        let receiver = order.receiver.clone().unwrap_or(default);
        if asset.from_evm() {
            let token = if asset == Asset::Erc20 { self.token } else { self.voucher_contract()? };
            let transfer = evm::TransferArguments {
                token,
                amount: order.amount.to_string(),
                receiver,
                source_client: self.clients.evm.clone(),
                timeout_timestamp_seconds: timeout,
                memo: String::new(),
            };
            return evm::send_transfer(&self.app, &transfer).map_err(chain_error);
        }
        let denom = if asset == Asset::Native { NATIVE.to_owned() } else { self.voucher_denom() };
        let transfer = cosmos::Transfer {
            client_id: self.clients.cosmos.clone(),
            denom,
            amount: order.amount.to_string(),
            receiver,
            timeout_seconds: timeout,
            memo: String::new(),
        };
        cosmos::transfer(&self.cosmos_user.cosmos_address, &transfer).map_err(chain_error)
    }

    /// What the Cosmos chain calls the ERC-20.
    #[must_use]
    pub fn voucher_denom(&self) -> String {
        let erc20 = format!("0x{}", hex::encode(self.token));
        ics20::ibc_denom(&ics20::received_denom(&erc20, &self.clients.evm, &self.clients.cosmos))
    }

    /// The contract that stands for the Cosmos chain's denomination on the EVM chain.
    fn voucher_contract(&self) -> Result<[u8; 20], LocalnetError> {
        let voucher = self.runtime.block_on(self.evm.voucher(&self.app, &self.native_trace(), At::Latest));
        voucher
            .map_err(chain_error)?
            .ok_or_else(|| LocalnetError::answer("the voucher of the native denom", "none yet"))
    }

    /// Trace of the Cosmos chain's denomination on the EVM chain.
    pub(super) fn native_trace(&self) -> String {
        ics20::received_denom(NATIVE, &self.clients.cosmos, &self.clients.evm)
    }

    /// A call of the EVM user that must succeed.
    pub(super) fn evm_call(&self, call: Call) -> Result<TxReceipt, LocalnetError> {
        self.runtime.block_on(async {
            let sent = pipelined(&self.evm, &self.evm_user, vec![TxBody::Call(vec![call])]).await?;
            let first = sent.first().ok_or_else(|| LocalnetError::answer("a call", "nothing was sent"))?;
            outcome(&self.evm, first).await
        })
    }
}

/// An address that a member or a receipt names.
pub(super) fn address(text: &str) -> Result<[u8; 20], LocalnetError> {
    parse_address(text).map_err(chain_error)
}

/// Signs as an account and gives what may be broadcast.
async fn sign(
    sink: &dyn ChainSink,
    from: &Account,
    body: &TxBody,
    account: &catenary_api::Account,
    nonce: u64,
) -> Result<SignedTx, LocalnetError> {
    let key = PublicKey(from.public_key);
    let request = BuildRequest { body, public_key: &key, account, nonce };
    let unsigned = sink.build(request).await.map_err(chain_error)?;
    let signing = SigningKey::from_slice(&from.private_key).map_err(chain_error)?;
    let (signature, id) = signing.sign_prehash_recoverable(&unsigned.digest.0).map_err(chain_error)?;
    let mut plain = [0; 65];
    plain[..64].copy_from_slice(&signature.to_bytes());
    plain[64] = id.to_byte();
    sink.finish(&unsigned, &plain).map_err(chain_error)
}

/// Broadcasts transactions with one nonce after the other, without waiting for blocks.
async fn pipelined(sink: &dyn ChainSink, from: &Account, bodies: Vec<TxBody>) -> Result<Vec<SignedTx>, LocalnetError> {
    let account = sink.account(&PublicKey(from.public_key)).await.map_err(chain_error)?;
    let mut sent = Vec::new();
    for (nonce, body) in (account.nonce..).zip(&bodies) {
        let signed = sign(sink, from, body, &account, nonce).await?;
        accepted(sink.broadcast(&signed).await)?;
        sent.push(signed);
    }
    Ok(sent)
}

/// Broadcasts transactions each after the one before is in a block; the last one is not waited for.
pub(super) async fn one_by_one(
    sink: &dyn ChainSink,
    from: &Account,
    bodies: Vec<TxBody>,
) -> Result<Vec<SignedTx>, LocalnetError> {
    let mut sent: Vec<SignedTx> = Vec::new();
    for body in &bodies {
        if let Some(last) = sent.last() {
            outcome(sink, last).await?;
        }
        let account = sink.account(&PublicKey(from.public_key)).await.map_err(chain_error)?;
        let signed = sign(sink, from, body, &account, account.nonce).await?;
        accepted(sink.broadcast(&signed).await)?;
        sent.push(signed);
    }
    Ok(sent)
}

fn accepted(broadcast: Broadcast) -> Result<(), LocalnetError> {
    match broadcast {
        Broadcast::Accepted => Ok(()),
        other => Err(LocalnetError::answer("broadcasting a user's transaction", format!("{other:?}"))),
    }
}

/// Waits for a transaction that must succeed.
pub(super) async fn outcome(sink: &dyn ChainSink, transaction: &SignedTx) -> Result<TxReceipt, LocalnetError> {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(INCLUSION_SECONDS);
    loop {
        let receipt = sink.receipt(&transaction.hash).await.map_err(chain_error)?;
        match receipt {
            Some(receipt) if receipt.success => return Ok(receipt),
            Some(receipt) => return Err(LocalnetError::answer("a user's transaction", format!("{receipt:?}"))),
            None if std::time::Instant::now() > end => {
                return Err(LocalnetError::Timeout {
                    what: format!("transaction {}", transaction.hash),
                    seconds: INCLUSION_SECONDS,
                    detail: String::new(),
                });
            }
            // A receipt is no event that can be awaited.
            None => tokio::time::sleep(std::time::Duration::from_millis(LOOK_MS)).await,
        }
    }
}
