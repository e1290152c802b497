//! The customers: what they send, and what became of it, as the operators' light clients have proven it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catenary_adapter_evm::{parse_address, At, EvmAdapter};
use catenary_protocol::ics20;
use serde::Serialize;

use super::config::{CHAINS, COSMOS, EVM, PATH};
use super::operator::Operator;
use super::{keys, DENOM, SYMBOL};
use crate::cli::output::Failure;
use crate::platform;
use crate::query::PacketView;
use crate::relay::Sender;
use crate::setup::{self, TransferOrder};

/// How long transfers may take to end, in seconds; generous for loaded machines.
pub(super) const END_SECONDS: u64 = 90;
/// Seconds until a transfer times out, unless it is to miss its deadline.
const TIMEOUT_SECONDS: u64 = 3_600;
/// Pause between two looks at the operators, in milliseconds.
const LOOK_MS: u64 = 100;

/// What is moved, and with it in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    /// The ERC-20 from the EVM chain to the Cosmos chain.
    Erc20,
    /// Its voucher, back home.
    Erc20Voucher,
    /// The Cosmos chain's denomination to the EVM chain.
    Native,
    /// Its voucher, back home.
    NativeVoucher,
}

impl Asset {
    /// Place of the chain that it is sent from.
    pub(super) const fn source(self) -> usize {
        match self {
            Self::Erc20 | Self::NativeVoucher => EVM,
            Self::Native | Self::Erc20Voucher => COSMOS,
        }
    }

    /// As people read it.
    pub(super) fn label(self) -> String {
        match self {
            Self::Erc20 => SYMBOL.to_owned(),
            Self::Native => DENOM.to_owned(),
            Self::Erc20Voucher => format!("{SYMBOL}, home"),
            Self::NativeVoucher => format!("{DENOM}, home"),
        }
    }

    /// Whether it is the ERC-20, on its way out or home.
    pub(super) const fn is_erc20(self) -> bool {
        matches!(self, Self::Erc20 | Self::Erc20Voucher)
    }
}

/// One transfer to send.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) asset: Asset,
    pub(super) amount: u64,
    /// The customer on the other side when left out.
    pub(super) receiver: Option<String>,
    pub(super) timeout_seconds: u64,
}

impl Order {
    /// To the customer on the other side, with plenty of time.
    pub(super) const fn of(asset: Asset, amount: u64) -> Self {
        Self { asset, amount, receiver: None, timeout_seconds: TIMEOUT_SECONDS }
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    /// It arrived.
    Acknowledged,
    /// The receiver's chain refused it, and it was refunded.
    Rejected,
    /// Its deadline passed, and it was refunded.
    TimedOut,
}

impl End {
    fn of(view: &PacketView) -> Option<Self> {
        match (view.stage.as_str(), view.acknowledgement.as_deref()) {
            ("acknowledged", _) => Some(Self::Acknowledged),
            ("refunded", Some(_)) => Some(Self::Rejected),
            ("refunded", None) => Some(Self::TimedOut),
            _ => None,
        }
    }

    /// As people read it.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Acknowledged => "arrived",
            Self::Rejected => "refused, refunded",
            Self::TimedOut => "too late, refunded",
        }
    }
}

/// A transfer and what became of it. Times are seconds: the sending since the demo began, the others since the sending.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) packet: String,
    pub(super) uetr: String,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) asset: String,
    pub(super) amount: u64,
    pub(super) sent_seconds: f64,
    pub(super) received_seconds: Option<f64>,
    pub(super) ended_seconds: Option<f64>,
    pub(super) end: Option<End>,
    #[serde(skip)]
    pub(super) kind: Asset,
}

impl Row {
    /// Takes what an operator knows of the packet at a moment.
    pub(super) fn note(&mut self, view: &PacketView, now_seconds: f64) {
        let since = now_seconds - self.sent_seconds;
        let delivered = view.stage == "received" || view.acknowledgement.is_some();
        if delivered && self.received_seconds.is_none() {
            self.received_seconds = Some(since);
        }
        if self.end.is_none() {
            self.end = End::of(view);
            self.ended_seconds = self.end.map(|_| since);
        }
    }

    /// What it adds to what is locked on one side without standing for anything on the other.
    pub(super) const fn in_flight(&self) -> u64 {
        match (self.end, self.received_seconds) {
            (Some(_), _) | (None, Some(_)) => 0,
            (None, None) => self.amount,
        }
    }
}

/// Who sends, with what.
#[derive(Debug)]
pub(super) struct Customers {
    pub(super) seed: u64,
    /// Of each chain.
    pub(super) senders: [Arc<Sender>; 2],
    /// Their addresses on each chain.
    pub(super) addresses: [String; 2],
    /// Clients of the path on each chain.
    pub(super) clients: [String; 2],
    pub(super) app: [u8; 20],
    /// The ERC-20.
    pub(super) token: String,
    pub(super) evm: Arc<EvmAdapter>,
}

impl Customers {
    /// What the Cosmos chain calls the ERC-20.
    pub(super) fn erc20_voucher(&self) -> String {
        let [evm, cosmos] = &self.clients;
        ics20::ibc_denom(&ics20::received_denom(&self.token.to_lowercase(), evm, cosmos))
    }

    /// The contract that stands for the Cosmos chain's denomination on the EVM chain, once there is one.
    pub(super) async fn native_voucher(&self) -> Result<Option<[u8; 20]>, Failure> {
        let [evm, cosmos] = &self.clients;
        let trace = ics20::received_denom(DENOM, cosmos, evm);
        let voucher = self.evm.voucher(&self.app, &trace, At::Latest).await;
        voucher.map_err(|error| catenary_api::Error::from(error).into())
    }

    async fn asset(&self, asset: Asset) -> Result<String, Failure> {
        match asset {
            Asset::Erc20 => Ok(self.token.clone()),
            Asset::Erc20Voucher => Ok(self.erc20_voucher()),
            Asset::Native => Ok(DENOM.to_owned()),
            Asset::NativeVoucher => {
                let voucher = self.native_voucher().await?.ok_or_else(|| {
                    Failure::new("NODE-DEMO-009", format!("there is no voucher of {DENOM} yet; send some first"))
                })?;
                Ok(format!("0x{}", hex::encode(voucher)))
            }
        }
    }

    /// Sends a transfer with the n-th payment reference; done when it is in a block.
    pub(super) async fn send(&self, order: &Order, number: u64, began: Instant) -> Result<Row, Failure> {
        let (from, to) = (order.asset.source(), 1 - order.asset.source());
        let uetr = keys::uetr(self.seed, number);
        let call = TransferOrder {
            path: PATH.to_owned(),
            source_client: self.clients[from].clone(),
            asset: self.asset(order.asset).await?,
            amount: order.amount.to_string(),
            receiver: order.receiver.clone().unwrap_or_else(|| self.addresses[to].clone()),
            timeout_timestamp_seconds: platform::now().seconds().saturating_add(order.timeout_seconds),
            memo: serde_json::json!({ "settlement": { "uetr": uetr } }).to_string(),
        };
        let app = (from == EVM).then_some(&self.app);
        let sent = setup::send_transfer(&self.senders[from], app, &call).await?;
        Ok(Row {
            packet: format!("{}/{}/{}", CHAINS[from], self.clients[from], sent.sequence),
            uetr,
            from: CHAINS[from],
            to: CHAINS[to],
            asset: order.asset.label(),
            amount: order.amount,
            sent_seconds: began.elapsed().as_secs_f64(),
            received_seconds: None,
            ended_seconds: None,
            end: None,
            kind: order.asset,
        })
    }
}

/// The parsed ERC-20 address of the customers.
pub(super) fn token_address(customers: &Customers) -> Result<[u8; 20], Failure> {
    parse_address(&customers.token).map_err(|error| catenary_api::Error::from(error).into())
}

/// All transfers so far.
#[derive(Debug)]
pub(super) struct Transfers {
    pub(super) rows: Vec<Row>,
    pub(super) began: Instant,
}

impl Transfers {
    /// Looks at every running operator once.
    pub(super) async fn look(&mut self, operators: &[Operator]) {
        for operator in operators.iter().filter(|operator| operator.is_up()) {
            for row in self.rows.iter_mut().filter(|row| row.end.is_none()) {
                if let Some(view) = operator.packet(&row.packet).await {
                    row.note(&view, self.began.elapsed().as_secs_f64());
                }
            }
        }
    }

    /// How many have not ended.
    pub(super) fn open(&self) -> usize {
        self.rows.iter().filter(|row| row.end.is_none()).count()
    }

    /// Waits until all have ended; `progress` is told how many are open.
    pub(super) async fn wait_ended(
        &mut self,
        operators: &[Operator],
        progress: &dyn Fn(String),
    ) -> Result<(), Failure> {
        let started = platform::monotonic();
        loop {
            self.look(operators).await;
            let open = self.open();
            if open == 0 {
                return Ok(());
            }
            progress(format!("{} of {} transfers have ended", self.rows.len() - open, self.rows.len()));
            if started.elapsed().as_secs() >= END_SECONDS {
                let open = self.rows.iter().filter(|row| row.end.is_none()).map(|row| row.packet.as_str());
                let open: Vec<&str> = open.collect();
                let message = format!("after {END_SECONDS} s these have not ended: {}", open.join(", "));
                return Err(Failure::new("NODE-DEMO-010", message));
            }
            platform::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(stage: &str, acknowledgement: Option<&str>) -> PacketView {
        PacketView {
            key: "evm/client-0/1".to_owned(),
            path: PATH.to_owned(),
            stage: stage.to_owned(),
            reason: None,
            height: 1,
            at_seconds: 1,
            destination_client: None,
            timeout_timestamp_seconds: None,
            acknowledgement: acknowledgement.map(str::to_owned),
            transfer: None,
            history: Vec::new(),
            transactions: Vec::new(),
        }
    }

    fn row() -> Row {
        Row {
            packet: "evm/client-0/1".to_owned(),
            uetr: keys::uetr(1, 1),
            from: CHAINS[EVM],
            to: CHAINS[COSMOS],
            asset: Asset::Erc20.label(),
            amount: 7,
            sent_seconds: 10.0,
            received_seconds: None,
            ended_seconds: None,
            end: None,
            kind: Asset::Erc20,
        }
    }

    /// What is seen, second by second from the eleventh on, and what the row says then.
    fn check(seen: &[PacketView], (received, ended, end): (Option<f64>, Option<f64>, Option<End>), in_flight: u64) {
        let mut row = row();
        for (second, view) in seen.iter().enumerate() {
            row.note(view, 11.0 + second as f64);
        }
        assert_eq!((row.received_seconds, row.ended_seconds, row.end), (received, ended, end), "{seen:?}");
        assert_eq!(row.in_flight(), in_flight, "{seen:?}");
    }

    #[test]
    fn a_row_keeps_when_things_were_first_seen_and_how_it_ended() {
        let (sent, received) = (view("sent", None), view("received", Some("success")));
        let acknowledged = view("acknowledged", Some("success"));
        check(&[], (None, None, None), 7);
        check(std::slice::from_ref(&sent), (None, None, None), 7);
        check(&[sent.clone(), received.clone(), received.clone()], (Some(2.0), None, None), 0);
        let arrived = (Some(2.0), Some(3.0), Some(End::Acknowledged));
        check(&[sent.clone(), received, acknowledged.clone(), acknowledged.clone()], arrived, 0);
        check(&[acknowledged], (Some(1.0), Some(1.0), Some(End::Acknowledged)), 0);
        check(&[sent.clone(), view("refunded", None)], (None, Some(2.0), Some(End::TimedOut)), 0);
        check(&[sent, view("refunded", Some("error"))], (Some(2.0), Some(2.0), Some(End::Rejected)), 0);
    }
}
