//! Conservation: what is locked on the home chain is what stands for it on the other chain, plus what is on its way.
//! Balances and events are read at one final height a side, so that the sum must hold to the unit at any moment.

use base64::Engine as _;
use catenary_adapter_evm::At;
use cosmos_sdk_proto::cosmos::bank::v1beta1::{
    QueryBalanceRequest, QueryBalanceResponse, QuerySupplyOfRequest, QuerySupplyOfResponse,
};
use prost::Message;
use serde_json::json;

use super::trail::{End, Passage};
use super::{chain_error, Asset, Consortium, NATIVE};
use crate::localnet::{escrow_address, LocalnetError};

/// The book of one asset at one height a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// The asset, named by its way out.
    pub asset: Asset,
    /// Heights on the EVM and the Cosmos chain.
    pub heights: [u64; 2],
    /// Locked in the escrow of its home chain.
    pub locked: i128,
    /// Vouchers in existence on the other chain.
    pub vouchers: i128,
    /// On its way, as the events say: taken on one side and not yet given on the other, or given back.
    pub in_flight: i128,
    /// What the user on the home chain holds.
    pub home_user: i128,
    /// Vouchers that the user on the other chain holds.
    pub away_user: i128,
}

impl Book {
    /// Whether the sum holds.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.locked == self.vouchers + self.in_flight
    }
}

impl Consortium {
    /// The books of the ERC-20 and of the native denomination.
    ///
    /// # Errors
    /// When a chain cannot be read.
    pub fn books(&mut self) -> Result<[Book; 2], LocalnetError> {
        let heights = self.heads()?;
        let passages = self.passages_at(heights)?;
        let flight = |out: Asset, home: Asset| {
            let moved = passages.values().filter(|p| p.asset == out || p.asset == home);
            moved.map(in_flight).sum::<Result<i128, LocalnetError>>()
        };
        let erc20 = flight(Asset::Erc20, Asset::Erc20Voucher)?;
        let native = flight(Asset::Native, Asset::NativeVoucher)?;
        Ok([self.erc20_book(heights, erc20)?, self.native_book(heights, native)?])
    }

    /// The books, which must balance.
    ///
    /// # Errors
    /// When one does not, with its numbers, or a chain cannot be read.
    pub fn conserved(&mut self) -> Result<[Book; 2], LocalnetError> {
        let books = self.books()?;
        match books.iter().find(|book| !book.balances()) {
            None => Ok(books),
            Some(book) => {
                Err(LocalnetError::answer("locked = vouchers + in flight does not hold", format!("{book:?}")))
            }
        }
    }

    fn erc20_book(&self, heights: [u64; 2], in_flight: i128) -> Result<Book, LocalnetError> {
        let at = At::Height(heights[0]);
        let escrow = self.runtime.block_on(self.evm.escrow(&self.app, &self.clients.evm, at)).map_err(chain_error)?;
        let locked = match escrow {
            Some(escrow) => self.erc20_balance(&self.token, &escrow, at)?,
            None => 0,
        };
        let denom = self.voucher_denom();
        Ok(Book {
            asset: Asset::Erc20,
            heights,
            locked,
            vouchers: self.supply(&denom, heights[1])?,
            in_flight,
            home_user: self.erc20_balance(&self.token, &self.evm_user.evm_address, at)?,
            away_user: self.balance(&self.cosmos_user.cosmos_address, &denom, heights[1])?,
        })
    }

    fn native_book(&self, heights: [u64; 2], in_flight: i128) -> Result<Book, LocalnetError> {
        let at = At::Height(heights[0]);
        let trace = self.native_trace();
        let voucher = self.runtime.block_on(self.evm.voucher(&self.app, &trace, at)).map_err(chain_error)?;
        let (vouchers, away_user) = match voucher {
            None => (0, 0),
            Some(voucher) => {
                let info = self.runtime.block_on(self.evm.token_info(&voucher, at)).map_err(chain_error)?;
                (number(&info.total_supply)?, self.erc20_balance(&voucher, &self.evm_user.evm_address, at)?)
            }
        };
        Ok(Book {
            asset: Asset::Native,
            heights,
            locked: self.balance(&escrow_address(&self.clients.cosmos), NATIVE, heights[1])?,
            vouchers,
            in_flight,
            home_user: self.balance(&self.cosmos_user.cosmos_address, NATIVE, heights[1])?,
            away_user,
        })
    }

    fn erc20_balance(&self, token: &[u8; 20], owner: &[u8; 20], at: At) -> Result<i128, LocalnetError> {
        number(&self.runtime.block_on(self.evm.token_balance(token, owner, at)).map_err(chain_error)?)
    }

    fn balance(&self, address: &str, denom: &str, height: u64) -> Result<i128, LocalnetError> {
        let request = QueryBalanceRequest { address: address.to_owned(), denom: denom.to_owned() };
        let answer = self.query("/cosmos.bank.v1beta1.Query/Balance", &request.encode_to_vec(), height)?;
        let answer = QueryBalanceResponse::decode(answer.as_slice()).map_err(chain_error)?;
        answer.balance.map_or(Ok(0), |coin| number(&coin.amount))
    }

    fn supply(&self, denom: &str, height: u64) -> Result<i128, LocalnetError> {
        let request = QuerySupplyOfRequest { denom: denom.to_owned() };
        let answer = self.query("/cosmos.bank.v1beta1.Query/SupplyOf", &request.encode_to_vec(), height)?;
        let answer = QuerySupplyOfResponse::decode(answer.as_slice()).map_err(chain_error)?;
        answer.amount.map_or(Ok(0), |coin| number(&coin.amount))
    }

    /// Asks a query service of the Cosmos chain in the state after a block.
    fn query(&self, path: &str, request: &[u8], height: u64) -> Result<Vec<u8>, LocalnetError> {
        let params =
            json!({ "path": path, "data": hex::encode(request), "height": height.to_string(), "prove": false });
        let answer = self.networks.rpc(1).call("abci_query", params)?;
        let response = &answer["response"];
        if response["code"].as_u64().unwrap_or_default() != 0 {
            return Err(LocalnetError::answer(path, response));
        }
        let value = response["value"].as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD.decode(value).map_err(|_| LocalnetError::answer(path, response))
    }
}

/// What a packet adds to what is on its way. Sides are read at heights of their own, so one side may be ahead and the
/// amount negative for a moment.
fn in_flight(passage: &Passage) -> Result<i128, LocalnetError> {
    let amount = number(&passage.transfer.amount)?;
    let taken = i128::from(passage.sent.is_some());
    let given = passage.received.iter().filter(|(_, taken)| *taken).count();
    let back = passage.ended.iter().filter(|(_, end)| *end != End::Acknowledged).count();
    let gone = i128::try_from(given + back).map_err(chain_error)?;
    // The same both ways: on the way out it is locked first and the voucher made later, on the way home the voucher is
    // burned first and the escrow opened later.
    Ok(amount * (taken - gone))
}

fn number(text: &str) -> Result<i128, LocalnetError> {
    text.parse().map_err(|_| LocalnetError::answer("an amount", text))
}
