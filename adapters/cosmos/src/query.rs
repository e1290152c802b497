//! Queries of the application through `abci_query`: store keys, and the gRPC services that it answers there.

use catenary_protocol::proto::{decode_strict, Any, AttestationConsensusState};
use cosmos_sdk_proto::cosmos::auth::v1beta1::{BaseAccount, QueryAccountRequest, QueryAccountResponse};
use cosmos_sdk_proto::cosmos::bank::v1beta1::{
    QueryBalanceRequest, QueryBalanceResponse, QuerySupplyOfRequest, QuerySupplyOfResponse,
};
use cosmos_sdk_proto::cosmos::base::v1beta1::Coin;
use prost::Message;
use tendermint::block::Height;
use tendermint_rpc::endpoint::abci_query::{AbciQuery, Request};

use crate::error::{shorten, Error, Result, SDK};
use crate::transport::{Attempts, Transport};

/// Type URL of a plain account (cosmos-sdk `x/auth`).
const BASE_ACCOUNT: &str = "/cosmos.auth.v1beta1.BaseAccount";
/// "key not found" of the cosmos-sdk (`types/errors`): how its query services say that there is no such thing.
pub(crate) const KEY_NOT_FOUND: u32 = 22;

/// `ibc.core.client.v1.QueryClientStateRequest`; `QueryCounterpartyInfoRequest` and `QueryNextSequenceSendRequest`
/// of v2 have the same shape.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct ClientRequest {
    /// Client id.
    #[prost(string, tag = "1")]
    pub(crate) client_id: String,
}

/// `ibc.core.client.v1.QueryClientStateResponse`; `QueryConsensusStateResponse` has the same shape.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct StateResponse {
    /// The state.
    #[prost(message, optional, tag = "1")]
    pub(crate) state: Option<Any>,
    /// Always empty here.
    #[prost(bytes = "vec", tag = "2")]
    proof: Vec<u8>,
    /// Height of the query.
    #[prost(message, optional, tag = "3")]
    proof_height: Option<catenary_protocol::proto::Height>,
}

/// `ibc.core.client.v1.QueryConsensusStateRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
struct ConsensusStateRequest {
    #[prost(string, tag = "1")]
    client_id: String,
    #[prost(uint64, tag = "2")]
    revision_number: u64,
    #[prost(uint64, tag = "3")]
    revision_height: u64,
    #[prost(bool, tag = "4")]
    latest_height: bool,
}

/// `ibc.core.client.v2.CounterpartyInfo`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct CounterpartyInfo {
    /// Where the counterparty keeps its commitments.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) merkle_prefix: Vec<Vec<u8>>,
    /// Client id on the counterparty.
    #[prost(string, tag = "2")]
    pub(crate) client_id: String,
}

/// `ibc.core.client.v2.QueryCounterpartyInfoResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct CounterpartyResponse {
    #[prost(message, optional, tag = "1")]
    counterparty_info: Option<CounterpartyInfo>,
}

/// `ibc.core.channel.v2.QueryNextSequenceSendResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct NextSequenceSendResponse {
    #[prost(uint64, tag = "1")]
    next_sequence_send: u64,
    #[prost(bytes = "vec", tag = "2")]
    proof: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<catenary_protocol::proto::Height>,
}

/// Asks the application and checks that it did not refuse. `height` `None` is the newest state.
pub(crate) async fn abci(transport: &Transport, path: &str, data: Vec<u8>, at: At) -> Result<AbciQuery> {
    let height = at.height();
    let request = Request::new(Some(path.to_owned()), data, height, height.is_some());
    let answer = transport.call(request, Attempts::Retry).await?.response;
    accepted(transport.chain(), path, answer)
}

/// Asks for several keys under one path, in one request where possible.
pub(crate) async fn abci_batch(transport: &Transport, path: &str, keys: &[Vec<u8>], at: At) -> Result<Vec<AbciQuery>> {
    let height = at.height();
    let request = |key: &Vec<u8>| Request::new(Some(path.to_owned()), key.clone(), height, height.is_some());
    let answers = transport.batch(keys.iter().map(request).collect()).await?;
    answers.into_iter().map(|answer| accepted(transport.chain(), path, answer.response)).collect()
}

fn accepted(chain: &str, path: &str, answer: AbciQuery) -> Result<AbciQuery> {
    if answer.code.is_ok() {
        return Ok(answer);
    }
    Err(Error::Query {
        chain: chain.to_owned(),
        path: path.to_owned(),
        codespace: shorten(&answer.codespace),
        code: answer.code.value(),
        reason: shorten(&answer.log),
    })
}

/// Which state a query is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    /// The newest one, unproven.
    Newest,
    /// The state after a block, with its proof.
    Proven(Height),
}

impl At {
    const fn height(self) -> Option<Height> {
        match self {
            Self::Newest => None,
            Self::Proven(height) => Some(height),
        }
    }
}

/// Asks a gRPC service of the application; `None` when it has no such thing.
async fn service<A: Message + Default>(
    transport: &Transport,
    path: &str,
    request: &impl Message,
    what: &'static str,
) -> Result<Option<A>> {
    let answer = abci(transport, path, request.encode_to_vec(), At::Newest).await;
    found(transport, what, answer.map(Some))
}

/// What a service answered; `None` when it has no such thing.
fn found<A: Message + Default>(
    transport: &Transport,
    what: &'static str,
    answer: Result<Option<AbciQuery>>,
) -> Result<Option<A>> {
    match answer {
        Ok(Some(answer)) => decode_answer(transport.chain(), what, &answer.value).map(Some),
        Ok(None) => Ok(None),
        Err(Error::Query { codespace, code: KEY_NOT_FOUND, .. }) if codespace == SDK => Ok(None),
        Err(error) => Err(error),
    }
}

/// Decodes a part of an answer strictly.
pub(crate) fn decode_answer<A: Message + Default>(chain: &str, what: &'static str, bytes: &[u8]) -> Result<A> {
    decode_strict(what, bytes).map_err(|error| Error::QueryDecode {
        chain: chain.to_owned(),
        what,
        reason: shorten(&error.to_string()),
    })
}

/// The state of an on-chain client, whatever its type, and what it was told of its counterparty; neither when there is no
/// such client, and no counterparty until it is registered. One request where possible.
pub(crate) async fn client(transport: &Transport, client_id: &str) -> Result<(Option<Any>, Option<CounterpartyInfo>)> {
    let data = ClientRequest { client_id: client_id.to_owned() }.encode_to_vec();
    let paths = ["/ibc.core.client.v1.Query/ClientState", "/ibc.core.client.v2.Query/CounterpartyInfo"];
    let requests = paths.map(|path| Request::new(Some(path.to_owned()), data.clone(), None, false));
    let answers = transport.batch(requests.to_vec()).await?;
    let mut answers =
        paths.iter().zip(answers).map(|(path, answer)| accepted(transport.chain(), path, answer.response));
    let mut next = || answers.next().transpose();
    let state: Option<StateResponse> = found(transport, "client state answer", next())?;
    let counterparty: Option<CounterpartyResponse> = found(transport, "counterparty answer", next())?;
    let state = state.map(|answer| present(transport, "client state answer", answer.state)).transpose()?;
    let counterparty =
        counterparty.map(|answer| present(transport, "counterparty answer", answer.counterparty_info)).transpose()?;
    Ok((state, counterparty))
}

/// What an on-chain client of any type holds for a height; `None` when it holds nothing.
pub(crate) async fn consensus_state(
    transport: &Transport,
    client_id: &str,
    (revision_number, revision_height): (u64, u64),
) -> Result<Option<Any>> {
    let request = ConsensusStateRequest {
        client_id: client_id.to_owned(),
        revision_number,
        revision_height,
        latest_height: false,
    };
    let path = "/ibc.core.client.v1.Query/ConsensusState";
    let answer: Option<StateResponse> = service(transport, path, &request, "consensus state answer").await?;
    let Some(answer) = answer else { return Ok(None) };
    present(transport, "consensus state answer", answer.state).map(Some)
}

/// Time in nanoseconds that an attestation client holds for a height; `None` when it holds none.
pub(crate) async fn consensus_timestamp(transport: &Transport, client_id: &str, height: u64) -> Result<Option<u64>> {
    let Some(state) = consensus_state(transport, client_id, (0, height)).await? else { return Ok(None) };
    let state: AttestationConsensusState = decode_answer(transport.chain(), "consensus state", &state.value)?;
    Ok(Some(state.timestamp))
}

/// Sequence of the next packet that a client sends; `None` when it never could send.
pub(crate) async fn next_sequence(transport: &Transport, client_id: &str) -> Result<Option<u64>> {
    let request = ClientRequest { client_id: client_id.to_owned() };
    let path = "/ibc.core.channel.v2.Query/NextSequenceSend";
    let answer: Option<NextSequenceSendResponse> = service(transport, path, &request, "next sequence answer").await?;
    Ok(answer.map(|answer| answer.next_sequence_send))
}

/// Balance in base units, decimal; "0" for an account that holds none.
pub(crate) async fn balance(transport: &Transport, address: &str, denom: &str) -> Result<String> {
    let request = QueryBalanceRequest { address: address.to_owned(), denom: denom.to_owned() };
    let path = "/cosmos.bank.v1beta1.Query/Balance";
    let answer: Option<QueryBalanceResponse> = service(transport, path, &request, "balance answer").await?;
    amount(transport.chain(), denom, answer.and_then(|answer| answer.balance))
}

/// What exists of a denomination in base units, decimal.
pub(crate) async fn supply(transport: &Transport, denom: &str) -> Result<String> {
    let request = QuerySupplyOfRequest { denom: denom.to_owned() };
    let path = "/cosmos.bank.v1beta1.Query/SupplyOf";
    let answer: Option<QuerySupplyOfResponse> = service(transport, path, &request, "supply answer").await?;
    amount(transport.chain(), denom, answer.and_then(|answer| answer.amount))
}

fn amount(chain: &str, denom: &str, answer: Option<Coin>) -> Result<String> {
    let Some(coin) = answer else { return Ok("0".to_owned()) };
    if coin.denom != denom {
        let chain = chain.to_owned();
        return Err(Error::Mismatch {
            chain,
            what: "balance in",
            expected: denom.to_owned(),
            got: shorten(&coin.denom),
        });
    }
    if coin.amount.is_empty() || coin.amount.len() > 78 || !coin.amount.bytes().all(|byte| byte.is_ascii_digit()) {
        let (chain, reason) = (chain.to_owned(), format!("amount {}", shorten(&coin.amount)));
        return Err(Error::QueryDecode { chain, what: "balance answer", reason });
    }
    Ok(coin.amount)
}

/// Number and sequence of a plain account.
pub(crate) async fn account(transport: &Transport, address: &str, denom: &str) -> Result<(u64, u64)> {
    let request = QueryAccountRequest { address: address.to_owned() };
    let path = "/cosmos.auth.v1beta1.Query/Account";
    let answer: Option<QueryAccountResponse> = service(transport, path, &request, "account answer").await?;
    let Some(answer) = answer else {
        let chain = transport.chain().to_owned();
        return Err(Error::NoAccount { chain, address: address.to_owned(), denom: denom.to_owned() });
    };
    plain_account(transport.chain(), address, &answer)
}

fn plain_account(chain: &str, address: &str, answer: &QueryAccountResponse) -> Result<(u64, u64)> {
    let reason = "no account in it".to_owned();
    let any = answer.account.as_ref().ok_or_else(|| Error::QueryDecode {
        chain: chain.to_owned(),
        what: "account answer",
        reason,
    })?;
    if any.type_url != BASE_ACCOUNT {
        let (chain, address) = (chain.to_owned(), address.to_owned());
        return Err(Error::AccountType { chain, address, type_url: shorten(&any.type_url), expected: BASE_ACCOUNT });
    }
    let account: BaseAccount = decode_answer(chain, "account", &any.value)?;
    if account.address != address {
        let (chain, expected, got) = (chain.to_owned(), address.to_owned(), shorten(&account.address));
        return Err(Error::Mismatch { chain, what: "account", expected, got });
    }
    Ok((account.account_number, account.sequence))
}

fn present<T>(transport: &Transport, what: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::QueryDecode { chain: transport.chain().to_owned(), what, reason: "empty".to_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]
    use super::*;

    const ADDRESS: &str = "cosmos15f0fjzzf9g6z5tq0vufn8fdjfekhlg34m7kzrh";

    fn golden<A: Message + Default>(name: &str) -> A {
        let text = include_str!("../../../tests/vectors/ibc/queries.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let row = file["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
        decode_answer("c", "answer", &hex::decode(row["response_hex"].as_str().unwrap()).unwrap()).unwrap()
    }

    #[test]
    fn accounts_as_the_chain_encodes_them() {
        assert_eq!(plain_account("c", ADDRESS, &golden("account with a key")), Ok((7, 42)));
        assert_eq!(plain_account("c", ADDRESS, &golden("account that never signed")), Ok((0, 0)));
        assert!(matches!(plain_account("c", ADDRESS, &golden("module account")), Err(Error::AccountType { .. })));
        let other = plain_account("c", "cosmos1other", &golden("account with a key"));
        assert!(matches!(other, Err(Error::Mismatch { what: "account", .. })));
        let empty = plain_account("c", ADDRESS, &QueryAccountResponse { account: None });
        assert!(matches!(empty, Err(Error::QueryDecode { .. })));
    }

    #[test]
    fn balances_as_the_chain_encodes_them() {
        let golden: QueryBalanceResponse = golden("balance");
        let golden = golden.balance.unwrap();
        assert_eq!(amount("c", "stake", Some(golden.clone())), Ok("12345".to_owned()));
        assert_eq!(amount("c", "stake", None), Ok("0".to_owned()));
        let other = amount("c", "atoken", Some(golden.clone()));
        assert!(matches!(other, Err(Error::Mismatch { .. })), "{other:?}");
        for text in ["", "-1", "1.5", "1e9", " 1", &"9".repeat(79)] {
            let mut spoilt = golden.clone();
            text.clone_into(&mut spoilt.amount);
            let got = amount("c", "stake", Some(spoilt));
            assert!(matches!(got, Err(Error::QueryDecode { .. })), "{text:?}");
        }
    }

    #[test]
    fn answers_that_are_not_canonical_are_refused() {
        let bytes = ClientRequest { client_id: "client-0".into() }.encode_to_vec();
        assert!(decode_answer::<ClientRequest>("c", "w", &bytes).is_ok());
        let rows: &[(&str, Vec<u8>)] = &[
            ("cut", bytes[..bytes.len() - 1].to_vec()),
            ("unknown field", [bytes.clone(), vec![0x50, 1]].concat()),
            ("field twice", [bytes.clone(), bytes.clone()].concat()),
        ];
        for (name, bytes) in rows {
            assert!(
                matches!(decode_answer::<ClientRequest>("c", "w", bytes), Err(Error::QueryDecode { .. })),
                "{name}"
            );
        }
    }
}
