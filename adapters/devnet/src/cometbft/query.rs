//! What `abci_query` answers: keys of the stores with their proofs, and the gRPC services that go through it.

use catenary_protocol::handler::{state, Amount, Bank, Height};
use catenary_protocol::path::Kind;
use catenary_protocol::proto::{self, decode_strict, Any};
use cosmos_sdk_proto::cosmos::auth::v1beta1 as auth;
use cosmos_sdk_proto::cosmos::bank::v1beta1 as bank;
use cosmos_sdk_proto::cosmos::base::v1beta1::Coin;
use prost::Message;

use super::chain::Chain;
use super::host::Host;
use super::stores::{ProofOp, Stores, ACC};
use super::tx::Refusal;

/// An answer of the application.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Answer {
    /// The key asked for; empty where a service answers.
    pub(crate) key: Vec<u8>,
    /// The value.
    pub(crate) value: Vec<u8>,
    /// The proof, when it was asked for.
    pub(crate) proof: Option<[ProofOp; 2]>,
    /// Height of the state.
    pub(crate) height: u64,
}

/// A request that has a client id and nothing else, or an id with a sequence.
#[derive(Clone, PartialEq, Eq, Message)]
struct ClientRequest {
    #[prost(string, tag = "1")]
    client_id: String,
    #[prost(uint64, tag = "2")]
    sequence: u64,
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

/// `QueryClientStateResponse` and `QueryConsensusStateResponse` of `ibc.core.client.v1`.
#[derive(Clone, PartialEq, Eq, Message)]
struct StateResponse {
    #[prost(message, optional, tag = "1")]
    state: Option<Any>,
    #[prost(bytes = "vec", tag = "2")]
    proof: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<proto::Height>,
}

/// `ibc.core.client.v1.QueryClientStatusResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct StatusResponse {
    #[prost(string, tag = "1")]
    status: String,
}

/// `ibc.core.client.v2.QueryCounterpartyInfoResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct CounterpartyResponse {
    #[prost(message, optional, tag = "1")]
    counterparty_info: Option<proto::CounterpartyInfo>,
}

/// `ibc.core.channel.v2.QueryNextSequenceSendResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct NextSequenceSendResponse {
    #[prost(uint64, tag = "1")]
    next_sequence_send: u64,
    #[prost(bytes = "vec", tag = "2")]
    proof: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<proto::Height>,
}

/// `QueryPacketCommitmentResponse` and `QueryPacketAcknowledgementResponse` of `ibc.core.channel.v2`.
#[derive(Clone, PartialEq, Eq, Message)]
struct PacketResponse {
    #[prost(bytes = "vec", tag = "1")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    proof: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<proto::Height>,
}

/// `ibc.core.channel.v2.QueryPacketReceiptResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct ReceiptResponse {
    #[prost(bool, tag = "2")]
    received: bool,
    #[prost(bytes = "vec", tag = "3")]
    proof: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    proof_height: Option<proto::Height>,
}

/// `cosmos.tx.v1beta1.SimulateRequest`, whose first field is no longer used.
#[derive(Clone, PartialEq, Eq, Message)]
struct SimulateRequest {
    #[prost(bytes = "vec", tag = "2")]
    tx_bytes: Vec<u8>,
}

/// `cosmos.base.abci.v1beta1.GasInfo`.
#[derive(Clone, PartialEq, Eq, Message)]
struct GasInfo {
    #[prost(uint64, tag = "1")]
    gas_wanted: u64,
    #[prost(uint64, tag = "2")]
    gas_used: u64,
}

/// `cosmos.tx.v1beta1.SimulateResponse` without the result.
#[derive(Clone, PartialEq, Eq, Message)]
struct SimulateResponse {
    #[prost(message, optional, tag = "1")]
    gas_info: Option<GasInfo>,
}

/// How gRPC calls what there is not.
fn not_found(reason: &str) -> Refusal {
    Refusal::sdk(22, &format!("rpc error: code = NotFound desc = {reason}"))
}

fn invalid(reason: &str) -> Refusal {
    Refusal::sdk(18, &format!("rpc error: code = InvalidArgument desc = {reason}"))
}

fn unknown(reason: &str) -> Refusal {
    Refusal::sdk(18, &format!("rpc error: code = Unknown desc = {reason}"))
}

/// Answers a query about a state.
pub(crate) fn answer(
    chain: &Chain,
    (state, height): (&Stores, u64),
    path: &str,
    data: &[u8],
    prove: bool,
) -> Result<Answer, Refusal> {
    let mut parts = path.trim_start_matches('/').split('/');
    if parts.next() == Some("store") {
        let (name, kind) = (parts.next().unwrap_or_default(), parts.next());
        let tree = state.tree(name).ok_or_else(|| Refusal::sdk(6, &format!("no such store: {name}")))?;
        if kind != Some("key") || data.is_empty() {
            return Err(Refusal::sdk(6, &format!("unexpected query path: {path}")));
        }
        let value = tree.get(data).map(<[u8]>::to_vec).unwrap_or_default();
        let proof = if prove { state.prove(name, data) } else { None };
        return Ok(Answer { key: data.to_vec(), value, proof, height });
    }
    let host = Host::new(state.clone(), &chain.config.address_prefix);
    let value = service(chain, host, path, data)?;
    Ok(Answer { value, height, ..Answer::default() })
}

fn service(chain: &Chain, mut host: Host, path: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
    match path {
        "/cosmos.auth.v1beta1.Query/Account" => account(&host, &read::<auth::QueryAccountRequest>(data)?),
        "/cosmos.bank.v1beta1.Query/Balance" => {
            let request: bank::QueryBalanceRequest = read(data)?;
            let bytes = address(&host, &request.address)?;
            let coin = coin(&request.denom, host.balance(&bytes, &request.denom));
            Ok(bank::QueryBalanceResponse { balance: Some(coin) }.encode_to_vec())
        }
        "/cosmos.bank.v1beta1.Query/AllBalances" => {
            let request: bank::QueryAllBalancesRequest = read(data)?;
            let bytes = address(&host, &request.address)?;
            let balances = host.balances(&bytes).into_iter().map(|(denom, amount)| coin(&denom, amount)).collect();
            Ok(bank::QueryAllBalancesResponse { balances, pagination: None }.encode_to_vec())
        }
        "/cosmos.bank.v1beta1.Query/SupplyOf" => {
            let request: bank::QuerySupplyOfRequest = read(data)?;
            let amount = Some(coin(&request.denom, host.supply(&request.denom)));
            Ok(bank::QuerySupplyOfResponse { amount }.encode_to_vec())
        }
        "/cosmos.tx.v1beta1.Service/Simulate" => {
            let request: SimulateRequest = read(data)?;
            let context = chain.pending_context();
            let gas = chain.app.simulate(&mut host, &request.tx_bytes, context);
            let gas_used = gas.map_err(|refusal| {
                unknown(&format!("{} With gas wanted: '0' and gas used: '{}' ", refusal.log, host.gas()))
            })?;
            let gas_info = Some(GasInfo { gas_wanted: 0, gas_used });
            Ok(SimulateResponse { gas_info }.encode_to_vec())
        }
        _ => ibc(chain, &host, path, data),
    }
}

fn ibc(chain: &Chain, host: &Host, path: &str, data: &[u8]) -> Result<Vec<u8>, Refusal> {
    let internal = |error: catenary_protocol::handler::Error| unknown(&error.to_string());
    let proof_height = Some(proto::Height::default());
    match path {
        "/ibc.core.client.v1.Query/ClientState" => {
            let id = client(data)?.client_id;
            let state = state::client_state(host, &id).map_err(internal)?;
            let state = state.ok_or_else(|| not_found(&format!("{id}: light client not found")))?;
            // ibc-go names the height of the query here.
            let height = chain.height();
            let proof_height = Some(proto::Height { revision_number: revision(chain), revision_height: height });
            Ok(StateResponse { state: Some(state), proof: Vec::new(), proof_height }.encode_to_vec())
        }
        "/ibc.core.client.v1.Query/ConsensusState" => {
            let request: ConsensusStateRequest = read(data)?;
            let (id, latest) = (&request.client_id, request.latest_height);
            let asked = Height { revision: request.revision_number, height: request.revision_height };
            let height = if latest { chain.app.handler().latest_height(host, id).map_err(internal)? } else { asked };
            let state = state::consensus_state(host, id, height).map_err(internal)?;
            let missing = || not_found(&format!("client-id: {id}, height: {height}: consensus state not found"));
            let state = Some(state.ok_or_else(missing)?);
            Ok(StateResponse { state, proof: Vec::new(), proof_height }.encode_to_vec())
        }
        "/ibc.core.client.v1.Query/ClientStatus" => {
            let id = client(data)?.client_id;
            let status = chain.app.handler().client_status(host, &id, chain.pending_context().timestamp());
            let status = status.map_err(|_| not_found(&format!("{id}: light client not found")))?;
            Ok(StatusResponse { status: status.name().to_owned() }.encode_to_vec())
        }
        "/ibc.core.client.v2.Query/CounterpartyInfo" => {
            let id = client(data)?.client_id;
            let counterparty_info = state::counterparty(host, &id).map_err(internal)?;
            let missing = || not_found(&format!("client {id} counterparty not found"));
            let counterparty_info = Some(counterparty_info.ok_or_else(missing)?);
            Ok(CounterpartyResponse { counterparty_info }.encode_to_vec())
        }
        "/ibc.core.channel.v2.Query/NextSequenceSend" => {
            let id = client(data)?.client_id;
            let next = state::next_sequence_send(host, &id).map_err(internal)?;
            let missing = || not_found(&format!("client-id {id}: sequence send not found"));
            let next_sequence_send = next.ok_or_else(missing)?;
            Ok(NextSequenceSendResponse { next_sequence_send, proof: Vec::new(), proof_height }.encode_to_vec())
        }
        "/ibc.core.channel.v2.Query/PacketCommitment" => packet(host, Kind::Commitment, data),
        "/ibc.core.channel.v2.Query/PacketAcknowledgement" => packet(host, Kind::Acknowledgement, data),
        "/ibc.core.channel.v2.Query/PacketReceipt" => {
            let request = client(data)?;
            let received = state::packet(host, Kind::Receipt, &request.client_id, request.sequence).is_some();
            Ok(ReceiptResponse { received, proof: Vec::new(), proof_height }.encode_to_vec())
        }
        _ => Err(Refusal::sdk(6, &format!("unknown query path: {path}"))),
    }
}

fn packet(host: &Host, kind: Kind, data: &[u8]) -> Result<Vec<u8>, Refusal> {
    let request = client(data)?;
    let value = state::packet(host, kind, &request.client_id, request.sequence);
    let value = value.ok_or_else(|| not_found("packet not found"))?;
    Ok(PacketResponse { value, proof: Vec::new(), proof_height: Some(proto::Height::default()) }.encode_to_vec())
}

/// The number at the end of a chain id such as `sim-1` (ibc-go `ParseChainID`).
fn revision(chain: &Chain) -> u64 {
    let number = chain.config.chain_id.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
    number.unwrap_or_default()
}

fn account(host: &Host, request: &auth::QueryAccountRequest) -> Result<Vec<u8>, Refusal> {
    let bytes = address(host, &request.address)?;
    let value = host.stores.get(ACC, &[&[0x01], &bytes[..]].concat());
    let value = value.ok_or_else(|| not_found(&format!("account {} not found", request.address)))?;
    let account = cosmos_sdk_proto::Any::decode(value).map_err(|error| unknown(&error.to_string()))?;
    Ok(auth::QueryAccountResponse { account: Some(account) }.encode_to_vec())
}

fn client(data: &[u8]) -> Result<ClientRequest, Refusal> {
    read(data)
}

fn read<M: Message + Default>(data: &[u8]) -> Result<M, Refusal> {
    decode_strict("request", data).map_err(|error| invalid(&error.to_string()))
}

fn address(host: &Host, text: &str) -> Result<Vec<u8>, Refusal> {
    host.bytes(text).ok_or_else(|| invalid(&format!("decoding bech32 failed: {text}")))
}

fn coin(denom: &str, amount: Amount) -> Coin {
    Coin { denom: denom.to_owned(), amount: amount.to_string() }
}
