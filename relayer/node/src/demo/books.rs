//! Conservation, read from the chains themselves: what is locked on the home chain is what stands for it on the other
//! chain, plus what is on its way.

use catenary_adapter_cosmos::CosmosAdapter;
use catenary_adapter_evm::At;
use catenary_protocol::handler::escrow_account;
use serde::Serialize;

use super::config::PREFIX;
use super::transfers::{token_address, Customers, Row};
use super::{DENOM, SYMBOL};
use crate::cli::output::Failure;

/// The book of one asset, in base units.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Book {
    pub(super) asset: &'static str,
    /// Locked in the escrow of its home chain.
    pub(super) locked: u128,
    /// Vouchers in existence on the other chain.
    pub(super) vouchers: u128,
    /// Sent and not arrived, by the operators' words.
    pub(super) in_flight: u128,
}

impl Book {
    /// Whether the sum holds.
    pub(super) const fn balances(&self) -> bool {
        match self.vouchers.checked_add(self.in_flight) {
            Some(sum) => sum == self.locked,
            None => false,
        }
    }

    /// The sum as people read it.
    pub(super) fn words(&self) -> String {
        let Self { asset, locked, vouchers, in_flight } = self;
        format!("{locked} {asset} locked = {vouchers} in vouchers + {in_flight} on the way")
    }
}

/// The books of both assets.
pub(super) async fn read(customers: &Customers, cosmos: &CosmosAdapter, rows: &[Row]) -> Result<[Book; 2], Failure> {
    let in_flight = |erc20: bool| {
        let rows = rows.iter().filter(|row| row.kind.is_erc20() == erc20);
        rows.map(|row| u128::from(row.in_flight())).sum()
    };
    let evm = &customers.evm;
    let [evm_client, cosmos_client] = &customers.clients;
    let escrow = evm.escrow(&customers.app, evm_client, At::Latest).await.map_err(chain)?;
    let token = token_address(customers)?;
    let locked = match escrow {
        Some(escrow) => number(&evm.token_balance(&token, &escrow, At::Latest).await.map_err(chain)?)?,
        None => 0,
    };
    let vouchers = number(&cosmos.supply(&customers.erc20_voucher()).await.map_err(chain)?)?;
    let erc20 = Book { asset: SYMBOL, locked, vouchers, in_flight: in_flight(true) };

    let escrow = cosmos_address(&escrow_account(cosmos_client))?;
    let locked = number(&cosmos.balance(&escrow, DENOM).await.map_err(chain)?)?;
    let vouchers = match customers.native_voucher().await? {
        Some(voucher) => number(&evm.token_info(&voucher, At::Latest).await.map_err(chain)?.total_supply)?,
        None => 0,
    };
    Ok([erc20, Book { asset: DENOM, locked, vouchers, in_flight: in_flight(false) }])
}

fn chain(error: impl Into<catenary_api::Error>) -> Failure {
    Failure::from(error.into())
}

fn number(text: &str) -> Result<u128, Failure> {
    text.parse().map_err(|_| Failure::new("NODE-DEMO-011", format!("a chain says that an amount is {text:?}")))
}

fn cosmos_address(account: &[u8]) -> Result<String, Failure> {
    let encoded = bech32::Hrp::parse(PREFIX).ok().and_then(|hrp| bech32::encode::<bech32::Bech32>(hrp, account).ok());
    encoded.ok_or_else(|| Failure::new("NODE-DEMO-012", format!("{} is no account", hex::encode(account))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(locked: u128, vouchers: u128, in_flight: u128, balances: bool) {
        let book = Book { asset: SYMBOL, locked, vouchers, in_flight };
        assert_eq!(book.balances(), balances, "{}", book.words());
    }

    #[test]
    fn a_book_balances_to_the_unit() {
        check(0, 0, 0, true);
        check(150, 150, 0, true);
        check(150, 100, 50, true);
        check(150, 151, 0, false);
        check(150, 149, 0, false);
        check(150, 150, 1, false);
        check(u128::MAX, u128::MAX, 1, false);
    }
}
