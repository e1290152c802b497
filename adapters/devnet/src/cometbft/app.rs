//! The application: which transactions are taken, what they do, and what that costs.

use std::time::Duration;

use catenary_light_clients::Timestamp;
use catenary_protocol::handler::{
    self, Amount, AttestationClient, Bank, BankError, Context, Handler, Rendered, TendermintClient, TransferApp,
};
use catenary_protocol::proto::{self, decode_strict};
use cosmos_sdk_proto::cosmos::bank::v1beta1::MsgSend;
use cosmos_sdk_proto::cosmos::base::abci::v1beta1::TxMsgData;
use cosmos_sdk_proto::cosmos::base::v1beta1::Coin;
use prost::Message;

use super::host::{account_of, insufficient_code, module_account, Account, Host};
use super::tx::{Refusal, Tx, TxResult};

/// The module that holds the fees (cosmos-sdk `x/auth/types`).
pub(crate) const FEE_COLLECTOR: &str = "fee_collector";
const MSG_SEND: &str = "/cosmos.bank.v1beta1.MsgSend";
/// Longest memo, in bytes (cosmos-sdk `MaxMemoCharacters`).
const MEMO_BYTES_MAX: usize = 256;
/// What a transaction costs before its messages (cosmos-sdk `TxSizeCostPerByte`, `SigVerifyCostSecp256k1`).
const GAS_BYTE: u64 = 10;
const GAS_SIGNATURE: u64 = 1_000;
/// What a message costs beside the reads and writes that it does, so that sums are like those of a live chain.
const GAS_MESSAGE: u64 = 10_000;
/// Code space of ibc-go's channel errors, and in it "packet messages are redundant" (`04-channel/types/errors.go`).
const CHANNEL: &str = "channel";
const REDUNDANT: u32 = 22;
/// "No operation" in the answer to a packet message (`ibc.core.channel.v2.ResponseResultType`).
const NOOP: i32 = 1;

/// What a transaction is run for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// To see whether it may wait for a block.
    Check,
    /// To take effect.
    Deliver,
    /// To see what it would cost.
    Simulate,
}

/// The block that a transaction runs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockContext {
    /// Its height.
    pub(crate) height: u64,
    /// Its time.
    pub(crate) time: Duration,
}

impl BlockContext {
    /// The time as the handler takes it.
    pub(crate) fn timestamp(self) -> Timestamp {
        Timestamp::from_nanos(u64::try_from(self.time.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The rules.
#[derive(Debug)]
pub(crate) struct App {
    handler: Handler<Host>,
    chain_id: String,
    fee_denom: String,
    /// Least price of a unit of gas, in millionths of the fee's base unit.
    gas_price_micros_min: u64,
}

/// What the messages of a transaction did.
struct Done {
    data: Vec<u8>,
    events: Vec<Rendered>,
}

impl App {
    /// The rules of a chain.
    pub(crate) fn new(chain_id: &str, fee_denom: &str, gas_price_micros_min: u64) -> Self {
        let handler = Handler::new().with_client(AttestationClient).with_client(TendermintClient).with_app(TransferApp);
        Self { handler, chain_id: chain_id.to_owned(), fee_denom: fee_denom.to_owned(), gas_price_micros_min }
    }

    /// The IBC handler.
    pub(crate) const fn handler(&self) -> &Handler<Host> {
        &self.handler
    }

    /// Runs a transaction to take effect; refused or failed, its result says why.
    pub(crate) fn deliver(&self, host: &mut Host, bytes: &[u8], block: BlockContext) -> TxResult {
        host.take_gas();
        host.take_log();
        let tx = match Tx::decode(bytes) {
            Ok(tx) => tx,
            Err(refusal) => return failed(refusal, 0, 0),
        };
        let gas_wanted = tx.fee.gas_limit;
        let signer = match self.atomic(host, |host| self.ante(host, &tx, Mode::Deliver, block)) {
            Ok(signer) => signer,
            Err(refusal) => return failed(refusal, gas_wanted, host.take_gas()),
        };
        let mut events = ante_events(&tx, &signer);
        host.take_log();
        let done = self.atomic(host, |host| {
            let done = self.run(host, &tx, &signer, block)?;
            check_gas(host, &tx)?;
            Ok(done)
        });
        match done {
            Ok(done) => {
                events.extend(done.events);
                let (data, gas_used) = (done.data, host.take_gas());
                TxResult { data, gas_wanted, gas_used, events, ..TxResult::default() }
            }
            Err(refusal) => {
                // Fee and sequence are spent all the same.
                let gas_used = host.take_gas().min(gas_wanted);
                TxResult { events, ..failed(refusal, gas_wanted, gas_used) }
            }
        }
    }

    /// Sees whether a transaction may wait for a block; the host keeps what it would change.
    pub(crate) fn check(&self, host: &mut Host, bytes: &[u8], block: BlockContext) -> Result<Tx, Refusal> {
        host.take_gas();
        let tx = Tx::decode(bytes)?;
        self.atomic(host, |host| {
            let signer = self.ante(host, &tx, Mode::Check, block)?;
            self.check_redundant(host, &tx, &signer, block)
        })?;
        Ok(tx)
    }

    /// Gas that a transaction would use.
    pub(crate) fn simulate(&self, host: &mut Host, bytes: &[u8], block: BlockContext) -> Result<u64, Refusal> {
        host.take_gas();
        let tx = Tx::decode(bytes)?;
        let signer = self.ante(host, &tx, Mode::Simulate, block)?;
        self.run(host, &tx, &signer, block)?;
        Ok(host.take_gas())
    }

    fn atomic<T>(&self, host: &mut Host, step: impl FnOnce(&mut Host) -> Result<T, Refusal>) -> Result<T, Refusal> {
        handler::atomically(host, step)
    }

    /// Checks a transaction, takes its fee and counts the sequence up; gives the signer's address.
    fn ante(&self, host: &mut Host, tx: &Tx, mode: Mode, block: BlockContext) -> Result<String, Refusal> {
        host.charge(GAS_BYTE * tx.bytes as u64);
        let timeout = tx.body.timeout_height;
        if timeout != 0 && block.height > timeout {
            let reason = format!("block height: {}, timeout height: {timeout}", block.height);
            return Err(Refusal::sdk(30, &reason));
        }
        if tx.body.memo.len() > MEMO_BYTES_MAX {
            let got = tx.body.memo.len();
            let reason = format!("maximum number of characters is {MEMO_BYTES_MAX} but received {got} characters");
            return Err(Refusal::sdk(12, &reason));
        }
        let key = tx.public_key.ok_or_else(|| Refusal::sdk(8, "the transaction carries no public key"))?;
        let account = account_of(&key);
        let address = host.address(&account);
        self.take_fee(host, tx, &account, mode)?;
        host.charge(GAS_SIGNATURE);
        let unknown = || Refusal::sdk(9, &format!("account {address} does not exist"));
        let known = host.signer(&account).ok_or_else(unknown)?;
        if known.sequence != tx.sequence() {
            let (expected, got) = (known.sequence, tx.sequence());
            return Err(Refusal::sdk(32, &format!("account sequence mismatch, expected {expected}, got {got}")));
        }
        if mode != Mode::Simulate {
            tx.verify(&self.chain_id, known.number, &key)?;
        }
        host.set_signer(&account, &Account { key: Some(key), sequence: known.sequence + 1, ..known });
        Ok(address)
    }

    fn take_fee(&self, host: &mut Host, tx: &Tx, account: &[u8], mode: Mode) -> Result<(), Refusal> {
        let address = host.address(account);
        if !tx.fee.granter.is_empty() || !(tx.fee.payer.is_empty() || tx.fee.payer == address) {
            return Err(Refusal::sdk(4, "fees are paid by the signer here"));
        }
        if host.signer(account).is_none() {
            return Err(Refusal::sdk(9, &format!("fee payer address: {address} does not exist")));
        }
        let coins = coins(&tx.fee.amount)?;
        if mode == Mode::Check {
            let least = u128::from(self.gas_price_micros_min).saturating_mul(u128::from(tx.fee.gas_limit));
            let least = Amount::from(least.div_ceil(1_000_000));
            let paid = coins.iter().find(|(denom, _)| *denom == self.fee_denom).map_or(Amount::ZERO, |coin| coin.1);
            if paid < least {
                let got: Vec<String> = coins.iter().map(|(denom, amount)| format!("{amount}{denom}")).collect();
                let reason = format!("insufficient fees; got: {} required: {least}{}", got.join(","), self.fee_denom);
                return Err(Refusal::sdk(13, &reason));
            }
        }
        for (denom, amount) in coins {
            let paid = host.transfer(account, &module_account(FEE_COLLECTOR), denom, amount);
            paid.map_err(|error| bank_refusal(&error, denom))?;
        }
        Ok(())
    }

    /// Refuses a transaction whose packets are all delivered already (ibc-go `RedundantRelayDecorator`).
    fn check_redundant(&self, host: &mut Host, tx: &Tx, signer: &str, block: BlockContext) -> Result<(), Refusal> {
        let is_packet =
            |url: &str| matches!(url, proto::MSG_RECV_PACKET | proto::MSG_ACKNOWLEDGEMENT | proto::MSG_TIMEOUT);
        let messages = &tx.body.messages;
        if !messages.iter().all(|any| is_packet(&any.type_url) || any.type_url == proto::MSG_UPDATE_CLIENT) {
            return Ok(());
        }
        let (mut packets, mut redundant) = (0, 0);
        for (index, any) in messages.iter().enumerate() {
            let context = Context { time: block.timestamp(), signer };
            let outcome = self.handler.handle(host, context, &any.type_url, &any.value);
            let outcome = outcome.map_err(|error| message_refusal(index, &error))?;
            if is_packet(&any.type_url) {
                packets += 1;
                let response = proto::PacketResponse::decode(outcome.response.as_slice()).unwrap_or_default();
                redundant += usize::from(response.result == NOOP);
            }
        }
        if packets > 0 && packets == redundant {
            let log = "packet messages are redundant".to_owned();
            return Err(Refusal { codespace: CHANNEL, code: REDUNDANT, log });
        }
        Ok(())
    }

    /// Runs the messages.
    fn run(&self, host: &mut Host, tx: &Tx, signer: &str, block: BlockContext) -> Result<Done, Refusal> {
        let (mut events, mut responses) = (Vec::new(), Vec::new());
        for (index, any) in tx.body.messages.iter().enumerate() {
            host.charge(GAS_MESSAGE);
            let first = rendered("message", &[("action", &any.type_url), ("sender", signer)]);
            let (response, happened) = self.message(host, (index, any), signer, block)?;
            for mut event in [vec![first], host.take_log(), happened].concat() {
                event.attributes.push(("msg_index".to_owned(), index.to_string()));
                events.push(event);
            }
            let type_url = format!("{}Response", any.type_url);
            responses.push(cosmos_sdk_proto::Any { type_url, value: response });
        }
        let data = TxMsgData { msg_responses: responses, ..TxMsgData::default() }.encode_to_vec();
        Ok(Done { data, events })
    }

    fn message(
        &self,
        host: &mut Host,
        (index, any): (usize, &cosmos_sdk_proto::Any),
        signer: &str,
        block: BlockContext,
    ) -> Result<(Vec<u8>, Vec<Rendered>), Refusal> {
        if any.type_url == MSG_SEND {
            let named = |refusal: Refusal| Refusal { log: format!("{}{}", at(index), refusal.log), ..refusal };
            self.send(host, &any.value, signer).map_err(named)?;
            return Ok((Vec::new(), Vec::new()));
        }
        let context = Context { time: block.timestamp(), signer };
        let outcome = self.handler.handle(host, context, &any.type_url, &any.value);
        let outcome = outcome.map_err(|error| message_refusal(index, &error))?;
        Ok((outcome.response, outcome.events.iter().flat_map(handler::Event::render).collect()))
    }

    fn send(&self, host: &mut Host, message: &[u8], signer: &str) -> Result<(), Refusal> {
        let message: MsgSend =
            decode_strict("MsgSend", message).map_err(|error| Refusal::sdk(2, &error.to_string()))?;
        if message.from_address != signer {
            return Err(Refusal::sdk(4, &format!("{} did not sign", message.from_address)));
        }
        let account = |address: &str| {
            host.account(address).ok_or_else(|| Refusal::sdk(7, &format!("{address} cannot receive funds")))
        };
        let (from, to) = (account(&message.from_address)?, account(&message.to_address)?);
        let coins = coins(&message.amount)?;
        if coins.is_empty() {
            return Err(Refusal::sdk(10, "no amount"));
        }
        for (denom, amount) in coins {
            host.transfer(&from, &to, denom, amount).map_err(|error| bank_refusal(&error, denom))?;
        }
        Ok(())
    }
}

/// Coins in rising order of their denominations, each more than nothing (cosmos-sdk `Coins.Validate`).
fn coins(coins: &[Coin]) -> Result<Vec<(&str, Amount)>, Refusal> {
    let wrong = |coin: &Coin| Refusal::sdk(10, &format!("{}{}", coin.amount, coin.denom));
    let parse = |coin: &Coin| Amount::from_str_radix(&coin.amount, 10).ok().filter(|amount| !amount.is_zero());
    let mut parsed: Vec<(&str, Amount)> = Vec::with_capacity(coins.len());
    for coin in coins {
        let amount = parse(coin).ok_or_else(|| wrong(coin))?;
        if !is_denom(&coin.denom) || parsed.last().is_some_and(|(denom, _)| *denom >= coin.denom.as_str()) {
            return Err(wrong(coin));
        }
        parsed.push((&coin.denom, amount));
    }
    Ok(parsed)
}

/// A letter, then 2 to 127 of a set (cosmos-sdk `types/coin.go`).
fn is_denom(denom: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-".contains(&byte);
    let starts = denom.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    starts && (3..=128).contains(&denom.len()) && denom.bytes().all(allowed)
}

fn check_gas(host: &Host, tx: &Tx) -> Result<(), Refusal> {
    let (wanted, used) = (tx.fee.gas_limit, host.gas());
    if used <= wanted {
        return Ok(());
    }
    let reason = format!("out of gas in location: WritePerByte; gasWanted: {wanted}, gasUsed: {used}");
    Err(Refusal::sdk(11, &reason))
}

fn bank_refusal(error: &BankError, denom: &str) -> Refusal {
    match error {
        BankError::Insufficient { have, need } => {
            Refusal::sdk(5, &format!("spendable balance {have}{denom} is smaller than {need}{denom}"))
        }
        other => Refusal::sdk(10, &other.to_string()),
    }
}

fn at(index: usize) -> String {
    format!("failed to execute message; message index: {index}: ")
}

/// The handler's refusal of a message, under the code that ibc-go has for it.
fn message_refusal(index: usize, error: &handler::Error) -> Refusal {
    use handler::Error;
    let reason = format!("{}{error}", at(index));
    let (codespace, code, words) = match error {
        Error::UnknownMessage { .. } => return Refusal::sdk(6, &reason),
        Error::Signer { .. } | Error::NotCreator { .. } | Error::NotAllowedRelayer { .. } => {
            return Refusal::sdk(4, &reason);
        }
        Error::App(rejection) if rejection.code == insufficient_code() => return Refusal::sdk(5, &reason),
        Error::Missing { .. } | Error::Protocol(_) => return Refusal::sdk(18, &reason),
        Error::ClientNotFound { .. } => ("client", 4, "light client not found"),
        Error::ConsensusStateNotFound { .. } => ("client", 7, "consensus state not found"),
        Error::ClientNotActive { .. } => ("client", 29, "client state is not active"),
        Error::NotMember { .. } => ("client", 30, "membership verification failed"),
        Error::Present { .. } => ("client", 31, "non-membership verification failed"),
        Error::Commitment { .. } => ("channelv2", 4, "invalid packet"),
        Error::TimeoutElapsed { .. } => ("channelv2", 10, "timeout elapsed"),
        Error::AcknowledgementExists { .. } => ("channelv2", 12, "acknowledgement for packet already exists"),
        Error::TimeoutNotReached { .. } => ("channelv2", 13, "timeout not reached"),
        Error::TimeoutTooFar { .. } => ("channelv2", 15, "invalid packet timeout"),
        _ => ("ibc", 2, "refused"),
    };
    Refusal { codespace, code, log: format!("{reason}: {words}") }
}

fn failed(refusal: Refusal, gas_wanted: u64, gas_used: u64) -> TxResult {
    let Refusal { codespace, code, log } = refusal;
    TxResult { code, codespace: codespace.to_owned(), log, gas_wanted, gas_used, ..TxResult::default() }
}

fn ante_events(tx: &Tx, signer: &str) -> Vec<Rendered> {
    let signature = super::json::base64(tx.signature());
    let sequence = format!("{signer}/{}", tx.sequence());
    vec![rendered("tx", &[("acc_seq", &sequence)]), rendered("tx", &[("signature", &signature)])]
}

fn rendered(kind: &str, attributes: &[(&str, &str)]) -> Rendered {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Rendered { kind: kind.to_owned(), attributes }
}
