//! Calls that people ask for: deploying the contracts, adding clients, roles, tokens and transfers. Each makes one
//! [`Call`]; the node signs and sends it, and what it produced is in the receipt's `created` and `output`.

use catenary_api::Call;
use catenary_protocol::attestation::Address;
use catenary_protocol::ics20;
use ethers_core::abi::Token;
use ethers_core::types::U256;
use ethers_core::utils::keccak256;

use crate::abi::{address, string, uint, Contract};
use crate::error::{Error, Result};
use crate::tx::checksummed;

/// Arguments of an attestation light client's constructor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LightClientArguments {
    /// Attestors, distinct.
    pub attestors: Vec<Address>,
    /// How many of them must sign.
    pub min_required_sigs: u8,
    /// First trusted height of the counterparty.
    pub initial_height: u64,
    /// Time of that height's header in whole seconds, from the same function as attested states.
    pub initial_timestamp_seconds: u64,
    /// Administers who may update and verify, and may itself; `None` lets anyone.
    pub role_manager: Option<Address>,
}

/// The other end of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterparty {
    /// The client of this chain on the counterparty.
    pub client_id: String,
    /// Key path elements before the ICS-24 path: one empty element for attestation clients.
    pub merkle_prefix: Vec<Vec<u8>>,
}

/// A transfer to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferArguments {
    /// ERC-20 or voucher contract.
    pub token: Address,
    /// Base units, decimal.
    pub amount: String,
    /// Account on the other chain, in its own notation.
    pub receiver: String,
    /// Client to send over.
    pub source_client: String,
    /// Unix seconds after which it is refunded, at most a day ahead.
    pub timeout_timestamp_seconds: u64,
    /// Memo, which may hold a payment reference.
    pub memo: String,
}

/// A role of the router or of a light client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// May grant and revoke every role.
    Admin,
    /// May relay while the router's relayer list is on.
    Relayer,
    /// May pause sending and receiving.
    Pauser,
    /// May put another light client behind an id: the highest trust.
    ClientMigrator,
    /// May update a light client and verify with it.
    ProofSubmitter,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Admin => "DEFAULT_ADMIN_ROLE",
            Self::Relayer => "RELAYER_ROLE",
            Self::Pauser => "PAUSER_ROLE",
            Self::ClientMigrator => "CLIENT_MIGRATOR_ROLE",
            Self::ProofSubmitter => "PROOF_SUBMITTER_ROLE",
        }
    }

    /// The contract that knows the role; the router where both do.
    pub(crate) const fn contract(self) -> Contract {
        match self {
            Self::ProofSubmitter => Contract::LightClient,
            _ => Contract::Router,
        }
    }

    /// The role's identifier in the contracts.
    pub(crate) fn token(self) -> Token {
        let id = match self {
            // OpenZeppelin's AccessControl gives the admin role the zero identifier.
            Self::Admin => [0; 32],
            _ => keccak256(self.name()),
        };
        Token::FixedBytes(id.to_vec())
    }
}

/// Who may relay on a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relayers {
    /// Anyone.
    Anyone,
    /// Holders of [`Role::Relayer`] only.
    Listed,
}

fn call(to: Address, data: Vec<u8>, summary: String) -> Call {
    Call { to: Some(to), type_url: String::new(), data, summary }
}

fn deploy(contract: Contract, arguments: &[Token]) -> Result<Call> {
    let data = contract.init_code(arguments)?;
    Ok(Call { to: None, type_url: String::new(), data, summary: format!("deploy {}", contract.name()) })
}

/// A decimal number below 2^256.
fn amount(text: &str) -> Result<Token> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = U256::from_dec_str(text).ok().filter(|_| digits);
    number.map(Token::Uint).ok_or_else(|| Error::Body {
        got: format!("amount {:?}", crate::error::shorten(text)),
        expected: "base units as decimal digits, below 2^256",
    })
}

fn counterparty_token(counterparty: &Counterparty) -> Token {
    let prefix = counterparty.merkle_prefix.iter().cloned().map(Token::Bytes).collect();
    Token::Tuple(vec![string(&counterparty.client_id), Token::Array(prefix)])
}

/// Deploys a router; `admin` may grant every role.
///
/// # Errors
/// [`Error::Artifact`], a defect; so for every function here unless it says more.
pub fn deploy_router(admin: &Address) -> Result<Call> {
    deploy(Contract::Router, &[address(admin)])
}

/// Deploys an attestation light client.
///
/// # Errors
/// [`Error::Artifact`].
pub fn deploy_light_client(arguments: &LightClientArguments) -> Result<Call> {
    deploy(
        Contract::LightClient,
        &[
            Token::Array(arguments.attestors.iter().map(address).collect()),
            uint(arguments.min_required_sigs.into()),
            uint(arguments.initial_height),
            uint(arguments.initial_timestamp_seconds),
            address(&arguments.role_manager.unwrap_or_default()),
        ],
    )
}

/// Deploys the transfer application of a router.
///
/// # Errors
/// [`Error::Artifact`].
pub fn deploy_transfer(router: &Address) -> Result<Call> {
    deploy(Contract::Transfer, &[address(router)])
}

/// Deploys a token that anyone can mint, for test networks.
///
/// # Errors
/// [`Error::Artifact`].
pub fn deploy_test_token(name: &str, symbol: &str) -> Result<Call> {
    deploy(Contract::TestToken, &[string(name), string(symbol)])
}

/// Binds a port to an application, for good.
///
/// # Errors
/// [`Error::Artifact`].
pub fn add_ibc_app(router: &Address, port: &str, app: &Address) -> Result<Call> {
    let data = Contract::Router.call("addIBCApp", &[string(port), address(app)])?;
    Ok(call(*router, data, format!("bind port {port} to {}", checksummed(app))))
}

/// Adds a client; the receipt's output is its id.
///
/// # Errors
/// [`Error::Artifact`].
pub fn add_client(router: &Address, counterparty: &Counterparty, light_client: &Address) -> Result<Call> {
    let data = Contract::Router.call("addClient", &[counterparty_token(counterparty), address(light_client)])?;
    let summary = format!("add a client for {} behind {}", counterparty.client_id, checksummed(light_client));
    Ok(call(*router, data, summary))
}

/// Puts another light client behind a client id; needs [`Role::ClientMigrator`].
///
/// # Errors
/// [`Error::Artifact`].
pub fn migrate_client(
    router: &Address,
    client_id: &str,
    counterparty: &Counterparty,
    light_client: &Address,
) -> Result<Call> {
    let arguments = [string(client_id), counterparty_token(counterparty), address(light_client)];
    let data = Contract::Router.call("migrateClient", &arguments)?;
    Ok(call(*router, data, format!("migrate {client_id} to {}", checksummed(light_client))))
}

/// Grants a role of a router or light client.
///
/// # Errors
/// [`Error::Artifact`].
pub fn grant_role(contract: &Address, role: Role, account: &Address) -> Result<Call> {
    let data = role.contract().call("grantRole", &[role.token(), address(account)])?;
    Ok(call(*contract, data, format!("grant {} to {}", role.name(), checksummed(account))))
}

/// Revokes a role of a router or light client.
///
/// # Errors
/// [`Error::Artifact`].
pub fn revoke_role(contract: &Address, role: Role, account: &Address) -> Result<Call> {
    let data = role.contract().call("revokeRole", &[role.token(), address(account)])?;
    Ok(call(*contract, data, format!("revoke {} from {}", role.name(), checksummed(account))))
}

/// Chooses who may relay.
///
/// # Errors
/// [`Error::Artifact`].
pub fn set_relayers(router: &Address, relayers: Relayers) -> Result<Call> {
    let listed = relayers == Relayers::Listed;
    let data = Contract::Router.call("setRelayerListEnabled", &[Token::Bool(listed)])?;
    Ok(call(*router, data, format!("set relayers to {relayers:?}")))
}

/// Stops sending and receiving.
///
/// # Errors
/// [`Error::Artifact`].
pub fn pause(router: &Address) -> Result<Call> {
    Ok(call(*router, Contract::Router.call("pause", &[])?, "pause sending and receiving".to_owned()))
}

/// Ends a pause.
///
/// # Errors
/// [`Error::Artifact`].
pub fn unpause(router: &Address) -> Result<Call> {
    Ok(call(*router, Contract::Router.call("unpause", &[])?, "end the pause".to_owned()))
}

/// Lets `spender` take up to an amount of the caller's tokens.
///
/// # Errors
/// [`Error::Body`] for an amount that is no number.
pub fn approve(token: &Address, spender: &Address, base_units: &str) -> Result<Call> {
    let data = Contract::TestToken.call("approve", &[address(spender), amount(base_units)?])?;
    let summary = format!("approve {base_units} of {} for {}", checksummed(token), checksummed(spender));
    Ok(call(*token, data, summary))
}

/// Mints tokens of a test token.
///
/// # Errors
/// [`Error::Body`] for an amount that is no number.
pub fn mint(token: &Address, to: &Address, base_units: &str) -> Result<Call> {
    let data = Contract::TestToken.call("mint", &[address(to), amount(base_units)?])?;
    Ok(call(*token, data, format!("mint {base_units} of {} for {}", checksummed(token), checksummed(to))))
}

/// Moves tokens on this chain.
///
/// # Errors
/// [`Error::Body`] for an amount that is no number.
pub fn token_transfer(token: &Address, to: &Address, base_units: &str) -> Result<Call> {
    let data = Contract::TestToken.call("transfer", &[address(to), amount(base_units)?])?;
    Ok(call(*token, data, format!("move {base_units} of {} to {}", checksummed(token), checksummed(to))))
}

/// Sends a transfer to another chain; the receipt's output is its sequence.
///
/// # Errors
/// [`Error::Body`] for an amount that is no number.
pub fn send_transfer(app: &Address, transfer: &TransferArguments) -> Result<Call> {
    let message = Token::Tuple(vec![
        address(&transfer.token),
        amount(&transfer.amount)?,
        string(&transfer.receiver),
        string(&transfer.source_client),
        string(ics20::PORT),
        uint(transfer.timeout_timestamp_seconds),
        string(&transfer.memo),
    ]);
    let data = Contract::Transfer.call("sendTransfer", &[message])?;
    let TransferArguments { token, amount, receiver, source_client, .. } = transfer;
    let summary = format!("send {amount} of {} to {receiver} over {source_client}", checksummed(token));
    Ok(call(*app, data, summary))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn amounts_are_decimal_digits_below_two_to_the_256() {
        let max = U256::MAX.to_string();
        for good in ["0", "1", "1000000000000000000", max.as_str()] {
            assert_eq!(amount(good).unwrap(), Token::Uint(U256::from_dec_str(good).unwrap()), "{good}");
        }
        let over = format!("{max}0");
        for bad in ["", "-1", "+1", "1.5", "1e18", "0x10", " 1", "one", over.as_str()] {
            assert_eq!(amount(bad).unwrap_err().code(), "EVM-TXN-002", "{bad:?}");
        }
    }

    #[test]
    fn calls_go_where_they_belong() {
        let (router, other) = ([1; 20], [2; 20]);
        let end = Counterparty { client_id: "attestations-0".to_owned(), merkle_prefix: vec![Vec::new()] };
        let transfer = TransferArguments {
            token: other,
            amount: "5".to_owned(),
            receiver: "cosmos1".to_owned(),
            source_client: "client-0".to_owned(),
            timeout_timestamp_seconds: 7,
            memo: String::new(),
        };
        let check = |call: Result<Call>, signature: &str| {
            let call = call.unwrap();
            assert_eq!(call.to, Some(router), "{signature}");
            assert_eq!(call.data[..4], keccak256(signature)[..4], "{signature}");
            assert!(!call.summary.is_empty());
        };
        check(add_ibc_app(&router, "transfer", &other), "addIBCApp(string,address)");
        check(add_client(&router, &end, &other), "addClient((string,bytes[]),address)");
        check(migrate_client(&router, "client-0", &end, &other), "migrateClient(string,(string,bytes[]),address)");
        check(grant_role(&router, Role::Relayer, &other), "grantRole(bytes32,address)");
        check(revoke_role(&router, Role::ProofSubmitter, &other), "revokeRole(bytes32,address)");
        check(set_relayers(&router, Relayers::Listed), "setRelayerListEnabled(bool)");
        check(pause(&router), "pause()");
        check(unpause(&router), "unpause()");
        check(approve(&router, &other, "5"), "approve(address,uint256)");
        check(mint(&router, &other, "5"), "mint(address,uint256)");
        check(token_transfer(&router, &other, "5"), "transfer(address,uint256)");
        check(send_transfer(&router, &transfer), "sendTransfer((address,uint256,string,string,string,uint64,string))");
        let admin = grant_role(&router, Role::Admin, &other).unwrap();
        assert_eq!(admin.data[4..36], [0; 32]);
        let listed = set_relayers(&router, Relayers::Listed).unwrap();
        let anyone = set_relayers(&router, Relayers::Anyone).unwrap();
        assert_eq!((listed.data.last(), anyone.data.last()), (Some(&1), Some(&0)));
    }

    #[test]
    fn deployments_carry_code_and_arguments() {
        let arguments = LightClientArguments {
            attestors: vec![[3; 20]],
            min_required_sigs: 1,
            initial_height: 5,
            initial_timestamp_seconds: 6,
            role_manager: None,
        };
        for (call, argument_bytes) in [
            (deploy_router(&[1; 20]).unwrap(), 32),
            (deploy_transfer(&[1; 20]).unwrap(), 32),
            (deploy_light_client(&arguments).unwrap(), 7 * 32),
            (deploy_test_token("Name", "SYM").unwrap(), 6 * 32),
        ] {
            assert_eq!(call.to, None, "{}", call.summary);
            assert!(call.data.len() > argument_bytes + 1_000, "{}", call.summary);
            // A Solidity constructor starts by setting the free memory pointer, here or after immutables.
            assert_eq!(call.data[0], 0x60, "{}", call.summary);
        }
    }
}
