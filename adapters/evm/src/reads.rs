//! What people and tests read of tokens, escrows, vouchers and roles. Claims of an endpoint, all of them.

use catenary_protocol::attestation::Address;
use ethers_core::abi::Token;

use crate::abi::{address, string, Contract};
use crate::adapter::{At, EvmAdapter, Read, Target};
use crate::error::Result;
use crate::setup::Role;

/// What a token says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenInfo {
    /// Symbol.
    pub symbol: String,
    /// Digits after the point.
    pub decimals: u8,
    /// Base units in existence, decimal.
    pub total_supply: String,
}

impl EvmAdapter {
    /// Base units of an ERC-20 that `owner` holds, decimal.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn token_balance(&self, token: &Address, owner: &Address, state: At) -> Result<String> {
        let target = Target { contract: Contract::TestToken, address: *token, state };
        let values = self.read(target, "balanceOf", &[address(owner)]).await?;
        Ok(self.number("balanceOf", token, &values)?.to_string())
    }

    /// Base units that `spender` may still take from `owner`, decimal.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn token_allowance(&self, token: &Address, owner: &Address, spender: &Address) -> Result<String> {
        let target = Target::latest(Contract::TestToken, *token);
        let values = self.read(target, "allowance", &[address(owner), address(spender)]).await?;
        Ok(self.number("allowance", token, &values)?.to_string())
    }

    /// Symbol, decimals and supply of an ERC-20.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn token_info(&self, token: &Address, state: At) -> Result<TokenInfo> {
        let target = Target { contract: Contract::TestToken, address: *token, state };
        let symbol = self.text("symbol", token, self.read(target, "symbol", &[]).await?)?;
        let decimals = self.number("decimals", token, &self.read(target, "decimals", &[]).await?)?;
        let decimals =
            u8::try_from(decimals).map_err(|_| self.bad_output("decimals", token, "is beyond 8 bits".to_owned()))?;
        let total_supply = self.number("totalSupply", token, &self.read(target, "totalSupply", &[]).await?)?;
        Ok(TokenInfo { symbol, decimals, total_supply: total_supply.to_string() })
    }

    /// The escrow of a client, `None` before its first transfer.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn escrow(&self, app: &Address, client_id: &str, state: At) -> Result<Option<Address>> {
        self.some_address(Target { contract: Contract::Transfer, address: *app, state }, "getEscrow", client_id).await
    }

    /// The voucher contract of a denomination with its trace, `None` before its first arrival.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn voucher(&self, app: &Address, denom: &str, state: At) -> Result<Option<Address>> {
        let target = Target { contract: Contract::Transfer, address: *app, state };
        self.some_address(target, "ibcERC20Contract", denom).await
    }

    /// The application bound to a port, `None` when there is none.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn ibc_app(&self, port: &str) -> Result<Option<Address>> {
        let router = Target::latest(Contract::Router, self.router()?);
        let request = router.request("getIBCApp", &[string(port)])?;
        let answer = self.rpc.batch(&[request]).await?.into_iter().next();
        let refuse = |reason: String| Err(self.bad_output("getIBCApp", &router.address, reason));
        match self.outcome(router, "getIBCApp", answer.unwrap_or(Ok(serde_json::Value::Null)))? {
            Read::Values(values) => match values.as_slice() {
                [Token::Address(app)] => Ok(Some(app.0)),
                _ => refuse("is no address".to_owned()),
            },
            Read::Reverted(reason) if reason.starts_with("IBCAppNotFound(") => Ok(None),
            Read::Reverted(reason) => refuse(format!("reverted with {reason}")),
        }
    }

    /// Whether an account holds a role of a router or light client.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn has_role(&self, contract: &Address, role: Role, account: &Address) -> Result<bool> {
        let target = Target::latest(role.contract(), *contract);
        match self.read(target, "hasRole", &[role.token(), address(account)]).await?.as_slice() {
            [Token::Bool(held)] => Ok(*held),
            _ => Err(self.bad_output("hasRole", contract, "is no boolean".to_owned())),
        }
    }

    /// Whether only listed relayers may relay.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn relayer_list_enabled(&self) -> Result<bool> {
        let router = self.router()?;
        let target = Target::latest(Contract::Router, router);
        match self.read(target, "relayerListEnabled", &[]).await?.as_slice() {
            [Token::Bool(enabled)] => Ok(*enabled),
            _ => Err(self.bad_output("relayerListEnabled", &router, "is no boolean".to_owned())),
        }
    }

    /// The sequence of the newest packet sent over a client, 0 when there is none.
    ///
    /// # Errors
    /// Transport and decoding errors.
    pub async fn last_sequence_sent(&self, client_id: &str) -> Result<u64> {
        let router = self.router()?;
        let function = "getLastSequenceSent";
        let values = self.read(Target::latest(Contract::Router, router), function, &[string(client_id)]).await?;
        u64::try_from(self.number(function, &router, &values)?)
            .map_err(|_| self.bad_output(function, &router, "is beyond 64 bits".to_owned()))
    }

    async fn some_address(&self, target: Target, function: &str, argument: &str) -> Result<Option<Address>> {
        match self.read(target, function, &[string(argument)]).await?.as_slice() {
            [Token::Address(found)] => Ok((!found.is_zero()).then_some(found.0)),
            _ => Err(self.bad_output(function, &target.address, "is no address".to_owned())),
        }
    }
}
